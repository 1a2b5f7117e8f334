"""Objectives that compare activations with the reference picture's, or with a guide picture's."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.perceptual.objective import Activations, Objective, maps, term


def activation_difference(layer: str, norm: str = "l1") -> Objective:
    """Mean of absolute or squared differences of a layer from the reference picture's (lucid, `activation_difference`).

    Subtracted, the objective inverts features; added, it exaggerates what moves.

    Args:
      layer: Name of an activation.
      norm: `"l1"` for absolute, `"l2"` for squared differences.
    """
    if norm not in _DIFFERENCES:
        raise JaxstyleError(f"unknown norm {norm!r}; {did_you_mean(norm, _DIFFERENCES)}")
    return term(f"difference/{layer}", _DIFFERENCES[norm], layer, compares=True)


def _difference(activations: Activations, layer: str) -> jax.Array:
    return maps(activations, layer) - jax.lax.stop_gradient(activations.reference[layer].astype(jnp.float32))


_DIFFERENCES = {
    "l1": lambda activations, layer, _: jnp.mean(jnp.abs(_difference(activations, layer))),
    "l2": lambda activations, layer, _: jnp.mean(jnp.square(_difference(activations, layer))),
}


def guided(layer: str, features: Any) -> Objective:
    """Mean over positions of the largest dot product with any position of a guide picture: guided dreaming.

    Every position grows towards that position of the guide which resembles it most.

    Args:
      layer: Name of an activation.
      features: The guide's activation `[h, w, C]` at that layer.

    References:
      google/deepdream, `objective_guide`.
    """
    return term(f"guide/{layer}", _guided, layer, jnp.asarray(features, jnp.float32))


def _guided(activations: Activations, layer: str, guide: jax.Array) -> jax.Array:
    features = maps(activations, layer)
    dots = features.reshape(-1, features.shape[-1]) @ guide.reshape(-1, guide.shape[-1]).T
    return jnp.mean(jnp.max(dots, -1))
