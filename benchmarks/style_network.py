"""Seconds of one pass of the 32-style stylisation network: jaxstyle's against the same network in PyTorch.

    python benchmarks/style_network.py                              # 256, 512 and 1024 px
    python benchmarks/style_network.py --sizes 512 --batch 4 --rounds 11 --json results.json

Both sides have the same random parameters and picture, and are first checked to make the same picture. They take
turns in one process. The peer is channels last, in inference mode, upsamples plainly (as pytorch/examples does) and
pads by reflection. Without PyTorch, jaxstyle runs alone. Nothing is downloaded.
"""

from __future__ import annotations

import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # both sides share the GPU

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from measuring import show, table, take_turns, why_no_peer

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))  # measure this checkout, installed or not

HEADS = {"px": "{size}", "batch": "{batch}", "jaxstyle s": "{jaxstyle_s}", "torch s": "{torch_s}", "ratio": "{ratio}"}
HEADS |= {"difference": "{difference}", "compile s": "{compile_s}", "temp MiB": "{temp}"}
STYLES = 32


class Ours:
    """The network as `jaxstyle apply` compiles it.

    Attributes:
      start: Parameters, pictures `[N, H, W, 3]` and weights `[1, S]`, with which the peer begins, too.
      compile_seconds: Tracing, lowering and compiling.
      temporaries: Bytes of the compiled program's scratch memory.
    """

    def __init__(self, size: int, batch: int):
        import jax
        import numpy as np

        from jaxstyle.feedforward.applying import program
        from jaxstyle.models.style_network import StyleNetwork

        network = StyleNetwork(STYLES)
        pictures = np.random.default_rng(0).random((batch, size, size, 3), np.float32)
        weights = np.eye(1, STYLES, dtype=np.float32)
        params = jax.jit(network.init)(jax.random.key(0), pictures[:, :16, :16], np.repeat(weights, batch, 0))["params"]
        self.start = jax.device_get(params), pictures, weights
        device = jax.local_devices()[0]
        self.arguments = jax.device_put(((pictures[None],), params, weights), device)
        self.stylise = program(network, (device,))
        began = time.perf_counter()
        compiled = self.stylise.lower(*self.arguments).compile()  # the calls below find it compiled
        self.compile_seconds = time.perf_counter() - began
        analysis = compiled.memory_analysis()
        self.temporaries = analysis.temp_size_in_bytes if analysis else None
        self.step()

    def step(self) -> None:
        """A pass."""
        self.made = self.stylise(*self.arguments)

    def wait(self) -> None:
        """Returns when the pass is done."""
        self.made.block_until_ready()


def measure(size: int, batch: int, rounds: int, alone: bool) -> dict[str, Any]:
    """One row of the table; ends the program if the two make different pictures."""
    import numpy as np

    ours = Ours(size, batch)
    row = {"size": size, "batch": batch, "compile_s": ours.compile_seconds, "temp_bytes": ours.temporaries}
    sides: dict[str, Any] = {"jaxstyle": ours}
    if not alone:
        from style_network_torch import Peer

        sides["torch"] = Peer(*ours.start)
        sides["torch"].step()
        row["difference"] = float(np.abs(np.asarray(ours.made)[0] - sides["torch"].picture()).max())
        if not row["difference"] <= 2e-2:  # a GPU rounds to TF32
            sys.exit(f"not the same picture: {row['difference']:.3g} apart")
    return row | take_turns(sides, rounds)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row's numbers as the table shows them, n/a where there is none."""
    out = {"size": row["size"], "batch": row["batch"], "ratio": show(row.get("ratio"), ".3f")}
    out |= {f"{side}_s": show(row["seconds"].get(side), ".4f") for side in ("jaxstyle", "torch")}
    out["difference"], out["compile_s"] = show(row.get("difference"), ".0e"), show(row["compile_s"], ".1f")
    return out | {"temp": show(row["temp_bytes"], ".0f", 2**20)}


def main() -> None:
    """Reads the options, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="256,512,1024", help="sides of the square pictures in px (256,512,1024)")
    parser.add_argument("--batch", type=int, default=1, help="pictures a pass (1)")
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
    main()
