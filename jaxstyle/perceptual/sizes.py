"""The size at which a picture is seen by a feature extractor."""

from __future__ import annotations

from jaxstyle.media.image_resizing import fit_size


def least_longer_side(shape: tuple[int, ...], least_side: int) -> int:
    """The longer side at which the shorter one of a `(height, width)` has `least_side` pixels."""
    return -(-least_side * max(shape) // min(shape))


def painting_size(
    shape: tuple[int, ...], longer_side: int, least_side: int, *, enlarge: bool = False
) -> tuple[int, int]:
    """The size at which a painting is seen: the only rule for it in this package.

    Args:
      shape: `(height, width, …)` of the painting, pixels.
      longer_side: Pixels wanted for its longer side.
      least_side: Pixels that its shorter side must have for the deepest layer; this comes before everything else.
      enlarge: Whether it may be seen larger than it is; otherwise its own size is the most.

    Returns:
      `(height, width)` in the painting's proportions.
    """
    height, width = shape[:2]
    most = longer_side if enlarge else min(longer_side, max(height, width))
    return fit_size(height, width, max(least_longer_side((height, width), least_side), most))
