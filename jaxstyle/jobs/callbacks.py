"""Callbacks of a run: a progress bar, a trace file, intermediate pictures, a history, the snapshot for resuming.

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
        values = {name: [float(f"{v:.9g}") for v in term] for name, term in sorted(terms.items())}
        yield {
            "scale": report.plan[report.stage].scale,
            "iteration": first + i,
            "seconds": round(report.seconds, 3),
            **{name: alone(value) for name, value in values.items()},
        }


class History(list[dict[str, Any]]):
    """All rows of a run, as a list."""

    def __call__(self, report: Report) -> None:
        self.extend(rows(report))


class Trace:
    """JSON lines: one a step, with the bytes of memory in use (device) or at most used so far (host).

    Args:
      file: To write to.
      pictures: Their names, which every line repeats: `picture` is one name, or as long a list as every term.
    """

    def __init__(self, file: TextIO, pictures: Sequence[str]):
        self.file, self.pictures = file, pictures

    def __call__(self, report: Report) -> None:
        about = {"picture": alone(self.pictures)}
        memory = memory_in_use()
        for row in rows(report):
            self.file.write(json.dumps({**about, **row, **memory}) + "\n")
        self.file.flush()


def alone(values: Sequence[Any]) -> Any:
    """The only value, or all of them as a list."""
    return values[0] if len(values) == 1 else list(values)


def rewind(file: TextIO, pictures: Sequence[str], at: tuple[int, int]) -> None:
    """Takes out of a trace the steps of these pictures after `at`, (scale, iteration), which will come again."""

    def stays(line: str) -> bool:
        try:
            row = json.loads(line)
        except ValueError:  # cut short when the run was killed
            return False
        ours = isinstance(row, dict) and row.get("picture") == alone(pictures)
        return not ours or (row["scale"], row["iteration"]) <= at

    file.seek(0)
    kept = [line for line in file if stays(line)]
    file.seek(0)
    file.truncate()
    file.writelines(kept)


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
    """A progress bar on stderr over all scales; where stderr is no terminal, a line every tenth of a long run.

    Args:
      plan: The run's stages.
      done: Steps that an earlier run has taken.
      shown: None shows the bar only where stderr is a terminal, and lines elsewhere; False shows nothing.
    """

    LEAST = 10.0
    """Seconds between two lines."""

    def __init__(self, plan: Sequence[Stage], done: int = 0, shown: bool | None = None):
        total = iterations_before(plan, len(plan))
        disable = None if shown is None else not shown
        self.bar = tqdm(total=total, initial=done, unit="it", disable=disable, dynamic_ncols=True, desc="compiling")
        self.lines = shown is None and self.bar.disable
        self.tenth, self.began = 10 * done // max(1, total), time.monotonic()
        self.told = self.began

    def __call__(self, report: Report) -> None:
        stage = report.plan[report.stage]
        self.bar.set_description(f"{stage.width}×{stage.height}", refresh=False)
        self.bar.set_postfix(loss=f"{np.mean(report.terms[-1]['loss']):.4g}", refresh=False)
        done = iterations_before(report.plan, report.stage) + report.iteration
        self.bar.update(done - self.bar.n)
        if self.lines:
            self.tell(done, stage)
        if report.iteration == stage.iterations and report.stage + 1 < len(report.plan):
            self.bar.set_description("compiling")

    def tell(self, done: int, stage: Stage) -> None:
        """Prints a line where another tenth of the steps is done, and the last line is not just printed."""
        now, tenth = time.monotonic(), 10 * done // max(1, self.bar.total)
        if tenth > self.tenth and now - self.told >= self.LEAST:
            seconds = f"{now - self.began:.0f} s"
            print(
                f"jaxstyle: {10 * tenth} % done, {stage.width}×{stage.height}, {seconds}", file=sys.stderr, flush=True
            )
            self.tenth, self.told = tenth, now

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()


class PictureSaver:
    """Calls `keep(pictures, label)` every `every` steps of a stage; the label is `0128px-0050`.

    The loop must pause as often (`optimize(..., pause_every=every)`), so that the pictures are of that very step.
    """

    def __init__(self, every: int, keep: Callable[[np.ndarray, str], None]):
        self.every, self.keep = every, keep

    def __call__(self, report: Report) -> None:
        if report.iteration % self.every == 0:
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
