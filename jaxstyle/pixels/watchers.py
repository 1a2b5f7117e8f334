"""Who watches a run: a progress bar, a trace file, intermediate pictures, a history, the snapshot for resuming.

Each is called with the loop's `Report`s.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO

import jax
import numpy as np
from tqdm import tqdm

from jaxstyle.pixels.loop import Report, Snapshot
from jaxstyle.pixels.schedule import Stage


def iterations_before(plan: Sequence[Stage], stage: int) -> int:
    """Steps in all stages before this one."""
    return sum(earlier.iterations for earlier in plan[:stage])


def rows(report: Report) -> Iterator[dict[str, Any]]:
    """One dict a step: scale, iteration within it, seconds, and every term (a list when there are several pictures)."""
    first = report.iteration - len(report.terms) + 1
    for i, terms in enumerate(report.terms):
        values = {name: [round(float(v), 9) for v in term] for name, term in sorted(terms.items())}
        yield {
            "scale": report.plan[report.stage].scale,
            "iteration": first + i,
            "seconds": round(report.seconds, 3),
            **{name: value[0] if len(value) == 1 else value for name, value in values.items()},
        }


class History(list[dict[str, Any]]):
    """All rows of a run, as a list."""

    def __call__(self, report: Report) -> None:
        self.extend(rows(report))


class Trace:
    """JSON lines: one a step, with the bytes of memory in use (device) or at most used so far (host)."""

    def __init__(self, file: TextIO):
        self.file = file

    def __call__(self, report: Report) -> None:
        memory = memory_in_use()
        for row in rows(report):
            self.file.write(json.dumps({**row, **memory}) + "\n")
        self.file.flush()


def memory_in_use() -> dict[str, int]:
    """`device_memory` in bytes where the device tells, else `host_memory`, the process's peak."""
    statistics = jax.local_devices()[0].memory_stats()
    if statistics:
        return {"device_memory": statistics["bytes_in_use"]}
    try:
        import resource  # not on Windows
    except ImportError:
        return {}
    unit = 1 if sys.platform == "darwin" else 1024
    return {"host_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}


class Progress:
    """A progress bar on stderr over all scales.

    Args:
      plan: The run's stages.
      done: Steps that an earlier run has taken.
      shown: None shows the bar only where stderr is a terminal.
    """

    def __init__(self, plan: Sequence[Stage], done: int = 0, shown: bool | None = None):
        total = iterations_before(plan, len(plan))
        disable = None if shown is None else not shown
        self.bar = tqdm(total=total, initial=done, unit="it", disable=disable, dynamic_ncols=True, desc="compiling")

    def __call__(self, report: Report) -> None:
        stage = report.plan[report.stage]
        self.bar.set_description(f"{stage.width}×{stage.height}", refresh=False)
        self.bar.set_postfix(loss=f"{np.mean(report.terms[-1]['loss']):.4g}", refresh=False)
        self.bar.update(iterations_before(report.plan, report.stage) + report.iteration - self.bar.n)
        if report.iteration == stage.iterations and report.stage + 1 < len(report.plan):
            self.bar.set_description("compiling")

    def close(self) -> None:
        """Leaves the bar as it is."""
        self.bar.close()


class Keeper:
    """Calls `keep(pictures, label)` every `every` steps; the label is `0128px-0050`."""

    def __init__(self, every: int, keep: Callable[[np.ndarray, str], None]):
        self.every, self.keep = every, keep

    def __call__(self, report: Report) -> None:
        before = report.iteration - len(report.terms)
        if report.iteration // self.every > before // self.every:
            self.keep(report.pictures(), f"{report.plan[report.stage].scale:04d}px-{report.iteration:04d}")


class SnapshotSaver:
    """Saves a snapshot every so many seconds, so that a killed run loses no more than that."""

    def __init__(self, save: Callable[[Snapshot], None], seconds: float = 60.0):
        self.save, self.seconds = save, seconds
        self.saved = time.monotonic()

    def __call__(self, report: Report) -> None:
        if time.monotonic() - self.saved >= self.seconds:
            self.save(report.snapshot())
            self.saved = time.monotonic()
