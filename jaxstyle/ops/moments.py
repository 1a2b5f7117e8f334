"""A style is a pytree of sufficient statistics: the moments of a layer's features over positions.

Gram matrices, Gaussian Wasserstein-2 and AdaIN's mean/std see a layer only through count, mean and raw second
moment. Those combine linearly, so several styles, regions of a picture, tiles of a large picture and shards on
several devices are all weighted sums of `Moments`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError


class Moments(NamedTuple):
    """Statistics of features over positions.

    Attributes:
      count: `[...]` float32, number of positions seen (the sum of their weights).
      mean: `[..., C]` float32, first moment.
      second: `[..., C, C]` float32, raw (uncentred) second moment `E[f fᵀ]`.
    """

    count: jax.Array  # type: ignore[assignment]  # shadows tuple.count on purpose
    mean: jax.Array
    second: jax.Array


def moments(features: jax.Array, weights: jax.Array | None = None) -> Moments:
    """Mean and raw second moment of features over height and width.

    The sums are taken in float32 whatever the features' dtype.

    Args:
      features: `[..., H, W, C]` activations.
      weights: `[..., H, W]` non-negative weights (a mask at this layer's resolution), or None for all ones.
        Where they are all zero the moments are zero, not NaN.

    Returns:
      `Moments` with the features' leading axes.
    """
    *_, height, width, _ = features.shape
    if weights is None:
        count = jnp.full(features.shape[:-3], height * width, jnp.float32)
    else:
        weights = weights.astype(features.dtype)
        count = jnp.sum(weights, (-2, -1), dtype=jnp.float32)
    total, second = weighted_sums(features, weights)
    divisor = jnp.where(count > 0, count, jnp.ones_like(count))
    return Moments(count, total / divisor[..., None], second / divisor[..., None, None])


@jax.custom_vjp
def weighted_sums(features: jax.Array, weights: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """Sums over height and width of `w f` `[..., C]` and `w f fᵀ` `[..., C, C]`, in float32; no weights are ones.

    Its gradient is written by hand: the second sum is symmetric, and autodiff makes two products of the features
    where one with the symmetrised cotangent will do (measured: 10 to 16 % of a whole VGG-19 step on CPU).
    """
    weighted = features if weights is None else features * weights[..., None]
    total = jnp.sum(weighted, (-3, -2), dtype=jnp.float32)
    # "highest", as a covariance is a difference of moments: TPUs and GPUs would round features to 8 or 10 bits first.
    second = jnp.einsum(
        "...hwc,...hwd->...cd", weighted, features, precision="highest", preferred_element_type=jnp.float32
    )
    return total, second


def _weighted_sums_backward(
    saved: tuple[jax.Array, jax.Array | None], cotangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array | None]:
    features, weights = saved
    of_total = cotangents[0][..., None, None, :].astype(features.dtype)
    symmetric = (cotangents[1] + jnp.swapaxes(cotangents[1], -1, -2)).astype(features.dtype)
    pulled = jnp.einsum("...hwc,...cd->...hwd", features, symmetric)
    if weights is None:
        return pulled + of_total, None
    return weights[..., None] * (pulled + of_total), jnp.sum(features * (pulled / 2 + of_total), -1)


weighted_sums.defvjp(
    lambda features, weights: (weighted_sums(features, weights), (features, weights)), _weighted_sums_backward
)


def combine(parts: Sequence[Moments], weights: jax.Array | None = None) -> Moments:
    """The moments of a mixture: weighted averages of first and raw second moments.

    Args:
      parts: Moments of one shape: of several styles, tiles or shards.
      weights: `[len(parts)]` non-negative, not all zero; they need not sum to one. None weighs every part by
        its count, which gives the moments of all positions together (tiles, shards).

    Returns:
      The combined `Moments`; its count is the sum of the counts.

    Raises:
      JaxstyleError: No parts, or as many weights as parts are not given.
    """
    if not parts:
        raise JaxstyleError("combine needs at least one Moments")
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)
    weights = stacked.count if weights is None else jnp.asarray(weights, jnp.float32)
    if weights.shape[:1] != (len(parts),):
        raise JaxstyleError(f"combine got {len(parts)} Moments and weights of shape {weights.shape}")
    total = jnp.sum(weights, 0, keepdims=True)
    shares = weights / jnp.where(total > 0, total, 1)  # of no position at all every moment is 0

    def average(leaf: jax.Array) -> jax.Array:
        return jnp.sum(leaf * shares.reshape(shares.shape + (1,) * (leaf.ndim - shares.ndim)), 0)

    return Moments(jnp.sum(stacked.count, 0), average(stacked.mean), average(stacked.second))


def scale(statistics: Moments, factor: jax.Array | float) -> Moments:
    """The moments of `factor * features`.

    Args:
      statistics: Moments of the unscaled features.
      factor: Scalar, or `[...]` like `statistics.count`.
    """
    factor = jnp.asarray(factor, jnp.float32)
    mean, second = factor[..., None], jnp.square(factor)[..., None, None]
    if factor.ndim == 0:
        mean, second = factor, jnp.square(factor)
    return Moments(statistics.count, statistics.mean * mean, statistics.second * second)


def energy(statistics: Moments) -> jax.Array:
    """Mean square of the features over positions and channels, `[...]`: the trace of `second` divided by C."""
    return jnp.trace(statistics.second, axis1=-2, axis2=-1) / statistics.second.shape[-1]


def covariance(statistics: Moments) -> jax.Array:
    """Centred second moment `E[f fᵀ] - E[f] E[f]ᵀ`, `[..., C, C]`."""
    mean = statistics.mean
    return statistics.second - mean[..., :, None] * mean[..., None, :]
