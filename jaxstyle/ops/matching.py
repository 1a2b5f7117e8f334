"""Nearest neighbours of feature vectors by cosine, and bags of a painting's vectors to find them in.

Moments do not say what lies beside what. A bag of vectors does: each place of a picture is told which of the
painting's places it resembles most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

FLOOR = 1e-12
"""Least squared length by which a vector is divided, so that a vector of nought stays one."""
CHUNK = 4096  # queries that are compared at once: with 4096 vectors their cosines are 64 MiB


class Bag(NamedTuple):
    """Feature vectors of one or several paintings.

    Attributes:
      mean: `[..., C]` float32, the mean of the features, by which they were centred.
      vectors: `[..., K, C]` float32, centred and of length one; of length nought where features equal the mean.
    """

    mean: jax.Array
    vectors: jax.Array


def unit(vectors: jax.Array) -> jax.Array:
    """Vectors `[..., C]` divided by their length, in float32; one of length nought stays so. Gradients are finite."""
    vectors = vectors.astype(jnp.float32)
    return vectors * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(vectors), -1, keepdims=True), FLOOR))


def bag(features: jax.Array, mean: jax.Array, count: int, weights: jax.Array | None = None) -> Bag:
    """The bag of one painting.

    Args:
      features: `[h, w, C]`.
      mean: `[C]`, their mean, weighted as they are.
      count: Vectors that it holds at most; all of the painting's, if there are no more.
      weights: `[h, w]`, non-negative, how much each place counts; None lets all count the same.
    """
    places = features.reshape(-1, features.shape[-1])
    count = min(count, len(places))
    # In an order without a pattern: every fourth place of a raster would be a column of the painting.
    order = np.random.default_rng(len(places)).permutation(len(places))
    chosen: jax.Array | np.ndarray = order[np.arange(count) * len(places) // count]
    if weights is not None:
        chosen = jnp.asarray(order)[systematic(weights.reshape(-1)[order], count)]
    mean = mean.astype(jnp.float32)
    return Bag(mean, unit(places[chosen].astype(jnp.float32) - mean[None]))


def systematic(weights: jax.Array, count: int) -> jax.Array:
    """`[count]` indices, each as often as its share of the weights `[N]` says, to one more or less.

    References:
      Madow & Madow 1944, "On the Theory of Systematic Sampling".
    """
    total = jnp.cumsum(weights)
    at = (jnp.arange(count, dtype=total.dtype) + 0.5) / count * total[-1]
    return jnp.minimum(jnp.searchsorted(total, at, side="right"), len(weights) - 1)


def combine_bags(bags: Sequence[Bag], weights: jax.Array) -> Bag:
    """The bag of several paintings, with each one's vectors in its proportion.

    Args:
      bags: Of one painting each, of any sizes.
      weights: `[len(bags)]`, non-negative, not all nought.

    Returns:
      A bag as large as the largest; its mean is the weighted one.
    """
    if len(bags) == 1:
        return bags[0]
    vectors = jnp.concatenate([one.vectors for one in bags])
    shares = weights / jnp.sum(weights)
    each = jnp.concatenate([jnp.full(len(one.vectors), shares[i] / len(one.vectors)) for i, one in enumerate(bags)])
    mean = jnp.tensordot(shares, jnp.stack([one.mean for one in bags]), 1)
    return Bag(mean, vectors[systematic(each, max(len(one.vectors) for one in bags))])


def nearest(queries: jax.Array, vectors: jax.Array, chunk: int = CHUNK) -> jax.Array:
    """Indices `[N]` of the vectors that are nearest by cosine; of equals the first.

    Args:
      queries: `[N, C]`, of any length.
      vectors: `[K, C]`, of length one.
      chunk: Queries that are compared at once; the memory is `4 · chunk · K` bytes.
    """
    count, channels = queries.shape
    if count <= chunk:
        return jnp.argmax(cosines(queries, vectors), -1).astype(jnp.int32)
    padded = jnp.pad(queries, ((0, -count % chunk), (0, 0))).reshape(-1, chunk, channels)
    found = jax.lax.map(lambda part: jnp.argmax(cosines(part, vectors), -1), padded)
    return found.reshape(-1)[:count].astype(jnp.int32)


def cosines(first: jax.Array, second: jax.Array) -> jax.Array:
    """Dot products `[N, K]` of vectors `[N, C]` and `[K, C]`, in float32: cosines, where both are of length one."""
    return jnp.matmul(first, second.T, precision="high", preferred_element_type=jnp.float32)


def local_contrast(features: jax.Array, window: int = 7) -> jax.Array:
    """How much the features vary around each place, `[h, w]` float32: 0 where they are flat.

    Args:
      features: `[h, w, C]`.
      window: Side of the square around each place, odd, in places.

    Returns:
      The variance in the square, summed over channels, by that of the whole layer; 0 for a layer that is flat.
    """
    features = features.astype(jnp.float32)
    features = features - jnp.mean(
        features, (0, 1), keepdims=True
    )  # so that the difference of squares keeps its digits
    total = jnp.mean(jnp.sum(jnp.square(features), -1))
    mean = box(features, window)
    variance = jnp.sum(box(jnp.square(features), window) - jnp.square(mean), -1)
    return jnp.maximum(variance, 0) / jnp.maximum(total, FLOOR)


def box(x: jax.Array, window: int) -> jax.Array:
    """Means over a square around each place of `[h, w, C]`, whose frame is repeated beyond it."""
    reach = window // 2
    padded = jnp.pad(x, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    total = jax.lax.reduce_window(padded, 0.0, jax.lax.add, (window, window, 1), (1, 1, 1), "VALID")
    return total / window**2
