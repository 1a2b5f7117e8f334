"""Makes the pictures of docs/recipes.md: `python docs/gallery/recipes.py [--test] [NAME …]`.

Each is what a recipe itself shows: a pixel job at a small size, a training after so few steps that one core takes
minutes, or an hour; docs/recipes.md says how many. Runs lie in `runs/gallery`, and go on where they stopped; EuroSAT's
pictures are looked for in `runs/gallery/EuroSAT_RGB`, photos in `runs/gallery/photos`: those in its `test` are shown.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib

import numpy as np

import jaxstyle
from jaxstyle import cli
from jaxstyle.media.image_resizing import fit_size, resize

HERE = pathlib.Path(__file__).parent
RUNS = pathlib.Path("runs/gallery")
DATA = pathlib.Path(os.environ.get("JAXSTYLE_TEST_DATA", "data")) / "datasets"
WIDTH = 480
"""Widest picture, in pixels."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """The part of a run that is shown.

    Attributes:
      flags: Flags of the run.
      pictures: Pattern of the pictures in the workdir, of which the last by name is shown.
      crop: Height and width to keep from the upper left, in pixels; 0 keeps all.
    """

    flags: tuple[str, ...]
    pictures: str = "*.png"
    crop: tuple[int, int] = (0, 0)


def training(
    steps: int, name: str, *flags: str, crop: tuple[int, int] = (0, 0), evaluated: str = "test[:640]"
) -> Shown:
    """The pictures of a name that a training shows after its last step, evaluated on few examples."""
    lengths = (f"--config.train_steps={steps}", f"--config.eval_steps={steps}", f"--config.data.eval_split={evaluated}")
    return Shown((*lengths, *flags), f"pictures/{name}-*.png", crop)


NUCLEI = (f"--config.data.folder={DATA}/dsb2018_nuclei/images", f"--config.data.masks={DATA}/dsb2018_nuclei/instances")
PHOTOS = "--config.data.folder=runs/gallery/photos"
LAND = "--config.data.folder=runs/gallery/EuroSAT_RGB"
STARRY = str(HERE / "paintings" / "starry_night.jpg")
RECIPES = {
    "style_transfer": Shown(("--config.size=256",)),
    "texture": Shown(("--config.size=384x192",)),
    "deep_dream": Shown(("--config.size=256",)),
    "feature_visualization": Shown(("--config.channels=0:6", "--config.size=96"), "atlas.png"),
    "fast_style": training(700, "stylised", PHOTOS, f"--config.styles=('{STARRY}',)", evaluated="test[:8]"),
    "multi_style": training(700, "stylised", PHOTOS, evaluated="test[:8]"),
    "gan_mnist": training(43_125, "samples"),
    "cgan_mnist": training(5000, "samples"),
    "r3gan_mnist": training(11_000, "samples", "--config.data.name=stacked_mnist"),
    "stylegan2_mnist": training(10_312, "samples"),
    "wgan_gp_mnist": training(1500, "samples"),
    "dcgan_eurosat": training(2400, "samples", LAND),
    "cgan_eurosat": training(2400, "samples", LAND),
    "vae_mnist": training(5000, "traversals"),
    "vae_mnist_iwae": training(3000, "samples"),
    "cvae_mnist": training(5000, "samples"),
    "vqvae_mnist": training(3000, "samples"),
    "classify_shapes": training(500, "confusion", evaluated="test"),
    "classify_mnist": training(4688, "confusion", evaluated="test"),
    "classify_mnist_augmented": training(4688, "confusion", evaluated="test"),
    "classify_eurosat": training(600, "confusion", LAND, evaluated="test"),
    "segment_shapes": training(1000, "overlays"),
    "segment_nuclei": training(1972, "overlays", *NUCLEI, crop=(260, 0), evaluated="test"),
    "translate_digits": training(22_500, "to_a", crop=(137, 0), evaluated="test"),
    "translate_shapes": training(9000, "to_b", crop=(137, 0), evaluated="test"),
    "moving_mnist": training(1800, "strips", crop=(192, 0), evaluated="test[:64]"),
    "classify_clips": training(1000, "confusion"),
}
"""By name, the recipes that have a picture."""


def picture(name: str, test: bool) -> np.ndarray:
    """Runs a recipe, or its `:test` variant, and returns the picture `[H, W, 3]` to be shown."""
    shown, workdir = RECIPES[name], RUNS / (f"{name}-test" if test else name)
    flags = () if test else shown.flags
    status = cli.main(["train", f"{name}:test" if test else name, "--workdir", str(workdir), *flags])
    if status:
        raise SystemExit(status)
    height, width = shown.crop
    made = jaxstyle.read_picture(max(workdir.glob(shown.pictures))).rgb
    return made[: height or None, : width or None]


def main() -> None:
    """Makes the pictures of the recipes that are named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)} (default: all)")
    parser.add_argument("--test", action="store_true", help="the `:test` variants, which take seconds")
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent / "pictures" / "recipes", help="folder")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    for name in args.names or RECIPES:
        made = picture(name, args.test)
        if made.shape[1] > WIDTH:
            made = resize(made, *fit_size(*made.shape[:2], WIDTH))
        jaxstyle.write_picture(args.output / f"{name}.jpg", made)
        print(args.output / f"{name}.jpg", flush=True)


if __name__ == "__main__":
    main()
