"""Times of frames: ticks without drift, and which times are even."""

from fractions import Fraction

import numpy as np
import pytest

from jaxstyle.media.timing import Clock, durations, even_rate, is_even


def test_a_clock_of_a_rate_does_not_drift():
    clock = Clock(Fraction(30000, 1001), 100)
    ends = [clock.next() for _ in range(30_000)]
    assert ends[-1] == 100_100 and set(np.diff(ends)) == {3, 4}


def test_a_clock_of_single_times():
    clock = Clock((Fraction(1, 20), Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)), 100)
    assert [clock.next() for _ in range(4)] == [5, 38, 72, 105]


def test_times_become_durations():
    assert durations([1.0, 1.05, 1.383333], 0.1) == (Fraction(1, 20), Fraction(333333, 10**6), Fraction(1, 10))
    assert is_even(10) and is_even(Fraction(10)) and is_even(9.5) and not is_even((Fraction(1),))


@pytest.mark.parametrize(
    ("times", "rate"),
    [
        (2 + np.arange(100) * 1.001 / 30, Fraction(30000, 1001)),
        (np.round(np.arange(100) * 1.001 / 30, 3), Fraction(30000, 1001)),  # as Matroska has them
        (np.arange(100) / 12, Fraction(12)),  # told by nobody
        (np.delete(np.arange(100) / 30, 50), None),
        (np.cumsum([0.0, 0.05, 0.1, 0.4]), None),
        ([3.0], Fraction(30000, 1001)),
    ],
)
def test_which_times_are_even(times, rate):
    assert even_rate(list(times), [Fraction(30000, 1001), Fraction(30)]) == rate
