"""The scale schedule: from a small picture to the final one, each some √2 larger than the one before."""

from __future__ import annotations

from typing import NamedTuple

from jaxstyle.images import fit_size


class Stage(NamedTuple):
    """One scale of a run.

    Attributes:
      scale: Longer side of the picture, in pixels.
      height: In pixels.
      width: In pixels.
      iterations: Optimiser steps at this scale.
    """

    scale: int
    height: int
    width: int
    iterations: int


def scales(smallest: int, largest: int) -> list[int]:
    """`largest` divided by powers of √2, rounded, down to `smallest`; ascending, and never empty."""
    found = {largest}
    halvings = 1
    while (scale := round(largest / 2 ** (halvings / 2))) >= max(1, smallest):
        found.add(scale)
        halvings += 1
    return sorted(found)


def stages(
    height: int, width: int, *, smallest: int, largest: int, first_iterations: int, iterations: int
) -> list[Stage]:
    """The stages for a picture of the given proportions.

    Args:
      height: Of the source picture, in pixels.
      width: Of the source picture, in pixels.
      smallest: Longer side of the first stage, in pixels; a `largest` below it makes one stage.
      largest: Longer side of the last stage, in pixels.
      first_iterations: Steps of the first stage.
      iterations: Steps of each later stage.
    """
    plan = []
    for i, scale in enumerate(scales(min(smallest, largest), largest)):
        steps = first_iterations if i == 0 else iterations
        plan.append(Stage(scale, *fit_size(height, width, scale), steps))
    return plan
