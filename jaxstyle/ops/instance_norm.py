"""Instance normalisation with its statistics in sight, so that they can be taken of a whole picture part by part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

EPSILON = 1e-5  # added to the variance, as magenta and PyTorch do


class Statistics(NamedTuple):
    """Of every channel of one picture, over its positions.

    Attributes:
      count: `[N]` float32, number of positions.
      mean: `[N, C]` float32.
      variance: `[N, C]` float32, divided by the count.
    """

    count: jax.Array  # type: ignore[assignment]  # shadows tuple.count on purpose
    mean: jax.Array
    variance: jax.Array


def statistics(x: jax.Array) -> Statistics:
    """Statistics of activations `[N, H, W, C]`, in float32 whatever their dtype."""
    x = x.astype(jnp.float32)
    mean = jnp.mean(x, (1, 2), keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), (1, 2))
    return Statistics(jnp.full(x.shape[:1], x.shape[1] * x.shape[2], jnp.float32), mean[:, 0, 0], variance)


def regional_statistics(x: jax.Array, shares: jax.Array) -> Statistics:
    """Statistics `[N, S, …]` of activations `[N, H, W, C]`, weighted by each of `[N, H, W, S]`; of nothing, zeros."""

    def one(share: jax.Array) -> Statistics:
        count = jnp.sum(share, (1, 2))
        divisor = jnp.where(count > 0, count, 1)[:, None]
        mean = jnp.einsum("nhw,nhwc->nc", share, wide) / divisor
        variance = jnp.einsum("nhw,nhwc->nc", share, jnp.square(wide - mean[:, None, None])) / divisor
        return Statistics(count, mean, variance)

    wide = x.astype(jnp.float32)
    return jax.vmap(one, in_axes=-1, out_axes=1)(shares.astype(jnp.float32))


def merge(parts: Sequence[Statistics]) -> Statistics:
    """Statistics of all positions together, from those of disjoint parts of the picture.

    Args:
      parts: At least one, leaves `[N, …]` or `[N, S, …]`.

    References:
      Chan, Golub & LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", eq. 2.1.
    """
    count, mean, variance = (jnp.stack(leaves) for leaves in zip(*parts, strict=True))
    total = jnp.sum(count, 0, keepdims=True)
    shares = (count / jnp.where(total > 0, total, 1))[..., None]
    together = jnp.sum(shares * mean, 0)
    variance = jnp.sum(shares * (variance + jnp.square(mean - together[None])), 0)
    return Statistics(jnp.sum(count, 0), together, variance)


def normalise(x: jax.Array, seen: Statistics, scale: jax.Array, shift: jax.Array) -> jax.Array:
    """`(x - mean) / √(variance + 1e-5) · scale + shift`.

    Args:
      x: `[N, H, W, C]`.
      seen: Statistics of the whole pictures.
      scale: `[N, C]` float32.
      shift: `[N, C]` float32.

    Returns:
      `[N, H, W, C]` of x's dtype.

    References:
      Ulyanov, Vedaldi & Lempitsky 2016, "Instance Normalization: The Missing Ingredient for Fast Stylization".
    """
    factor = scale * jax.lax.rsqrt(seen.variance + EPSILON)
    offset = shift - seen.mean * factor
    return x * factor[:, None, None].astype(x.dtype) + offset[:, None, None].astype(x.dtype)
