"""The scale schedule: from a small picture to the final one, each some √2 larger than the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_resizing import fit_size
from jaxstyle.perceptual.sizes import least_longer_side
from jaxstyle.runtime.settings import named


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


def least_scale(size: int, shape: Sequence[int], least_side: int) -> int:
    """The least longer side at which the shorter one has `least_side` pixels, for the deepest layer.

    Args:
      size: Longer side of the result, pixels.
      shape: `(height, width)` in the picture's proportions.
      least_side: Pixels.

    Raises:
      JaxstyleError: The picture is too narrow even at the size of the result.
    """
    height, width = shape
    least = least_longer_side((height, width), least_side)
    if (shorter := min(fit_size(height, width, size))) < least_side:
        raise JaxstyleError(
            f"at {named('size')} {size} a {width}×{height} picture is {shorter} px on its shorter side, and the "
            f"layers need {least_side}; make {named('size')} at least {least}"
        )
    return least


def stages(config: Any, size: int, least_side: int, height: int, width: int, multiple: int = 1) -> list[Stage]:
    """The stages of one picture, smallest first.

    Args:
      config: With `min_size`, `initial_iterations` and `iterations`.
      size: Longer side of the last stage, pixels.
      least_side: Pixels that the shorter side must have for the deepest layer; the first stage is made large enough.
      height: Of the picture, pixels; with `width` it gives the proportions.
      width: Of the picture, pixels.
      multiple: Of which all sides are multiples.

    Raises:
      JaxstyleError: The picture is too narrow at its final size.
    """
    least = least_scale(size, (height, width), least_side)
    smallest = min(max(config.min_size, least), size)
    found = []
    for i, scale in enumerate(scales(smallest, size)):
        high, wide = (max(1, round(side / multiple)) * multiple for side in fit_size(height, width, scale))
        found.append(Stage(scale, high, wide, config.initial_iterations if i == 0 else config.iterations))
    return found
