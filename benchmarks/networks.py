"""Seconds of whole training steps: jaxstyle's compiled step against the same network and step in PyTorch.

    python benchmarks/networks.py                                       # all, see CASES
    python benchmarks/networks.py --cases unet --size 256 --batch 4 --set model.width=64
    python benchmarks/networks.py --cases conv_lstm --set "model.widths=(64,64)" --rounds 11 --json results.json

Both sides begin with the same parameters and examples, take Adam's steps, and are first checked to compute the same
loss, at the first step and after its update. They take turns, a round of steps each, in one process. Without PyTorch,
jaxstyle runs alone. Nothing is downloaded.
"""

from __future__ import annotations

import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # both sides share the GPU

import argparse
import ast
import importlib
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measuring import show, table, take_turns, why_no_peer

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))  # measure this checkout, installed or not

HEADS = {"case": "{case}", "px": "{size}", "batch": "{batch}", "jaxstyle s": "{jaxstyle_s}", "torch s": "{torch_s}"}
HEADS |= {"ratio": "{ratio}", "loss diff": "{difference}", "compile s": "{compile_s}", "temp MiB": "{temp}"}


class Case(NamedTuple):
    """What is timed.

    Attributes:
      task: Its module's name in `jaxstyle.tasks`.
      peer: Module of the other side.
      size: Side of its pictures, in pixels.
      batch: Examples a step.
      changes: To the task's defaults.
    """

    task: str
    peer: str
    size: int
    batch: int
    changes: dict[str, Any]


CASES = {
    "cnn": Case("classify", "classify_torch", 28, 64, {"model.name": "cnn"}),
    "resnet": Case("classify", "classify_torch", 64, 64, {"model.name": "resnet"}),
    "unet": Case("segment", "unet_torch", 128, 8, {"data.mask_classes": ("background", "object"), "model.width": 16}),
    "cycle_gan": Case(
        "translate",
        "translate_torch",
        64,
        4,
        {
            "data.name_b": "shapes_outlined/outlined",
            "model.generator_width": 32,
            "model.blocks": 6,
            "model.discriminator_width": 32,
            "model.pool": 0,
            "optimizer.eps": 1e-4,  # else a gradient that is rounding makes a step of full length
            "discriminator_optimizer.eps": 1e-4,
        },
    ),
    "stylegan2": Case(
        "gan",
        "stylegan2_torch",
        32,
        32,
        {
            "model.architecture": "stylegan2",
            "model.generator_width": 32,
            "model.discriminator_width": 32,
            "model.mapping": 4,
            "model.r1": 0.05,
            "model.penalty_every": 4,
            "ema_decay": 0.0,
            "optimizer.b1": 0.0,
            "optimizer.b2": 0.99,
            "optimizer.eps": 1e-4,
            "discriminator_optimizer.b1": 0.0,
            "discriminator_optimizer.b2": 0.99,
            "discriminator_optimizer.eps": 1e-4,
        },
    ),
    "conv_lstm": Case("forecast", "conv_lstm_torch", 64, 8, {"model.widths": (32, 32), "model.patch": 4}),
}


def examples(task: str, config: Any, size: int, batch: int) -> dict[str, np.ndarray]:
    """Noise, with a brighter disc in each picture where there are masks."""
    rng = np.random.default_rng(0)
    if task == "classify":
        channels = 1 if config.model.name == "cnn" else 3
        images = rng.integers(0, 256, (batch, size, size, channels), np.uint8)
        return {"image": images, "label": np.arange(batch, dtype=np.int32) % 10}
    if task == "gan":
        return {"image": rng.integers(0, 256, (batch, size, size, 3), np.uint8)}
    if task == "forecast":
        frames = config.model.inputs + config.model.outputs
        return {"video": rng.integers(0, 256, (batch, frames, size, size, 1), np.uint8)}
    if task == "translate":
        return {name: rng.integers(0, 256, (batch, size, size, 3), np.uint8) for name in ("image", "image_b")}
    y, x = np.mgrid[:size, :size]
    centres, radii = rng.uniform(0, size, (2, batch, 1, 1)), rng.uniform(size / 8, size / 3, (batch, 1, 1))
    masks = ((y - centres[0]) ** 2 + (x - centres[1]) ** 2 < radii**2).astype(np.uint8)
    return {"image": rng.integers(0, 156, (batch, size, size, 3), np.uint8) + 100 * masks[..., None], "mask": masks}


def check(ours: Any, peer: Any) -> float:
    """How far apart the losses of the first two steps are, relative, the larger; above 1e-3 it ends the program.

    The second is after an update, and so checks the gradients as well.
    """
    difference = max(abs(b / a - 1) for a, b in zip(ours.first_losses, peer.first_losses, strict=True))
    tolerance = 1e-3 if ours.device.platform == "cpu" else 2e-2  # a GPU rounds to TF32
    if not difference <= tolerance:
        sys.exit(f"not the same step: losses are {ours.first_losses} in jaxstyle, {peer.first_losses} in PyTorch")
    return difference


def measure(name: str, case: Case, rounds: int, alone: bool) -> dict[str, Any]:
    """One row of the table."""
    from task_step import TaskStep

    from jaxstyle.training.config import override

    module = importlib.import_module(f"jaxstyle.tasks.{case.task}")
    config = override(module.Config(), {**case.changes, "batch_size": case.batch, "devices": 1})
    batch = examples(case.task, config, case.size, case.batch)
    ours = TaskStep(module, config, batch, tuple(map(str, range(10))) if "label" in batch else ())
    row = {"case": name, "size": case.size, "batch": case.batch, "device": ours.device.device_kind}
    row |= {"changes": case.changes, "compile_s": ours.compile_seconds, "temp_bytes": ours.temporaries}
    sides: dict[str, Any] = {"jaxstyle": ours}
    if not alone:
        sides["torch"] = importlib.import_module(case.peer).Peer(ours.start["params"], batch, config)
        row["loss_difference"] = check(ours, sides["torch"])
    return row | take_turns(sides, rounds)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row's numbers as the table shows them, n/a where there is none."""
    out = {**{name: row[name] for name in ("case", "size", "batch")}, "ratio": show(row.get("ratio"), ".3f")}
    out |= {f"{side}_s": show(row["seconds"].get(side), ".4f") for side in ("jaxstyle", "torch")}
    out["difference"], out["compile_s"] = show(row.get("loss_difference"), ".0e"), show(row["compile_s"], ".1f")
    return out | {"temp": show(row["temp_bytes"], ".0f", 2**20)}


def changed(case: Case, args: argparse.Namespace) -> Case:
    """A case as the options want it."""
    changes = dict(one.partition("=")[::2] for one in args.set)
    literal = {name: ast.literal_eval(value) for name, value in changes.items()}
    return case._replace(
        size=args.size or case.size, batch=args.batch or case.batch, changes={**case.changes, **literal}
    )


def main() -> None:
    """Reads the options, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help=f"some of {', '.join(CASES)}")
    parser.add_argument("--size", type=int, default=0, help="side of the square pictures in px (by the case)")
    parser.add_argument("--batch", type=int, default=0, help="examples a step (by the case)")
    parser.add_argument("--set", nargs="*", default=(), metavar="FIELD=VALUE", help="of the task's config")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side (7)")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    args = parser.parse_args()
    reason = why_no_peer()
    print(f"jaxstyle alone: {reason}" if reason else "jaxstyle and PyTorch take turns", file=sys.stderr)
    rows = [measure(name, changed(CASES[name], args), args.rounds, bool(reason)) for name in args.cases.split(",")]
    table([flat(row) for row in rows], HEADS)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    from jaxstyle.runtime import huge_pages

    huge_pages.restart()  # as the command line does; both sides are in this process
    main()
