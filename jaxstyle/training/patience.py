"""Runs that stop early, once the metric by which checkpoints are chosen has not improved for some evaluations."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.settings import named
from jaxstyle.training.config import TrainingConfig
from jaxstyle.training.writers import Writers, agreed


def gives_up(config: TrainingConfig, writers: Writers) -> bool:
    """Whether evaluations have not improved for as long as a run's config has patience; says so on stderr."""
    if not config.patience:
        return False
    best = best_so_far(writers.rows("eval"), config.best, config.best_mode)  # of process 0
    if best and best.since >= config.patience:
        print(
            f"jaxstyle: stops early, as {config.best} has not improved for {best.since} evaluations; the best, "
            f"{best.value:.4g}, is the checkpoint of step {best.step} (--checkpoint best)",
            file=sys.stderr,
        )
    return agreed(best is not None and best.since >= config.patience)


class Best(NamedTuple):
    """The best evaluation so far: its value and step, and the number of evaluations since."""

    value: float
    step: int
    since: int


def best_so_far(rows: Sequence[Mapping[str, Any]], metric: str, mode: str) -> Best | None:
    """Finds the first evaluation with the best value.

    Args:
      rows: Of the evaluations, oldest first, each with `step` and the metric; None in it is not finite, and never best.
      metric: Its name.
      mode: "max" or "min", whichever is better.

    Returns:
      The best; None where no evaluation has a finite value.
    """
    sign = 1 if mode == "max" else -1
    values = [sign * row[metric] if row.get(metric) is not None else float("-inf") for row in rows]
    if not values or max(values) == float("-inf"):
        return None
    place = values.index(max(values))
    return Best(rows[place][metric], rows[place]["step"], len(rows) - 1 - place)


def check_patience(config: TrainingConfig, evaluations: int) -> None:
    """Raises `JaxstyleError` for a patience without a metric, or without evaluations (0 steps between them)."""
    if config.patience and not config.best:
        raise JaxstyleError(f"{named('patience')} wants a metric that is waited for: set {named('best')}")
    if config.patience and not evaluations:
        raise JaxstyleError(f"{named('patience')} counts evaluations, and there are none: set {named('eval_epochs')}")
