"""Seconds and memory of whole stylisation iterations: jaxstyle's loop against a plain PyTorch loop.

    python benchmarks/stylize.py                                              # CPU: both losses at 128, 256, 512 px
    python benchmarks/stylize.py --sizes 256 --losses gram --rounds 11 --json results.json
    python benchmarks/stylize.py --sizes 512,1024,2048 --dtype float32,bfloat16                        # on a GPU
    python benchmarks/stylize.py --cold                                       # the start of a fresh process instead

Both sides run the same random VGG-19 on the same pictures, sizes and losses, and are first checked to compute the
same loss. They take turns, a round of iterations each, in one process; the table has medians over the rounds. Peak
memory is measured in a child process for each side. Without PyTorch, jaxstyle runs alone. Nothing is downloaded.
"""

from __future__ import annotations

import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # both sides share the GPU

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from case import Case, flops, peak_flops
from measuring import peak_resident, show, table, take_turns, turn, why_no_peer

HERE = Path(__file__).resolve()
sys.path.insert(1, str(HERE.parents[1]))  # measure this checkout, installed or not
CHILD_ITERATIONS = 3


def make(side: str, case: Case) -> Any:
    """A side of the benchmark, ready to step; only its own framework is imported."""
    if side == "jaxstyle":
        from ours import Ours

        return Ours(case)
    from peer_torch import Peer

    return Peer(case)


def differences(case: Case, ours: Any, peer: Any) -> dict[str, float]:
    """How far apart the first losses are, relative; ends the program where they are not the same loss.

    `loss_difference` is with exact roots on both sides. `root_difference` is with the root that the peer's steps
    compute: what twelve Newton-Schulz iterations leave of error (nothing for Gram).
    """
    difference = peer.first_loss / ours.first_loss - 1
    tolerance = 1e-3 if case.loss == "gram" else 2e-2  # factors of ill-conditioned covariances in float32
    if case.dtype == "bfloat16" or ours.device.platform != "cpu":  # which rounds to bfloat16 or TF32
        tolerance = 5e-2
    if not abs(difference) <= tolerance:
        sys.exit(f"{case}: not the same loss: jaxstyle {ours.first_loss}, PyTorch {peer.first_loss}")
    return {"loss_difference": difference, "root_difference": peer.approximate_loss / peer.first_loss - 1}


def measure(case: Case, names: list[str], rounds: int, memory: bool) -> dict[str, Any]:
    """One row of the table."""
    sides = {name: make(name, case) for name in names}
    ours = sides["jaxstyle"]
    device_kind = ours.device.device_kind
    row = {**case._asdict(), "device": device_kind, "compile_s": ours.compile_seconds, "temp_bytes": ours.temporaries}
    if "torch" in sides:
        row |= differences(case, ours, sides["torch"])
    row |= take_turns(sides, rounds)
    best = peak_flops(device_kind, case.dtype)
    row["flops_s"] = flops(case.size) / row["seconds"]["jaxstyle"]
    row["peak_share"] = row["flops_s"] / best if best else None
    row["memory"] = {name: child("memory", name, case) for name in names} if memory else {}
    return row


def child(job: str, side: str, case: Case, cache: str = "") -> dict[str, Any]:
    """What a fresh process says of itself."""
    command = [sys.executable, str(HERE), "--child", json.dumps([job, side, case, cache, time.time()])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the child process for {job} of {side} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def run_child(job: str, side: str, case: Case, cache: str, began: float) -> dict[str, Any]:
    """The child's part: its peak memory after some iterations, or the seconds from its start to the first one."""
    if job == "memory":
        running = make(side, case)
        turn(running, CHILD_ITERATIONS)
        return {"rss": peak_resident(), "device": running.device_memory()}
    import jax

    if cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    from ours import run_once

    first: list[float] = []
    run_once(case, lambda report: first.append(time.time() - began))
    return {"seconds": first[0]}


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row's numbers as the table shows them, n/a where there is none."""
    out = {name: row[name] for name in ("size", "loss", "dtype")}
    for side in ("jaxstyle", "torch"):
        memory = row["memory"].get(side, {})
        out[f"{side}_s"] = show(row["seconds"].get(side), ".4f")
        out[f"{side}_rss"] = show(memory.get("rss"), ".0f", 2**20)
        out[f"{side}_device"] = show(memory.get("device"), ".0f", 2**20)
    out["ratio"] = show(row.get("ratio"), ".3f")
    out["difference"] = show(row.get("loss_difference"), ".0e")
    out["root"] = show(row.get("root_difference"), ".0%")
    out["compile_s"], out["temp"] = show(row["compile_s"], ".1f"), show(row["temp_bytes"], ".0f", 2**20)
    out["rate"], out["share"] = show(row["flops_s"], ".2f", 1e12), show(row["peak_share"], ".1%")
    return out


HEADS = {"px": "{size}", "loss": "{loss}", "dtype": "{dtype}", "jaxstyle s": "{jaxstyle_s}", "torch s": "{torch_s}"}
HEADS |= {"ratio": "{ratio}", "loss diff": "{difference}", "root diff": "{root}"}
HEADS |= {"compile s": "{compile_s}", "temp MiB": "{temp}"}
HEADS |= {"RSS MiB jaxstyle": "{jaxstyle_rss}", "torch": "{torch_rss}"}
HEADS |= {"device MiB jaxstyle": "{jaxstyle_device}", "torch ": "{torch_device}"}
HEADS |= {"TFLOP/s": "{rate}", "of peak": "{share}"}


def cold(sizes: list[int], loss: str, dtype: str, rounds: int) -> list[dict[str, Any]]:
    """Seconds from a process's start to its first iteration, without and with the persistent compilation cache."""
    rows = []
    for size in sizes:
        case = Case(size, loss, dtype)
        seconds: dict[str, list[float]] = {"none": [], "filling": [], "filled": []}
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                for name, cache in (("none", ""), ("filling", folder), ("filled", folder)):
                    seconds[name].append(child("cold", "jaxstyle", case, cache)["seconds"])
        rows.append({**case._asdict(), **{name: statistics.median(values) for name, values in seconds.items()}})
    heads = {"px": "{size}", "loss": "{loss}", "dtype": "{dtype}", "no cache s": "{none:.1f}"}
    table(rows, heads | {"filling the cache s": "{filling:.1f}", "cache filled s": "{filled:.1f}"})
    return rows


def main() -> None:
    """Reads the options, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", help="sides of the square pictures in px (128,256,512; with --cold 512)")
    parser.add_argument("--losses", default="gram,wasserstein", help="gram, wasserstein")
    parser.add_argument("--dtype", default="float32", help="float32, bfloat16")
    parser.add_argument("--rounds", type=int, help="turns of each side (7; with --cold 1)")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    parser.add_argument("--no-memory", action="store_true", help="leave out the child processes that measure memory")
    parser.add_argument("--cold", action="store_true", help="time to the first iteration of a fresh process instead")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        job, side, case, cache, began = args.child
        print(json.dumps(run_child(job, side, Case(*case), cache, began)))
        return
    sizes = [int(size) for size in (args.sizes or ("512" if args.cold else "128,256,512")).split(",")]
    cases = [Case(s, loss, d) for d in args.dtype.split(",") for loss in args.losses.split(",") for s in sizes]
    if args.cold:
        rows = [row for case in cases for row in cold([case.size], case.loss, case.dtype, args.rounds or 1)]
    else:
        reason = why_no_peer()
        print(f"jaxstyle alone: {reason}" if reason else "jaxstyle and PyTorch take turns", file=sys.stderr)
        names = ["jaxstyle"] if reason else ["jaxstyle", "torch"]
        rows = [measure(case, names, args.rounds or 7, not args.no_memory) for case in cases]
        table([flat(row) for row in rows], HEADS)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    from jaxstyle.runtime import huge_pages

    huge_pages.restart()  # as the command line does; both sides are in this process
    main()
