"""Temporal consistency loss: the distance of a frame from the warped previous frame."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError


def temporal_distance(frame: jax.Array, expected: jax.Array, weights: jax.Array) -> jax.Array:
    """Weighted mean squared difference over channels and positions.

    Args:
      frame: `[..., H, W, C]`.
      expected: The warped previous frame, of the same shape.
      weights: `[..., H, W]` in [0, 1]: 0 where the flow is not reliable, as in disoccluded regions.

    Returns:
      `[...]` float32, non-negative; 0 where all weights are 0.

    Raises:
      JaxstyleError: The shapes do not fit (they are never broadcast).

    References:
      Ruder, Dosovitskiy & Brox 2016, "Artistic Style Transfer for Videos", eq. 7 (there divided by all positions).
    """
    if frame.shape != expected.shape or frame.shape[:-1] != weights.shape:
        raise JaxstyleError(f"frame {frame.shape}, expected {expected.shape} and weights {weights.shape} do not fit")
    difference = frame.astype(jnp.float32) - expected.astype(jnp.float32)
    errors = weights * jnp.mean(jnp.square(difference), -1)
    return jnp.sum(errors, (-2, -1)) / jnp.maximum(jnp.sum(weights, (-2, -1)), 1)
