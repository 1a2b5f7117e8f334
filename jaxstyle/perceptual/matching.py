"""Matching targets: each place of a picture is to be like one place of a painting.

Where the photo says something, its lines choose the painting's places, and lines stay crisp. Where it is flat nothing
is asked for, and the painting's moments are free to fill it: matched there as well, every place of a plain sky would
find the same vector (measured on tubingen × starry_night: a flat blue sky, Wasserstein-2 .15 in place of .06).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle import losses
from jaxstyle.ops.matching import Bag, combine_bags, local_contrast, nearest
from jaxstyle.perceptual.style import shrink_mask

HALF_DETAIL = 0.5
"""Local contrast at which a place counts half as much as one could."""


class Matching(NamedTuple):
    """The matching target of a layer, region by region (R of them; one where there are no masks).

    Attributes:
      bag: The painting's vectors, `[R, K, C]`.
      guide: `[h, w, C]`, the photo's features, centred and of mean squared length one.
      detail: `[h, w]` in [0, 1], how much the photo says at each place.
      weight: `[R, h, w]` in [0, 1], how much each place counts.
      guidance: Scalar in [0, 1], the photo's share in the query where the photo is full of detail, against the picture
        itself.
      nearest: `[R, h, w]` int32, indices into the bag; None before they are found.
    """

    bag: Bag
    guide: jax.Array
    detail: jax.Array
    weight: jax.Array
    guidance: Any = np.float32(1)
    nearest: Any = None


def matching_target(features: jax.Array, bags: Sequence[Bag], weights: jax.Array, masks: jax.Array | None) -> Matching:
    """The matching target that a photo and paintings set, whose guidance is 1.

    Args:
      features: The photo's activation `[h, w, C]`.
      bags: Of the layer in each of S paintings.
      weights: `[S]`, non-negative, not all zero.
      masks: `[S, H, W]` in [0, 1], where each style goes; None blends them everywhere.

    References:
      Kolkin et al. 2022, "Neural Neighbor Style Transfer", section 3.2: there one `alpha` for all places.
    """
    contrast = local_contrast(features)
    detail = contrast / (contrast + HALF_DETAIL)
    if masks is None:
        bag = jax.tree.map(lambda leaf: leaf[None], combine_bags(bags, weights))
        weight = detail[None]
    else:
        count = max(len(one.vectors) for one in bags)
        alike = [Bag(one.mean, jnp.resize(one.vectors, (count, one.vectors.shape[1]))) for one in bags]
        bag = jax.tree.map(lambda *leaves: jnp.stack(leaves), *alike)
        weight = jnp.stack([detail * shrink_mask(mask, features) for mask in masks])
    return Matching(bag, centred(features), detail, weight)


def free_target(bags: Sequence[Bag], weights: jax.Array, shape: tuple[int, int, int]) -> Matching:
    """The matching target of a picture without a photo: every place is to be like the vector that it resembles most.

    Args:
      bags: Of the layer in each of S paintings.
      weights: `[S]`, non-negative, not all zero.
      shape: `(h, w, C)` of the picture's activation.
    """
    bag = jax.tree.map(lambda leaf: leaf[None], combine_bags(bags, weights))
    nothing = jnp.zeros(shape)
    return Matching(bag, nothing, nothing[..., 0], jnp.ones((1, *shape[:2])), np.float32(0))


def centred(features: jax.Array) -> jax.Array:
    """Centres features `[h, w, C]`, and divides them by the root of their mean squared length, in float32."""
    features = features.astype(jnp.float32)
    features = features - jnp.mean(features, (0, 1), keepdims=True)
    return features * jax.lax.rsqrt(jnp.maximum(jnp.mean(jnp.sum(jnp.square(features), -1)), 1e-12))


def find(features: jax.Array, target: Matching) -> jax.Array:
    """Finds the vector of a region's bag that each place `[h, w, C]` of a picture is nearest to: `[R, h, w]` int32."""
    height, width, channels = features.shape
    share = (target.guidance * target.detail)[..., None]
    queries = (share * target.guide + (1 - share) * centred(features)).reshape(-1, channels)
    return jnp.stack([nearest(queries, vectors) for vectors in target.bag.vectors]).reshape(-1, height, width)


def taken(vectors: jax.Array, places: jax.Array) -> jax.Array:
    """Gathers the vectors `[h, w, C]` at indices `[h, w]` into a bag `[K, C]`."""
    return jnp.asarray(vectors).at[places].get(mode="promise_in_bounds")


def matched_distance(features: jax.Array, target: Matching) -> jax.Array:
    """The sum over regions of the weighted distance `[h, w, C]` to the vectors found; a float32 scalar in [0, 2].

    Raises:
      ValueError: Nothing has been found yet.
    """
    if target.nearest is None:
        raise ValueError("the places are not matched yet: see Objective.having")
    distances = [
        losses.matching_distance(features.astype(jnp.float32) - mean[None, None], taken(vectors, places), weight)
        for mean, vectors, places, weight in zip(*target.bag, target.nearest, target.weight, strict=True)
    ]
    return jnp.sum(jnp.stack(distances))
