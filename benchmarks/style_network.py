"""Seconds of one pass of the 32-style stylisation network: jaxstyle's against the same network in PyTorch.

    python benchmarks/style_network.py                              # 256, 512 and 1024 px
    python benchmarks/style_network.py --sizes 256 --batches 1,4,16 --rounds 11 --json results.json

Both sides have the same random parameters and picture, and are first checked to make the same picture. They take
turns in one process. The peer is channels last, in inference mode, upsamples plainly (as pytorch/examples does) and
pads by reflection. Without PyTorch, jaxstyle runs alone. Nothing is downloaded.
"""

from __future__ import annotations

import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # both sides share the GPU

import argparse
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

from case import peak_flops
from measuring import show, table, take_turns, why_no_peer

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))  # measure this checkout, installed or not

HEADS = {"px": "{size}", "batch": "{batch}", "jaxstyle s": "{jaxstyle_s}", "torch s": "{torch_s}", "ratio": "{ratio}"}
HEADS |= {"pictures/s": "{pictures_s}", "TFLOP/s": "{rate}", "of peak": "{share}"}
HEADS |= {"difference": "{difference}", "compile s": "{compile_s}", "temp MiB": "{temp}"}
STYLES = 32


class Ours:
    """The network as `jaxstyle apply` compiles it.

    Attributes:
      start: Parameters, pictures `[N, H, W, 3]` and weights `[1, S]`, with which the peer begins, too.
      compile_seconds: Tracing, lowering and compiling.
      temporaries: Bytes of the compiled program's scratch memory.
      flops: Of a pass.
      device_kind: Where it runs.
    """

    def __init__(self, size: int, batch: int):
        import jax
        import numpy as np

        from jaxstyle.inference.apply import program
        from jaxstyle.models.style_network import StyleNetwork

        network = StyleNetwork(STYLES)
        pictures = np.random.default_rng(0).random((batch, size, size, 3), np.float32)
        weights = np.eye(1, STYLES, dtype=np.float32)
        params = jax.jit(network.init)(jax.random.key(0), pictures[:, :16, :16], np.repeat(weights, batch, 0))["params"]
        self.start = jax.device_get(params), pictures, weights
        device = jax.local_devices()[0]
        self.device_kind, self.flops = device.device_kind, float(batch * flops(size))
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


def flops(size: int) -> int:
    """Of a pass over one picture: the convolutions as the paper has them, after plain upsampling."""
    down = [(9, 3, 32, 1), (3, 32, 64, 2), (3, 64, 128, 4)]  # kernel's side, channels in and out, what divides `size`
    up = [(3, 128, 64, 2), (3, 64, 32, 1), (9, 32, 3, 1)]
    layers = [*down, *[(3, 128, 128, 4)] * 10, *up]
    return sum(2 * side**2 * inputs * outputs * (size // by) ** 2 for side, inputs, outputs, by in layers)


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
    row |= take_turns(sides, rounds)
    row["pictures_s"], row["flops_s"] = (amount / row["seconds"]["jaxstyle"] for amount in (batch, ours.flops))
    best = peak_flops(ours.device_kind, "float32")
    return row | {"device": ours.device_kind, "peak_share": row["flops_s"] / best if best else None}


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row's numbers as the table shows them, n/a where there is none."""
    out = {"size": row["size"], "batch": row["batch"], "ratio": show(row.get("ratio"), ".3f")}
    out |= {f"{side}_s": show(row["seconds"].get(side), ".4f") for side in ("jaxstyle", "torch")}
    out["pictures_s"], out["rate"] = show(row["pictures_s"], ".1f"), show(row["flops_s"], ".3f", 1e12)
    out["share"] = show(row["peak_share"], ".1%")
    out["difference"], out["compile_s"] = show(row.get("difference"), ".0e"), show(row["compile_s"], ".1f")
    return out | {"temp": show(row["temp_bytes"], ".0f", 2**20)}


def main() -> None:
    """Reads the options, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="256,512,1024", help="sides of the square pictures in px (256,512,1024)")
    parser.add_argument("--batches", default="1", help="pictures a pass (1)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side (7)")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    args = parser.parse_args()
    reason = why_no_peer()
    print(f"jaxstyle alone: {reason}" if reason else "jaxstyle and PyTorch take turns", file=sys.stderr)
    cases = itertools.product(args.sizes.split(","), args.batches.split(","))
    rows = [measure(int(size), int(batch), args.rounds, bool(reason)) for size, batch in cases]
    table([flat(row) for row in rows], HEADS)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    from jaxstyle.runtime import huge_pages

    huge_pages.restart()  # as the command line does; both sides are in this process
    main()
