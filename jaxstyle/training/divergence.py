"""A training that has diverged: from which checkpoint it can go on, and with which settings."""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxstyle.runtime.settings import named
from jaxstyle.training.config import OptimizerConfig, TrainingConfig

SLOWER = 10  # by which the advice divides learning rates
JUMP = 10  # times the median, from which an adversarial loss has diverged


class Span(NamedTuple):
    """The losses of some steps.

    Attributes:
      start: Steps taken before.
      losses: Mean of each loss, by its name; not finite where the steps were not.
    """

    start: int
    losses: dict[str, float]


def history(rows: Sequence[Mapping[str, Any]], fetched: Sequence[Mapping[str, Any]], first: int) -> list[Span]:
    """Makes the history of a run's losses.

    Args:
      rows: Of the metrics of training, oldest first; each has the means since the one before.
      fetched: Metrics of every step since the last row, the last of them not finite.
      first: Number of the first of those steps, from 1.
    """
    starts = [0, *(row["step"] for row in rows)]
    spans = [Span(start, losses_of(row)) for start, row in zip(starts, rows, strict=False)]
    return spans + [Span(first - 1 + i, losses_of(metrics)) for i, metrics in enumerate(fetched)]


def losses_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Picks the `loss` of a step's metrics, or all the losses of a task that has several."""
    names = ["loss"] if "loss" in metrics else [name for name in metrics if name.endswith("_loss")]
    return {name: np.nan if metrics[name] is None else float(metrics[name]) for name in names}


def rise(spans: Sequence[Span]) -> int:
    """Finds where losses rose for good.

    A `loss` has risen where it is above its least value so far by half of that and by half of what it had gained since
    the beginning; adversarial losses, which have no such course, where they are ten times their median.

    Args:
      spans: A history; the last one is of a step that was not finite.

    Returns:
      The steps taken before the first span from which on all have risen.
    """
    series = {name: np.array([span.losses.get(name, np.nan) for span in spans]) for name in spans[-1].losses}
    risen = np.zeros(len(spans), bool)
    for name, values in series.items():
        finite = np.where(np.isfinite(values), values, np.inf)
        if name == "loss":
            least = np.minimum.accumulate(finite)
            with np.errstate(invalid="ignore"):  # none of the losses is finite
                gained = np.maximum(finite[0] - least, np.abs(least))  # batches differ
            risen |= ~(finite <= least + gained / 2)
        else:
            risen |= ~(np.abs(finite) <= JUMP * np.median(np.abs(finite)))
    risen[-1] = True
    sound = np.flatnonzero(~risen)
    return spans[sound[-1] + 1 if sound.size else 0].start


def advice(config: TrainingConfig, kept: Sequence[int], spans: Sequence[Span]) -> str:
    """Says how a run that has diverged can go on.

    Args:
      config: Of the run.
      kept: Steps of its checkpoints.
      spans: History of its losses.
    """
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        optimizer = getattr(config, field.name)
        if isinstance(optimizer, OptimizerConfig):
            changes[f"{field.name}.learning_rate"] = f"{optimizer.learning_rate / SLOWER:g}"
            changes |= {} if optimizer.clip_norm else {f"{field.name}.clip_norm": 1}
    start = rise(spans)
    sound = [step for step in kept if step < start]
    if sound:
        way = f"to go on from step {sound[-1]}, before the loss rose: "
        return way + repeated({"resume_step": sound[-1], **changes})
    why = (
        f"no checkpoint is kept from before the loss rose (after step {start})" if kept else "no checkpoint is kept yet"
    )
    return f"{why}: begin again in another workdir with {settings(changes)}"


def settings(changes: Mapping[str, Any]) -> str:
    """Writes settings as the caller does."""
    return " ".join(f"{named(name)}={value}" for name, value in changes.items())


def repeated(changes: Mapping[str, Any] | None = None) -> str:
    """Writes the command line that repeats this process, with some settings changed."""
    changes = changes or {}
    script, *words = sys.argv
    words = [word for word in words if word.partition("=")[0] not in map(named, changes)]
    flags = settings(changes)
    if os.path.basename(script) == "jaxstyle":
        return f"{shlex.join(['jaxstyle', *words])} {flags}".rstrip()
    if script.endswith(".py"):
        return f"{shlex.join(['python', script, *words])} {flags}".rstrip()
    return "call run(config, workdir) again" + (f" with {flags}" if flags else "")
