"""Learning-rate schedules: warm-up, then constant, linear or cosine, as functions of the step."""

from __future__ import annotations

from typing import Any

import optax

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.training.durations import Extent

SCHEDULES = ("constant", "linear", "cosine")


def make_schedule(config: Any, extent: Extent, steps: int) -> optax.Schedule:
    """The learning rate at a step.

    Args:
      config: With `learning_rate`, `schedule`, `final` (share of the learning rate at the end) and a duration
        `warmup_…`, over which it rises linearly from 0.
      extent: Turns the duration into steps.
      steps: Of the whole run, warm-up included.

    Raises:
      JaxstyleError: Unknown schedule, or a warm-up as long as the run.
    """
    if config.schedule not in SCHEDULES:
        raise JaxstyleError(f"unknown schedule {config.schedule!r}; {did_you_mean(config.schedule, SCHEDULES)}")
    warmup = extent.steps(config, "warmup")
    if warmup >= steps:
        raise JaxstyleError(f"the warm-up takes {warmup} steps, the whole run {steps}; make it shorter")
    peak, rest = config.learning_rate, steps - warmup
    after = {
        "constant": optax.constant_schedule(peak),
        "linear": optax.linear_schedule(peak, peak * config.final, rest),
        "cosine": optax.cosine_decay_schedule(peak, rest, config.final),
    }[config.schedule]
    if not warmup:
        return after
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), after], [warmup])
