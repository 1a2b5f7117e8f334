"""Seconds of whole DCGAN training steps: jaxstyle's compiled step against the same networks in PyTorch.

    python benchmarks/dcgan.py                                   # 64 px and 32 px, batch 64
    python benchmarks/dcgan.py --sizes 64 --batch 128 --rounds 11 --json results.json

A step is an update of the discriminator and one of the generator against the new discriminator, by the
non-saturating loss and Adam, batch normalisation in both networks. Both sides begin with the same parameters, pictures
and noise and are first checked to compute the same two losses. They take turns, a round of steps each, in one
process. Without PyTorch, jaxstyle runs alone. Nothing is downloaded.
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

HEADS = {"px": "{size}", "batch": "{batch}", "jaxstyle s": "{jaxstyle_s}", "torch s": "{torch_s}", "ratio": "{ratio}"}
HEADS |= {"loss diff": "{difference}", "compile s": "{compile_s}", "temp MiB": "{temp}"}


def check(ours: Any, peer: Any) -> float:
    """How far apart the losses of the first step are, the larger of the two, relative; ends the program above 1e-3.

    The generator's is against the discriminator after its first update, and so checks the gradients as well.
    """
    difference = max(abs(b / a - 1) for a, b in zip(ours.first_losses, peer.first_losses, strict=True))
    tolerance = 1e-3 if ours.device.platform == "cpu" else 2e-2  # a GPU rounds to TF32
    if not difference <= tolerance:
        sys.exit(f"not the same step: losses are {ours.first_losses} in jaxstyle, {peer.first_losses} in PyTorch")
    return difference


def measure(size: int, batch: int, rounds: int, alone: bool) -> dict[str, Any]:
    """One row of the table."""
    from dcgan_ours import Ours

    ours = Ours(size, batch)
    row = {"size": size, "batch": batch, "device": ours.device.device_kind}
    row |= {"compile_s": ours.compile_seconds, "temp_bytes": ours.temporaries}
    sides: dict[str, Any] = {"jaxstyle": ours}
    if not alone:
        from dcgan_torch import Peer

        sides["torch"] = Peer(ours.start)
        row["loss_difference"] = check(ours, sides["torch"])
    return row | take_turns(sides, rounds)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row's numbers as the table shows them, n/a where there is none."""
    out = {"size": row["size"], "batch": row["batch"], "ratio": show(row.get("ratio"), ".3f")}
    out |= {f"{side}_s": show(row["seconds"].get(side), ".4f") for side in ("jaxstyle", "torch")}
    out["difference"], out["compile_s"] = show(row.get("loss_difference"), ".0e"), show(row["compile_s"], ".1f")
    return out | {"temp": show(row["temp_bytes"], ".0f", 2**20)}


def main() -> None:
    """Reads the options, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="64,32", help="sides of the square pictures in px (64,32)")
    parser.add_argument("--batch", type=int, default=64, help="examples a step (64)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side (7)")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    args = parser.parse_args()
    reason = why_no_peer()
    print(f"jaxstyle alone: {reason}" if reason else "jaxstyle and PyTorch take turns", file=sys.stderr)
    rows = [measure(int(size), args.batch, args.rounds, bool(reason)) for size in args.sizes.split(",")]
    table([flat(row) for row in rows], HEADS)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    from jaxstyle.runtime import huge_pages

    huge_pages.restart()  # as the command line does; both sides are in this process
    main()
