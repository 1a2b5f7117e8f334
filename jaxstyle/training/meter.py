"""The speed of a run, its waiting for data, and the metrics that are still on the devices."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import jax
from etils import epath

T = TypeVar("T")

PROFILE_AFTER = 10  # steps before the profile begins, which compile


class Meter:
    """Counts time and steps, and keeps the metrics of steps until they are fetched.

    Args:
      batch_size: Examples in a step, over all devices and processes.
      step: Steps taken before.
    """

    def __init__(self, batch_size: int, step: int):
        self.batch_size, self.step = batch_size, step
        self.pending: list[Any] = []
        self.restart()

    def restart(self) -> None:
        """Counts time and steps from now on."""
        self.began, self.waited, self.counted = time.perf_counter(), 0.0, 0

    def waiting(self, make: Callable[..., T], *arguments: Any) -> T:
        """Calls `make`, whose time counts as waiting for data; returns its result."""
        since = time.perf_counter()
        made = make(*arguments)
        self.waited += time.perf_counter() - since
        return made

    def took(self, metrics: Any) -> None:
        """Notes that a step was begun; waits for the one before, so that never more than two are in flight."""
        self.pending.append(metrics)
        self.step, self.counted = self.step + 1, self.counted + 1
        if len(self.pending) > 1:
            jax.block_until_ready(self.pending[-2])

    def fetch(self) -> tuple[list[Any], dict[str, float]]:
        """Fetches the metrics kept so far; and examples a second, seconds a step and the share of waiting for data."""
        fetched, self.pending = jax.device_get(self.pending), []
        seconds, counted = max(time.perf_counter() - self.began, 1e-9), self.counted
        speed = {
            "examples_per_second": self.batch_size * counted / seconds,
            "seconds_per_step": seconds / max(counted, 1),
            "waiting_for_data": self.waited / seconds,
        }
        self.restart()
        return fetched, speed


class Profiler:
    """Traces some steps for TensorBoard's profile page, soon after the run begins.

    Args:
      folder: To write to.
      first: Step with which the run begins.
      last: Step with which it ends; where it is short the trace begins sooner.
      count: Steps to trace; 0 for none.
    """

    def __init__(self, folder: epath.Path, first: int, last: int, count: int):
        self.folder, self.begin = folder, first + max(0, min(PROFILE_AFTER, last - first - count))
        self.end = self.begin + count
        self.active = False

    def before(self, step: int) -> None:
        """Begins or ends the trace where it is due; called before every step."""
        if step == self.begin < self.end:
            jax.profiler.start_trace(str(self.folder))
            self.active = True
        elif step == self.end:
            self.close()

    def close(self) -> None:
        """Ends the trace if it is under way."""
        if self.active:
            jax.profiler.stop_trace()
            self.active = False
