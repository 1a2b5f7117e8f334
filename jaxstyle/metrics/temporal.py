"""Temporal consistency of a film: the warping error."""

from __future__ import annotations

import jax

from jaxstyle.losses.temporal import temporal_distance
from jaxstyle.ops.warping import warp


def warping_error(
    frame: jax.Array, previous: jax.Array, flow: jax.Array, weights: jax.Array | None = None
) -> jax.Array:
    """Mean squared difference between a frame and the warped previous frame, where the flow is valid.

    Args:
      frame: `[H, W, C]`.
      previous: Same shape.
      flow: `[H, W, 2]` pixels right and down, from `frame` to `previous`.
      weights: `[H, W]` in [0, 1], 0 where the flow is not reliable (`jaxstyle.ops.warping.consistency_mask`); None uses
        it wherever it stays within the frame.

    Returns:
      Float32 scalar.

    Raises:
      JaxstyleError: The shapes do not fit (they are never broadcast).

    References:
      Lai et al. 2018, "Learning Blind Video Temporal Consistency", eq. 9.
    """
    expected, valid = warp(previous, flow)
    return temporal_distance(frame, expected, valid if weights is None else valid * weights)
