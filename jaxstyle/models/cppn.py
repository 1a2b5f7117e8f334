"""Compositional pattern-producing networks: pictures as smooth functions of their coordinates."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp


class CPPN(nn.Module):
    """Dense layers applied to each point by itself, so that a picture can have any resolution.

    The activation is `[atan(x) / 0.67, atan(x)² / 0.6]`, which keeps the variance and mixes odd with even patterns.

    Attributes:
      width: Units a layer, with two activations each.
      layers: Number of layers.

    References:
      Stanley 2007; Mordvintsev et al. 2018, "Differentiable Image Parameterizations" (lucid, `cppn`).
    """

    width: int = 24
    layers: int = 8

    @nn.compact
    def __call__(self, coordinates: jax.Array) -> jax.Array:
        """Computes the features of every point.

        Args:
          coordinates: `[..., 2]`, of about unit variance over the picture; see `coordinates`.

        Returns:
          `[..., 2 · width]`, to be mapped to colours linearly.
        """
        x = coordinates
        for i in range(self.layers):
            biases = nn.initializers.normal(0.1)
            x = nn.Dense(self.width, kernel_init=nn.initializers.he_normal(), bias_init=biases, name=f"dense{i}")(x)
            x = jnp.arctan(x)
            x = jnp.concatenate([x / 0.67, x * x / 0.6], axis=-1)
        return x


def coordinates(height: int, width: int) -> jax.Array:
    """Rows and columns `[height, width, 2]` of all pixels: 0 in the middle, of unit variance on the longer side."""
    reach = 3**0.5 / max(height, width)
    rows, columns = (jnp.linspace(-reach * (n - 1), reach * (n - 1), n) for n in (height, width))
    return jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1)
