"""Seconds of whole U-Net training steps: jaxstyle's compiled step against the same network in PyTorch.

    python benchmarks/unet.py                                    # 128 px, batch 8, and 256 px, batch 4, width 16
    python benchmarks/unet.py --cases 128x8 --width 64 --rounds 11 --json results.json

A step is an update by cross entropy and Dice loss and Adam, with batch normalisation after every 3×3 convolution. Both
sides begin with the same parameters and pictures and are first checked to compute the same loss, before and after an
update. They take turns, a round of steps each, in one process. Without PyTorch, jaxstyle runs alone. Nothing is
downloaded.
"""

from __future__ import annotations

import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # both sides share the GPU

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from measuring import show, table, take_turns, why_no_peer

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))  # measure this checkout, installed or not

HEADS = {"px": "{size}", "batch": "{batch}", "width": "{width}", "jaxstyle s": "{jaxstyle_s}", "torch s": "{torch_s}"}
HEADS |= {"ratio": "{ratio}", "loss diff": "{difference}", "compile s": "{compile_s}", "temp MiB": "{temp}"}


def pictures(size: int, batch: int) -> dict[str, np.ndarray]:
    """Noise `[N, size, size, 3]` with a brighter disc in each picture, and the discs as masks `[N, size, size]`."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    centres, radii = rng.uniform(0, size, (2, batch, 1, 1)), rng.uniform(size / 8, size / 3, (batch, 1, 1))
    masks = ((y - centres[0]) ** 2 + (x - centres[1]) ** 2 < radii**2).astype(np.uint8)
    return {"image": rng.integers(0, 156, (batch, size, size, 3), np.uint8) + 100 * masks[..., None], "mask": masks}


def check(ours: Any, peer: Any) -> float:
    """How far apart the losses of the first two steps are, relative; ends the program above 1e-3.

    The second is after an update, and so checks the gradients as well.
    """
    ours.step()
    losses = [ours.first_loss, float(ours.metrics["loss"])]
    difference = max(abs(b / a - 1) for a, b in zip(losses, peer.first_losses, strict=True))
    tolerance = 1e-3 if ours.device.platform == "cpu" else 2e-2  # a GPU rounds to TF32
    if not difference <= tolerance:
        sys.exit(f"not the same step: losses are {losses} in jaxstyle, {peer.first_losses} in PyTorch")
    return difference


def measure(size: int, batch: int, width: int, rounds: int, alone: bool) -> dict[str, Any]:
    """One row of the table."""
    from task_step import TaskStep

    from jaxstyle.tasks import segment

    config, examples = segment.defaults(), pictures(size, batch)
    config.update(batch_size=batch, devices=1)
    config.data.mask_classes = ("background", "object")
    config.model.width = width
    ours = TaskStep(segment, config, examples)
    row = {"size": size, "batch": batch, "width": width, "device": ours.device.device_kind}
    row |= {"compile_s": ours.compile_seconds, "temp_bytes": ours.temporaries}
    sides: dict[str, Any] = {"jaxstyle": ours}
    if not alone:
        from unet_torch import Peer

        sides["torch"] = Peer(ours.start["params"], examples, config.optimizer.learning_rate)
        row["loss_difference"] = check(ours, sides["torch"])
    return row | take_turns(sides, rounds)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row's numbers as the table shows them, n/a where there is none."""
    out = {**{name: row[name] for name in ("size", "batch", "width")}, "ratio": show(row.get("ratio"), ".3f")}
    out |= {f"{side}_s": show(row["seconds"].get(side), ".4f") for side in ("jaxstyle", "torch")}
    out["difference"], out["compile_s"] = show(row.get("loss_difference"), ".0e"), show(row["compile_s"], ".1f")
    return out | {"temp": show(row["temp_bytes"], ".0f", 2**20)}


def main() -> None:
    """Reads the options, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="128x8,256x4", help="side of the pictures in px x examples a step")
    parser.add_argument("--width", type=int, default=16, help="channels at full size (16)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side (7)")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    args = parser.parse_args()
    reason = why_no_peer()
    print(f"jaxstyle alone: {reason}" if reason else "jaxstyle and PyTorch take turns", file=sys.stderr)
    cases = [map(int, case.split("x")) for case in args.cases.split(",")]
    rows = [measure(size, batch, args.width, args.rounds, bool(reason)) for size, batch in cases]
    table([flat(row) for row in rows], HEADS)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
