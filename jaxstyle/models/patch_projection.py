"""The projection heads of contrastive translation: features of places to unit vectors."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp


class PatchProjection(nn.Module):
    """Two dense layers for each layer of features, and the result scaled to length 1.

    Attributes:
      width: Numbers of both layers; 256 in the paper.

    References:
      Park et al. 2020, section 3.
    """

    width: int = 256

    @nn.compact
    def __call__(self, layers: Sequence[jax.Array]) -> list[jax.Array]:
        """Features `[N, P, C]` of each layer -> `[N, P, width]`."""
        init, made = nn.initializers.normal(0.02), []
        for features in layers:
            x = nn.relu(nn.Dense(self.width, kernel_init=init)(features))
            x = nn.Dense(self.width, kernel_init=init)(x)
            made.append(x * jax.lax.rsqrt(jnp.sum(jnp.square(x), -1, keepdims=True) + 1e-7))
        return made
