"""Losses that match places: each place of a picture is compared with the painting's place most like it."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.ops.matching import FLOOR, cosines, unit


def matching_distance(features: jax.Array, targets: jax.Array, weights: jax.Array | None = None) -> jax.Array:
    """Mean over places of one minus the cosine between a feature vector and its target.

    Args:
      features: `[..., h, w, C]`, centred.
      targets: Same shape, of length one, as `ops.matching.nearest` finds them. They are fixed: no gradient goes there.
      weights: `[..., h, w]` in [0, 1], how much each place counts; None lets all count fully. The sum is divided by
        the number of places, not by that of the weights: where hardly any place counts, little is asked for.

    Returns:
      `[...]` float32 in [0, 2].

    Raises:
      JaxstyleError: Features and targets differ in shape.

    References:
      Kolkin et al. 2022, "Neural Neighbor Style Transfer", eq. 2.
    """
    if features.shape != targets.shape:
        raise JaxstyleError(f"features {features.shape} and targets {targets.shape} differ in shape")
    features = features.astype(jnp.float32)
    along = jnp.sum(features * jax.lax.stop_gradient(targets), -1)  # divided after the sum: there are C times fewer
    apart = 1 - along * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(features), -1), FLOOR))
    return jnp.mean(apart if weights is None else weights * apart, (-2, -1))


def nearest_distance(features: jax.Array, vectors: jax.Array) -> jax.Array:
    """Mean over places of one minus the cosine to the nearest of a painting's vectors, matched anew at every call.

    Args:
      features: `[N, C]`, centred: all places of a layer, or some.
      vectors: `[K, C]`, of length one.

    Returns:
      A float32 scalar in [0, 2].

    References:
      Kolkin et al. 2022, "Neural Neighbor Style Transfer", section 3.3.
    """
    return jnp.mean(1 - jnp.max(cosines(unit(features), vectors), 1))


def relaxed_transport_distance(features: jax.Array, vectors: jax.Array) -> jax.Array:
    """Relaxed earth mover's distance between the features of a picture and the vectors of a painting, by cosine.

    The larger of two means of one minus the cosine: over places to their nearest vector, and over vectors to their
    nearest place. Under this lower bound of the earth mover's distance none of the painting's vectors is left unused.

    Args:
      features: `[N, C]`, centred.
      vectors: `[K, C]`, of length one.

    Returns:
      A float32 scalar in [0, 2].

    References:
      Kolkin, Salavon & Shakhnarovich 2019, "Style Transfer by Relaxed Optimal Transport and Self-Similarity", eq. 4.
    """
    found = cosines(unit(features), vectors)
    return jnp.maximum(jnp.mean(1 - jnp.max(found, 1)), jnp.mean(1 - jnp.max(found, 0)))


def self_similarity(features: jax.Array) -> jax.Array:
    """Cosine distances `[N, N]` between features `[N, C]`, each row divided by its sum; a row of zeros stays so."""
    vectors = unit(features)
    apart = jnp.maximum(1 - cosines(vectors, vectors), 0)
    return apart / jnp.maximum(jnp.sum(apart, 1, keepdims=True), 1e-8)


def self_similarity_distance(features: jax.Array, target: jax.Array) -> jax.Array:
    """Mean absolute difference between the self-similarity matrices of a picture and of a photo, times N.

    Args:
      features: `[N, C]` of the picture, at some places.
      target: `[N, N]`, the `self_similarity` of the photo's features at the same places. No gradient goes there.

    Returns:
      A float32 scalar in [0, 2].

    References:
      Kolkin, Salavon & Shakhnarovich 2019, eq. 7 (there a sum over N², divided by N).
    """
    return jnp.mean(jnp.abs(self_similarity(features) - jax.lax.stop_gradient(target))) * len(features)
