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
    """Divides vectors `[..., C]` by their length, in float32; a zero vector stays zero. Gradients are finite."""
    vectors = vectors.astype(jnp.float32)
    return vectors * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(vectors), -1, keepdims=True), FLOOR))


def bag(features: jax.Array, mean: jax.Array, count: int, weights: jax.Array | None = None) -> Bag:
    """Samples the bag of one painting: feature vectors, centred and of length one.

    Args:
      features: The painting's activation `[h, w, C]`.
      mean: `[C]`, the mean of `features` under `weights`.
      count: Largest number of vectors; a painting with fewer places gives all of them.
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
    """Systematic sampling: `[count]` indices, each as often as its share of the weights `[N]`, to one more or less.

    References:
      Madow & Madow 1944, "On the Theory of Systematic Sampling".
    """
    total = jnp.cumsum(weights)
    at = (jnp.arange(count, dtype=total.dtype) + 0.5) / count * total[-1]
    return jnp.minimum(jnp.searchsorted(total, at, side="right"), len(weights) - 1)


def combine_bags(bags: Sequence[Bag], weights: jax.Array) -> Bag:
    """Mixes the bags of several paintings: the share of each painting's vectors is its weight.

    Args:
      bags: One a painting, of any sizes.
      weights: `[len(bags)]`, non-negative, not all zero.

    Returns:
      A bag with as many vectors as the largest of `bags`; its mean is the weighted mean.
    """
    if len(bags) == 1:
        return bags[0]
    vectors = jnp.concatenate([one.vectors for one in bags])
    shares = weights / jnp.sum(weights)
    each = jnp.concatenate([jnp.full(len(one.vectors), shares[i] / len(one.vectors)) for i, one in enumerate(bags)])
    mean = jnp.tensordot(shares, jnp.stack([one.mean for one in bags]), 1)
    return Bag(mean, vectors[systematic(each, max(len(one.vectors) for one in bags))])


def nearest(queries: jax.Array, vectors: jax.Array, chunk: int = CHUNK) -> jax.Array:
    """Finds the nearest vector of each query by cosine: int32 indices `[N]`, of equals the first.

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
    """Variance of features in a square around each place, relative to the variance over all places.

    Args:
      features: `[h, w, C]`.
      window: Side of the square, odd, in places.

    Returns:
      `[h, w]` float32, not negative; variances are summed over channels. 0 where features are flat.
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
    """Means over squares of side `window` around each place of `[h, w, C]`; the edge is repeated beyond the frame."""
    reach = window // 2
    padded = jnp.pad(x, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    total = jax.lax.reduce_window(padded, 0.0, jax.lax.add, (window, window, 1), (1, 1, 1), "VALID")
    return total / window**2
