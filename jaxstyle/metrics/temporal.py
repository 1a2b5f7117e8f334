"""How much a film flickers."""

from __future__ import annotations

import jax

from jaxstyle.losses.temporal import temporal_distance
from jaxstyle.ops.warping import warp


def warping_error(
    frame: jax.Array, previous: jax.Array, flow: jax.Array, weights: jax.Array | None = None
) -> jax.Array:
    """Mean squared difference between a frame and the one before, moved along the flow, where that is valid.

    Args:
      frame: `[H, W, C]`.
      previous: Same shape.
      flow: `[H, W, 2]` pixels to the right and down, from places of `frame` to those of `previous`.
      weights: `[H, W]` in [0, 1], where the flow can be trusted (`jaxstyle.media.optical_flow.trusted`); None trusts it
        wherever it does not lead out of the frame.

    Returns:
      Float32 scalar.

    Raises:
      JaxstyleError: The shapes do not fit (they are never broadcast).

    References:
      Lai et al. 2018, "Learning Blind Video Temporal Consistency", eq. 9.
    """
    expected, valid = warp(previous, flow)
    return temporal_distance(frame, expected, valid if weights is None else valid * weights)
