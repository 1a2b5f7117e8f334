"""Objectives of a group of pictures optimised together: unlike one another, alike, or between two channels."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle.perceptual.objective import Activations, Objective, maps, term
from jaxstyle.pixels.objectives.activations import FLOOR


def diversity(layer: str) -> Objective:
    """Minus the mean cosine between the Gram matrices of the pictures of a group at a layer, in [-1, 0].

    With several pictures a channel they show the channel's different facets. lucid's `diversity` is the sum over the
    others instead of their mean, and without the minus. A picture alone scores zero.

    References:
      Olah, Mordvintsev & Schubert 2017, "Feature Visualization", section Diversity.
    """
    return term(f"diversity/{layer}", _diversity, layer)


def _diversity(activations: Activations, layer: str, numbers: Any) -> jax.Array:
    features = maps(activations, layer)
    flat = features.reshape(len(features), -1, features.shape[-1])
    grams = jnp.einsum("bpc,bpd->bcd", flat, flat).reshape(len(flat), -1)
    grams = grams / jnp.sqrt(jnp.sum(jnp.square(grams), -1, keepdims=True) + FLOOR)
    cosines = grams @ grams.T
    others = 1 - jnp.eye(len(flat), dtype=cosines.dtype)
    return -jnp.sum(cosines * others) / max(1, len(flat) * (len(flat) - 1))


def alignment(layer: str, decay: float = 2.0) -> Objective:
    """Minus the mean squared differences of neighbours in a group, position by position.

    The d-th neighbour, d up to 4, counts `decay^-d`; the sum is divided by the size of the group.

    Args:
      layer: Name of an activation.
      decay: Above 0.

    References:
      lucid, `alignment`; Mordvintsev et al. 2018, "Differentiable Image Parameterizations".
    """
    return term(f"alignment/{layer}", _alignment, layer, jnp.float32(decay))


def _alignment(activations: Activations, layer: str, decay: jax.Array) -> jax.Array:
    features = maps(activations, layer)
    total = jnp.float32(0)
    for distance in range(1, min(5, len(features))):
        differences = jnp.mean(jnp.square(features[distance:] - features[:-distance]), (1, 2, 3))
        total += jnp.sum(differences) / decay**distance
    return -total / len(features)


def channel_interpolation(layer: str, index: Any, other_layer: str, other_index: Any) -> Objective:
    """Interpolates from one channel in the first picture of a group to another in the last, by equal steps (lucid).

    The sum over pictures b of `(1 - t_b)` times the first channel's mean and `t_b` times the other's,
    t_b = b / (B - 1).
    """
    first = term(f"from/{layer}", _fading_out, layer, jnp.asarray(index, jnp.int32))
    return first + term(f"to/{other_layer}", _fading_in, other_layer, jnp.asarray(other_index, jnp.int32))


def _fading_in(activations: Activations, layer: str, index: jax.Array) -> jax.Array:
    means = jnp.mean(jnp.take(maps(activations, layer), index, axis=-1, mode="clip"), (1, 2))
    return jnp.linspace(0.0, 1.0, len(means)) @ means


def _fading_out(activations: Activations, layer: str, index: jax.Array) -> jax.Array:
    means = jnp.mean(jnp.take(maps(activations, layer), index, axis=-1, mode="clip"), (1, 2))
    return jnp.linspace(1.0, 0.0, len(means)) @ means
