"""What the benchmarks share: sides that take turns in one run, medians over the rounds, tables.

A side has `step()`, which begins an iteration, and `wait()`, which returns when all that were begun are done.
"""

from __future__ import annotations

import importlib.util
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROUND_SECONDS = 1.0  # a side's turn takes about this long, and at least one iteration
PAUSE = 0.1  # seconds between turns, for the other side's threads to fall asleep


def why_no_peer() -> str | None:
    """Why PyTorch cannot be measured beside jaxstyle, None if it can."""
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed (pip install 'jaxstyle[parity]')"
    import jax
    import torch

    if jax.default_backend() != "cpu" and not torch.cuda.is_available():
        return f"PyTorch sees no accelerator, and jaxstyle runs on {jax.devices()[0].device_kind}"
    return None


def turn(side: Any, iterations: int) -> float:
    """Seconds an iteration of some iterations in a row."""
    side.wait()
    time.sleep(PAUSE)
    began = time.perf_counter()
    for _ in range(iterations):
        side.step()
    side.wait()
    return (time.perf_counter() - began) / iterations


def take_turns(sides: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Seconds an iteration of each side, medians over rounds in which they take turns of about a second.

    Args:
      sides: Name -> side; `jaxstyle` and perhaps `torch`.
      rounds: Turns of each.

    Returns:
      `seconds`, by side, and where there are both `ratio`: the median over rounds of jaxstyle's seconds by PyTorch's.
    """
    once = {name: min(turn(side, 1), turn(side, 1)) for name, side in sides.items()}  # which also warms up
    iterations = {name: max(1, round(ROUND_SECONDS / seconds)) for name, seconds in once.items()}
    names = list(sides)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for i in range(rounds):
        for name in names if i % 2 else names[::-1]:
            seconds[name].append(turn(sides[name], iterations[name]))
    found: dict[str, Any] = {"seconds": {name: statistics.median(values) for name, values in seconds.items()}}
    if "torch" in sides:
        found["ratio"] = statistics.median(a / b for a, b in zip(seconds["jaxstyle"], seconds["torch"], strict=True))
    return found


def peak_resident() -> int:
    """Most bytes of memory this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux `ru_maxrss` is never less than what the parent held when it started this process
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def table(rows: list[dict[str, Any]], heads: dict[str, str]) -> None:
    """Prints rows as a Markdown table; `heads` maps a column's head to a format of the row."""
    cells = [list(heads), *([form.format(**row) for form in heads.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    for line in cells:
        print("| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) + " |")


def show(value: float | None, form: str, unit: float = 1) -> str:
    """A number for a table, n/a where there is none."""
    return "n/a" if value is None else format(value / unit, form)
