"""The scale schedule: from a small picture to the final one, each some √2 larger than the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_resizing import fit_size
from jaxstyle.pixels.config import StyleConfig, StyleTransferConfig


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


def plan(config: StyleTransferConfig, least_side: int, shapes: Sequence[tuple[int, ...]]) -> list[Stage]:
    """The stages of pictures of some heights and widths, the same for all of them.

    Args:
      config: The settings.
      least_side: Pixels the shorter side must have for the deepest layer to see something; the first stage is
        made large enough.
      shapes: `(height, width)` of every picture, in pixels.

    Raises:
      JaxstyleError: A picture is too narrow at its final size, or the pictures' stages differ.
    """
    plans = {tuple(stages(config, config.size, least_side, height, width)) for height, width in shapes}
    if len(plans) > 1:
        raise JaxstyleError("content pictures of one run must have one shape; stylise those of other shapes apart")
    return list(plans.pop())


def stages(config: StyleConfig, size: int, least_side: int, height: int, width: int, multiple: int = 1) -> list[Stage]:
    """The stages of one picture, in the end `size` pixels on its longer side, all sides multiples of `multiple`."""
    least = least_longer_side((height, width), least_side)
    if (shorter := min(fit_size(height, width, size))) < least_side:
        raise JaxstyleError(
            f"at --size {size} a {width}×{height} picture is {shorter} px on its shorter side, and the "
            f"layers need {least_side}; make --size at least {least}"
        )
    smallest = min(max(config.min_size, least), size)
    found = []
    for i, scale in enumerate(scales(smallest, size)):
        high, wide = (max(1, round(side / multiple)) * multiple for side in fit_size(height, width, scale))
        found.append(Stage(scale, high, wide, config.initial_iterations if i == 0 else config.iterations))
    return found


def least_longer_side(shape: tuple[int, ...], least_side: int) -> int:
    """The longer side at which the shorter one of a `(height, width)` has `least_side` pixels."""
    return -(-least_side * max(shape) // min(shape))
