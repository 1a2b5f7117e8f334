"""Times of frames: an even rate, or how long each frame lasts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Timing = Fraction | float | Sequence[Fraction]
"""Frames a second, or how long each frame lasts, in seconds."""
TOLERANCE = 0.001  # seconds; Matroska rounds times to thousandths


def is_even(timing: Timing) -> TypeIs[Fraction | float]:
    """Tells whether a timing is a rate, at which all frames last as long."""
    return isinstance(timing, Fraction | float | int)


class Clock:
    """Tells how much time the frames written so far take, in whole ticks, without drift.

    Args:
      timing: The frames' timing.
      ticks: Ticks a second.
    """

    def __init__(self, timing: Timing, ticks: int):
        self.timing, self.ticks, self.frames = timing, ticks, 0
        self.ends = [] if is_even(timing) else list(itertools.accumulate(timing))

    def next(self) -> int:
        """Counts one more frame; returns when it ends, in ticks since the first began."""
        self.frames += 1
        if self.ends:
            return round(self.ticks * self.ends[self.frames - 1])
        return round(self.ticks * self.frames / self.timing)  # type: ignore[operator]


def durations(times: Sequence[float], last: float) -> tuple[Fraction, ...]:
    """Returns how long frames shown at `times` last, in seconds, to microseconds; the last one lasts `last`."""
    stamps = [round(time * 1_000_000) for time in (*times, times[-1] + last)]
    return tuple(Fraction(after - before, 1_000_000) for before, after in itertools.pairwise(stamps))


def even_rate(times: Sequence[float], told: Sequence[Fraction]) -> Fraction | None:
    """Finds the frames a second of frames shown at rising `times` in seconds; `told` are the rates in the file.

    It is the first rate, of those told and the mean one, at which every frame comes within a millisecond of its time;
    None where there is none.
    """
    since, rates = np.subtract(times, times[0]), list(told)
    if since[-1] > 0:
        rates.append(Fraction((len(times) - 1) / since[-1]).limit_denominator(1001))
    even = np.arange(len(times))
    return next((rate for rate in rates if np.all(np.abs(since - even / float(rate)) < TOLERANCE)), None)
