"""Content loss: the distance between activations, position by position."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError


def content_distance(features: jax.Array, target: jax.Array) -> jax.Array:
    """Mean squared difference of two activations over height, width and channels.

    Equal to crowsonkb/style-transfer-pytorch's `ContentLossMSE` and to neural-style's content term;
    Gatys et al. 2016 eq. 1 is half the sum instead of the mean, `C·H·W/2` times this.

    Args:
      features: `[..., H, W, C]`.
      target: Same shape.

    Returns:
      `[...]` float32, non-negative.

    Raises:
      JaxstyleError: The shapes differ (they are never broadcast).
    """
    if features.shape != target.shape:
        raise JaxstyleError(f"content features {features.shape} and target {target.shape} differ in shape")
    difference = features.astype(jnp.float32) - target.astype(jnp.float32)
    return jnp.mean(jnp.square(difference), (-3, -2, -1))
