"""Compares what two checkouts compute: one picture of every kind of pixel job, and every task's state after five steps.

    python benchmarks/same_results.py OLD NEW [--only stylize,classify]

OLD and NEW are folders with a checkout each; both run in this Python environment, each with its own folder first on the
path. Files are compared byte for byte; pictures that differ in their metadata alone are told apart from pictures that
differ. Checkpoints are compared leaf by leaf, bit for bit. For refactorings that must change nothing.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

SMALL = ("--size", "64", "--min-size", "64", "--initial-iterations", "5")
TWO_SCALES = ("--size", "90", "--min-size", "64", "--initial-iterations", "5", "--iterations", "4")
PAIR = ("stylize", "example:landscape", "example:brushwork", "-o")

PIXEL_JOBS: dict[str, tuple[str, ...]] = {
    "stylize": (*PAIR, "out.png", *TWO_SCALES, "--trace", "trace.jsonl"),
    "stylize-colors": (*PAIR, "out.png", *SMALL, "--preserve-color", "histogram"),
    "stylize-luminance": (*PAIR, "out.tif", *SMALL, "--preserve-color", "luminance", "--bits", "16"),
    "stylize-lbfgs": (*PAIR, "out.png", *SMALL, "--optimizer", "lbfgs", "--init", "style-stats"),
    "stylize-fourier": (*PAIR, "out.png", *SMALL, "--parametrization", "fourier", "--style-loss", "gram"),
    "stylize-prior": (*PAIR, "out.png", *SMALL, "--parametrization", "deep-image-prior", "--style-loss", "mean-std"),
    "stylize-masks": (
        *("stylize", "photo.png", "example:brushwork", "example:mosaic", "-o", "out.png", *SMALL),
        *("--content-mask", "left.png", "--content-mask", "right.png", "--save-every", "2"),
    ),
    "stylize-sweep": (*PAIR, "made/", *SMALL, "--sweep", "content_weight=0.01,0.1"),
    "stylize-folder": ("stylize", "photos", "example:mosaic", "-o", "made/", *SMALL, "--style-scale", "0.5"),
    "stylize-film": (
        *("stylize", "film.gif", "example:brushwork", "-o", "made/%04d.png", *SMALL, "--flow", "flow"),
        *("--frame-iterations", "3"),
    ),
    "stylize-gif": ("stylize", "film.gif", "example:mosaic", "-o", "out.gif", *SMALL, "--temporal-weight", "0"),
    "dream": ("dream", "example:landscape", "-o", "out.png", "--size", "96", "--octaves", "2", "--iterations", "4"),
    "dream-guide": (
        *("dream", "photo.png", "-o", "out.png", "--size", "64", "--octaves", "1", "--iterations", "3"),
        *("--guide", "photo.png", "--mask", "left.png", "--content-weight", "1", "--layers", "relu3_1"),
    ),
    "dream-film": (
        *("dream", "-o", "out.gif", "--init", "noise", "--size", "64", "--octaves", "1", "--iterations", "2"),
        *("--frames", "3", "--zoom", "1.1"),
    ),
    "texture": ("texture", "example:mosaic", "-o", "out.png", *SMALL, "--style-size", "64"),
    "texture-tile": (
        *(
            "texture",
            "example:mosaic",
            "example:brushwork",
            "-o",
            "out.png",
            "--tileable",
            "--style-weights",
            "0.3,0.7",
        ),
        *("--size", "64x80", "--min-size", "64", "--initial-iterations", "5", "--style-size", "64"),
    ),
    "visualize": (
        *("visualize", "--layer", "relu3_1", "--channels", "0:3", "-o", "out.png", "--size", "64"),
        *("--iterations", "4"),
    ),
    "visualize-facets": (
        *("visualize", "--layer", "relu3_1", "--channel", "5", "-o", "made/", "--size", "64", "--iterations", "3"),
        *("--facets", "2", "--tv-weight", "0.1"),
    ),
}

RECIPES = (
    *("adain", "any_style", "cgan_mnist", "classify_clips", "classify_eurosat", "classify_mnist_augmented"),
    *("classify_shapes", "cvae_mnist", "dcgan_eurosat", "distill_features", "fast_style", "gan_mnist", "moving_mnist"),
    *("multi_style", "segment_nuclei", "segment_shapes", "vae_mnist", "vae_mnist_iwae", "vqvae_mnist", "wgan_gp_mnist"),
)
STEPS = tuple(f"--config.{name}_steps=5" for name in ("train", "eval", "checkpoint"))


def main() -> int:
    """Runs both checkouts and prints a line a job; 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=pathlib.Path)
    parser.add_argument("new", type=pathlib.Path)
    parser.add_argument("--only", default="", help="names of jobs and recipes, or parts of them")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for what they write; OLD's part is used again")
    args = parser.parse_args()
    wanted = [word for word in args.only.split(",") if word]
    names = [name for name in (*PIXEL_JOBS, *RECIPES) if not wanted or any(word in name for word in wanted)]
    place = args.keep or pathlib.Path(tempfile.mkdtemp())
    bad = 0
    for name in names:
        folders = [place / side / name for side in ("old", "new")]
        for checkout, folder in zip((args.old, args.new), folders, strict=True):
            if not (folder / "done").exists() or checkout is args.new:
                run(name, checkout.resolve(), folder)
        differences = compare(*folders)
        bad += bool(differences)
        print(f"{name}: {'; '.join(differences) or 'the same'}", flush=True)
    return bool(bad)


def run(name: str, checkout: pathlib.Path, folder: pathlib.Path) -> None:
    """One job or recipe of one checkout, in a folder of its own."""
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    folder.mkdir(parents=True)
    write_inputs(folder)
    if name in PIXEL_JOBS:
        command = ["-m", "jaxstyle.cli", *PIXEL_JOBS[name]]
    else:
        recipe = checkout / "configs" / f"{name}.py"
        command = [str(checkout / "train.py"), f"--config={recipe}:test", "--workdir=run", *STEPS]
        command += ["--config.log_steps=1", "--config.progress=off"]
    paths = {"PYTHONPATH": str(checkout), "JAX_COMPILATION_CACHE_DIR": str(folder.parent.parent / "compiled")}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=os.environ | paths, capture_output=True, text=True, check=False
    )
    (folder / "done").write_text(f"{done.returncode}\n")
    if done.returncode:
        (folder / "failed").write_text(done.stdout + done.stderr)


def write_inputs(folder: pathlib.Path) -> None:
    """A photo, two photos in a folder, masks of its halves, a film and its flow."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:72, :96] / 96
    photo = np.stack([rows, columns, np.abs(np.sin(9 * rows * columns))], -1) * 200 + rng.uniform(0, 55, (72, 96, 3))
    Image.fromarray(photo.astype(np.uint8)).save(folder / "photo.png")
    (folder / "photos").mkdir()
    (folder / "made").mkdir()
    Image.fromarray(photo.astype(np.uint8)).save(folder / "photos" / "a.png")
    Image.fromarray(photo[::-1, :80].astype(np.uint8)).save(folder / "photos" / "b.png")
    left = np.where(np.arange(96) < 48, 255, 0)[None].repeat(72, 0).astype(np.uint8)
    Image.fromarray(left).save(folder / "left.png")
    Image.fromarray(255 - left).save(folder / "right.png")
    frames = [Image.fromarray(np.roll(photo, 2 * i, 1).astype(np.uint8)) for i in range(3)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:], duration=100)
    (folder / "flow").mkdir()
    for i in (1, 2):
        flow = np.broadcast_to(np.float32([-2, 0]), (72, 96, 2))
        np.save(folder / "flow" / f"backward_{i + 1}_{i}.npy", flow)


def compare(old: pathlib.Path, new: pathlib.Path) -> list[str]:
    """What differs between two folders, in words."""
    if (old / "failed").exists() or (new / "failed").exists():
        sides = [side for side, folder in (("old", old), ("new", new)) if (folder / "failed").exists()]
        return [f"failed in {side}" for side in sides]
    if (old / "run").exists():
        return compare_states(old, new)
    names = [{str(path.relative_to(side)) for path in side.rglob("*") if path.is_file()} for side in (old, new)]
    found = [f"only in one: {name}" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        if name == "trace.jsonl" or (old / name).read_bytes() == (new / name).read_bytes():
            continue
        with Image.open(old / name) as before, Image.open(new / name) as after:
            same = np.array_equal(np.asarray(before), np.asarray(after))
        found.append(f"{name} differs" + (" in its metadata alone" if same else ""))
    return found


def compare_states(old: pathlib.Path, new: pathlib.Path) -> list[str]:
    """What differs between two workdirs' newest checkpoints."""
    leaves = [read_leaves(side / "run" / "checkpoints" / "5" / "default") for side in (old, new)]
    found = [f"only in one: {name}" for name in sorted(leaves[0].keys() ^ leaves[1].keys())]
    return found + [
        f"{name} differs"
        for name in sorted(leaves[0].keys() & leaves[1].keys())
        if leaves[0][name].tobytes() != leaves[1][name].tobytes()
    ]


def read_leaves(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """A checkpoint's arrays by name."""
    import jax
    import orbax.checkpoint as ocp

    tree = ocp.StandardCheckpointer().restore(folder.resolve())
    found = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf) for path, leaf in found}


if __name__ == "__main__":
    sys.exit(main())
