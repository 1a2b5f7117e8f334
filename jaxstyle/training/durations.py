"""Durations, given as `NAME_steps`, `NAME_examples` or `NAME_epochs` and counted in steps."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.settings import named

UNITS = ("steps", "examples", "epochs")


@dataclasses.dataclass(frozen=True)
class Extent:
    """The sizes of an epoch and of a step.

    Attributes:
      examples: In an epoch.
      batch_size: Examples in a step, over all devices and processes.
    """

    examples: int
    batch_size: int

    def steps(self, config: Any, name: str) -> int:
        """The duration `name` of a config in steps, rounded to the nearest and at least 1; 0 where it is not given.

        Of several units given the most exact counts: steps before examples before epochs. So a recipe states epochs
        and `--config.train_steps=100` on the command line is enough to cut it short. 0 is "not given".

        Raises:
          JaxstyleError: A negative or non-finite duration.
        """
        sizes = {"steps": 1.0, "examples": 1 / self.batch_size, "epochs": self.examples / self.batch_size}
        for unit in UNITS:
            value = getattr(config, f"{name}_{unit}")
            if not math.isfinite(value) or value < 0:
                raise JaxstyleError(f"{named(f'{name}_{unit}')} is {value:g}; it must be a number from 0")
            if value:
                return max(1, round(value * sizes[unit]))
        return 0


def due(step: int, every: int, last: int) -> bool:
    """True where an action of every so many steps is due after this one; always after the last, never if 0."""
    return every > 0 and (step % every == 0 or step == last)
