"""Seconds of whole training steps of the classifiers: jaxstyle's compiled step against the same networks in PyTorch.

    python benchmarks/classify.py                                # the small CNN at 28 px, ResNet-20 at 64 px, batch 64
    python benchmarks/classify.py --networks resnet --size 32 --rounds 11 --json results.json

Both sides begin with the same parameters and pictures, take Adam's steps on the cross entropy, and are first checked
to compute the same loss. They take turns, a round of steps each, in one process. Without PyTorch, jaxstyle runs alone.
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

SHAPES = {"cnn": (28, 28, 1), "resnet": (64, 64, 3)}
HEADS = {"network": "{network}", "px": "{size}", "batch": "{batch}", "jaxstyle s": "{jaxstyle_s}"}
HEADS |= {"torch s": "{torch_s}", "ratio": "{ratio}", "loss diff": "{difference}", "compile s": "{compile_s}"}


def measure(network: str, shape: tuple[int, ...], batch: int, rounds: int, alone: bool) -> dict[str, Any]:
    """One row of the table; ends the program where the sides do not compute the same."""
    from task_step import TaskStep

    from jaxstyle.tasks import classify

    config = classify.defaults()
    config.update(batch_size=batch, devices=1)
    config.model.name = network
    rng = np.random.default_rng(0)
    examples = {
        "image": rng.integers(0, 256, (batch, *shape), np.uint8),
        "label": np.arange(batch, dtype=np.int32) % 10,
    }
    ours = TaskStep(classify, config, examples, tuple(map(str, range(10))))
    sides: dict[str, Any] = {"jaxstyle": ours}
    row = {"network": network, "size": shape[0], "batch": batch, "device": ours.device.device_kind}
    row |= {"compile_s": ours.compile_seconds}
    if not alone:
        from classify_torch import Peer

        sides["torch"] = Peer(network, ours.start["params"], examples, config.optimizer.learning_rate)
        row["loss_difference"] = abs(sides["torch"].first_loss / ours.first_loss - 1)
        if not row["loss_difference"] <= (1e-4 if ours.device.platform == "cpu" else 2e-2):  # a GPU rounds to TF32
            sys.exit(f"not the same step: {ours.first_loss} in jaxstyle, {sides['torch'].first_loss} in PyTorch")
    return row | take_turns(sides, rounds)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row's numbers as the table shows them, n/a where there is none."""
    out = {name: row[name] for name in ("network", "size", "batch")}
    out |= {f"{side}_s": show(row["seconds"].get(side), ".4f") for side in ("jaxstyle", "torch")}
    out["ratio"], out["difference"] = show(row.get("ratio"), ".3f"), show(row.get("loss_difference"), ".0e")
    return out | {"compile_s": show(row["compile_s"], ".1f")}


def main() -> None:
    """Reads the options, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default="cnn,resnet", help="cnn, resnet (both)")
    parser.add_argument("--size", type=int, default=0, help="side of the square pictures in px (28 and 64)")
    parser.add_argument("--batch", type=int, default=64, help="examples a step (64)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side (7)")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    args = parser.parse_args()
    reason = why_no_peer()
    print(f"jaxstyle alone: {reason}" if reason else "jaxstyle and PyTorch take turns", file=sys.stderr)
    shapes = {name: SHAPES[name] for name in args.networks.split(",")}
    if args.size:
        shapes = {name: (args.size, args.size, shape[2]) for name, shape in shapes.items()}
    rows = [measure(name, shape, args.batch, args.rounds, bool(reason)) for name, shape in shapes.items()]
    table([flat(row) for row in rows], HEADS)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
