"""A compositional pattern-producing network: a picture as a smooth function of its coordinates."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp


class CPPN(nn.Module):
    """Dense layers applied to every point alone, so that the picture has any resolution one asks for.

    Its activation is `[atan(x) / 0.67, atan(x)² / 0.6]`, which keeps the variance and mixes odd with even patterns.

    Attributes:
      width: Units a layer; each gives two activations.
      layers: Number of layers.

    References:
      Stanley 2007; Mordvintsev et al. 2018, "Differentiable Image Parameterizations" (lucid, `cppn`).
    """

    width: int = 24
    layers: int = 8

    @nn.compact
    def __call__(self, coordinates: jax.Array) -> jax.Array:
        """Features of every point.

        Args:
          coordinates: `[..., 2]`, each of about unit variance over the picture.

        Returns:
          `[..., 2 · width]`, to be combined into colours linearly.
        """
        x = coordinates
        for i in range(self.layers):
            biases = nn.initializers.normal(0.1)
            x = nn.Dense(self.width, kernel_init=nn.initializers.he_normal(), bias_init=biases, name=f"dense{i}")(x)
            x = jnp.arctan(x)
            x = jnp.concatenate([x / 0.67, x * x / 0.6], axis=-1)
        return x


def coordinates(height: int, width: int) -> jax.Array:
    """Row and column of every pixel `[height, width, 2]`, zero in the middle, of unit variance on the longer side."""
    reach = 3**0.5 / max(height, width)
    rows, columns = (jnp.linspace(-reach * (n - 1), reach * (n - 1), n) for n in (height, width))
    return jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1)
