"""Seconds a channel of feature visualisation: one vmapped batch against one channel at a time.

    python benchmarks/visualize.py                                     # VGG-19 with random weights, 16 channels, 128 px
    python benchmarks/visualize.py --channels 64 --size 224 --dtype bfloat16                               # on a GPU
    python benchmarks/visualize.py --features my_weights.safetensors --layer relu4_1 --json results.json

Both take the loop's own compiled step on the same objective, parametrisation (Fourier) and random transforms; they
take turns of about a second, and the table has medians over the rounds. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))  # measure this checkout, installed or not

import jax
import numpy as np
from case import MEAN, STD, WIDTHS, network_weights

from jaxstyle.features import VGG, Features, load
from jaxstyle.pixels.job import Inputs
from jaxstyle.pixels.loop import compiled
from jaxstyle.pixels.method import advance, start
from jaxstyle.pixels.visualize import VisualizationConfig, points, prepare
from jaxstyle.runtime.sharding import BatchSharding

ROUND_SECONDS = 1.0


def random_features() -> Features:
    """VGG-19 as far as conv5_1 with random weights."""
    kernel, bias = np.diag(1 / np.float32(STD)), -np.float32(MEAN) / np.float32(STD)
    return Features("random VGG-19", VGG(WIDTHS), {"preprocess": {"kernel": kernel, "bias": bias}, **network_weights()})


class Side:
    """Some channels visualised at once, step by step.

    Attributes:
      count: Number of channels.
      compile_seconds: Tracing, lowering and compiling the step.
    """

    def __init__(self, config: VisualizationConfig, features: Features, indices: list[int]):
        chosen = [{"channels": str(index)} for index in indices]
        problem = prepare(config, features, Inputs(), chosen)
        sharding = BatchSharding(len(indices), jax.local_devices())
        devices, static = tuple(sharding.devices), (problem.method,)
        self.count = len(indices)
        self.step_program = compiled(advance, static, devices, in_axes=(0, 0, 0, None), donate=(0,))
        self.state = compiled(start, static, devices)(sharding.scatter(problem.start))
        data = sharding.scatter(problem.data(problem.stages[0]))
        self.rest = sharding.scatter(problem.hyper), data, sharding.replicate(problem.shared)
        began = time.perf_counter()
        self.step_program.compile(self.state, *self.rest)
        self.compile_seconds = time.perf_counter() - began

    def turn(self, steps: int) -> float:
        """Seconds a step and channel of some steps in a row."""
        jax.block_until_ready(self.state)
        began = time.perf_counter()
        for _ in range(steps):
            self.state, _ = self.step_program(self.state, *self.rest)
        jax.block_until_ready(self.state)
        return (time.perf_counter() - began) / steps / self.count


def measure(config: VisualizationConfig, features: Features, rounds: int) -> dict[str, Any]:
    """The row of the table."""
    indices = [int(point["channels"]) for point in points(config, features)]
    sides = {"batch": Side(config, features, indices), "alone": Side(config, features, indices[:1])}
    once = {name: min(side.turn(1), side.turn(1)) * side.count for name, side in sides.items()}  # which warms up
    steps = {name: max(1, round(ROUND_SECONDS / seconds)) for name, seconds in once.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for i in range(rounds):
        for name in list(sides)[:: 1 if i % 2 else -1]:
            seconds[name].append(sides[name].turn(steps[name]))
    return {
        "device": jax.local_devices()[0].device_kind,
        "features": features.name,
        "channels": len(indices),
        "size": config.size,
        "dtype": config.dtype,
        "compile_s": {name: side.compile_seconds for name, side in sides.items()},
        "seconds": {name: statistics.median(values) for name, values in seconds.items()},
        "ratio": statistics.median(a / b for a, b in zip(seconds["alone"], seconds["batch"], strict=True)),
    }


def main() -> None:
    """Reads the options, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", help="a name or a file (a VGG-19 with random weights)")
    parser.add_argument("--layer", default="relu4_1")
    parser.add_argument("--channels", type=int, default=16, help="how many at once (16)")
    parser.add_argument("--size", type=int, default=128, help="side of each picture in px (128)")
    parser.add_argument("--dtype", default="float32", help="float32 or bfloat16")
    parser.add_argument(
        "--iterations", type=int, default=256, help="steps by which seconds a channel are counted (256)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side (5)")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    args = parser.parse_args()
    config = VisualizationConfig(
        layer=args.layer, channels=f"0:{args.channels}", size=args.size, dtype=args.dtype, iterations=args.iterations
    )
    row = measure(config, load(args.features) if args.features else random_features(), args.rounds)
    print(f"{row['device']}, {row['features']}, {args.layer}, {args.size} px, {args.dtype}, {args.iterations} steps")
    for name, count in (("batch", row["channels"]), ("alone", 1)):
        seconds, compiling = row["seconds"][name] * args.iterations, row["compile_s"][name]
        print(f"{count} at a time: {seconds:.3f} s a channel, and {compiling:.1f} s to compile")
    print(f"the batch is {row['ratio']:.2f} times as fast")
    if args.json:
        args.json.write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()
