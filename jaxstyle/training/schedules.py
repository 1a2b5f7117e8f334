"""Learning-rate schedules: warm-up, then constant, linear or cosine (maybe after a while), as functions of the step."""

from __future__ import annotations

import optax

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.settings import named
from jaxstyle.training.config import OptimizerConfig
from jaxstyle.training.durations import Extent

SCHEDULES = ("constant", "linear", "cosine")


def make_schedule(config: OptimizerConfig, extent: Extent, steps: int, name: str = "optimizer") -> optax.Schedule:
    """Makes the learning rate at a step.

    Args:
      config: Its `schedule` is one of `SCHEDULES`; `final` is the share of the learning rate at the end, and over the
        duration `warmup_…` it rises linearly from 0; for a share `hold` of the rest it stays before it falls.
      extent: Turns the duration into steps.
      steps: Of the whole run, warm-up included.
      name: Field of the recipe that `config` is, for error messages.

    Raises:
      JaxstyleError: A warm-up as long as the run.
    """
    warmup = extent.steps(config, "warmup")
    if warmup >= steps:
        raise JaxstyleError(f"{named(f'{name}.warmup')} takes {warmup} steps, the whole run {steps}; make it shorter")
    peak, held = config.learning_rate, int(config.hold * (steps - warmup))
    rest = steps - warmup - held
    falling = {
        "constant": optax.constant_schedule(peak),
        "linear": optax.linear_schedule(peak, peak * config.final, rest),
        "cosine": optax.cosine_decay_schedule(peak, rest, config.final),
    }[config.schedule]
    after = optax.join_schedules([optax.constant_schedule(peak), falling], [held]) if held else falling
    if not warmup:
        return after
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), after], [warmup])
