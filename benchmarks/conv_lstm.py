"""Seconds of whole training steps of a ConvLSTM forecaster: jaxstyle's compiled step against PyTorch.

    python benchmarks/conv_lstm.py                                         # two layers of 32 channels, batch 8
    python benchmarks/conv_lstm.py --widths 64 64 --batch 16 --rounds 7 --json results.json

A step sees ten frames of 64×64 and foresees ten, each from the one before, and is moved by the binary cross entropy of
all with Adam. Both sides begin with the same parameters and clips and are first checked to compute the same loss, at
the first step and after its update. They take turns, a round of steps each, in one process. Without PyTorch, jaxstyle
runs alone. Nothing is downloaded.
"""

from __future__ import annotations

import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # both sides share the GPU

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from measuring import show, table, take_turns, why_no_peer

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))  # measure this checkout, installed or not

HEADS = {"widths": "{widths}", "batch": "{batch}", "jaxstyle s": "{jaxstyle_s}", "torch s": "{torch_s}"}
HEADS |= {"ratio": "{ratio}", "loss diff": "{difference}", "compile s": "{compile_s}", "temp MiB": "{temp}"}


def check(ours: Any, peer: Any) -> float:
    """How far apart the losses of the first two steps are, the larger of the two, relative; above 1e-3 it ends all.

    The second is that of the parameters after the first update, and so checks the gradients as well.
    """
    difference = max(abs(b / a - 1) for a, b in zip(ours.first_losses, peer.first_losses, strict=True))
    tolerance = 1e-3 if ours.device.platform == "cpu" else 2e-2  # a GPU rounds to TF32
    if not difference <= tolerance:
        sys.exit(f"not the same step: losses are {ours.first_losses} in jaxstyle, {peer.first_losses} in PyTorch")
    return difference


def measure(widths: tuple[int, ...], batch: int, rounds: int, unroll: str, alone: bool) -> dict[str, Any]:
    """The row of the table."""
    from conv_lstm_ours import Ours

    ours = Ours(widths, batch, unroll)
    row = {"widths": "-".join(map(str, widths)), "batch": batch, "device": ours.device.device_kind}
    row |= {"compile_s": ours.compile_seconds, "temp_bytes": ours.temporaries}
    sides: dict[str, Any] = {"jaxstyle": ours}
    if not alone:
        from conv_lstm_torch import Peer

        sides["torch"] = Peer(ours.start)
        row["loss_difference"] = check(ours, sides["torch"])
    return row | take_turns(sides, rounds)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row's numbers as the table shows them, n/a where there is none."""
    out = {"widths": row["widths"], "batch": row["batch"], "ratio": show(row.get("ratio"), ".3f")}
    out |= {f"{side}_s": show(row["seconds"].get(side), ".3f") for side in ("jaxstyle", "torch")}
    out["difference"], out["compile_s"] = show(row.get("loss_difference"), ".0e"), show(row["compile_s"], ".1f")
    return out | {"temp": show(row["temp_bytes"], ".0f", 2**20)}


def main() -> None:
    """Reads the options, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=(32, 32), help="channels of each layer (32 32)")
    parser.add_argument("--batch", type=int, default=8, help="clips a step (8)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side (7)")
    parser.add_argument("--unroll", default="auto", help="steps of time: auto, on or off (auto)")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    args = parser.parse_args()
    reason = why_no_peer()
    print(f"jaxstyle alone: {reason}" if reason else "jaxstyle and PyTorch take turns", file=sys.stderr)
    row = measure(tuple(args.widths), args.batch, args.rounds, args.unroll, bool(reason))
    table([flat(row)], HEADS)
    if args.json:
        args.json.write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()
