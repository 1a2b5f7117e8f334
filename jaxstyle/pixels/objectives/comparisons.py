"""Objectives that compare: with the reference picture, a guide picture's features, a style's moments; and priors."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle import losses
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.features import Features
from jaxstyle.perceptual.style import DISTANCES, Style, StyleObjective, mean_square, style_distance
from jaxstyle.pixels.objectives.algebra import Objective, Seen, maps, term


def content(layer: str) -> Objective:
    """The distance of a layer from the reference picture's, relative to its energy; subtract it to stay near.

    `mean((f - r)²) / mean(r²)`, as stylisation's content term.
    """
    return term(f"content/{layer}", _content, layer, compares=True)


def _content(seen: Seen, layer: str, numbers: Any) -> jax.Array:
    features, reference = maps(seen, layer), jax.lax.stop_gradient(seen.reference[layer].astype(jnp.float32))
    distances = losses.content_distance(features, jnp.broadcast_to(reference, features.shape))
    return jnp.mean(distances) / mean_square(reference)


def activation_difference(layer: str, norm: str = "l1") -> Objective:
    """How far a layer is from the reference picture's: the mean of absolute (`"l1"`) or squared (`"l2"`) differences.

    Subtracted, it inverts features; added, it exaggerates what moves (lucid, `activation_difference`).
    """
    if norm not in _DIFFERENCES:
        raise JaxstyleError(f"unknown norm {norm!r}; {did_you_mean(norm, _DIFFERENCES)}")
    return term(f"difference/{layer}", _DIFFERENCES[norm], layer, compares=True)


def _difference(seen: Seen, layer: str) -> jax.Array:
    return maps(seen, layer) - jax.lax.stop_gradient(seen.reference[layer].astype(jnp.float32))


_DIFFERENCES = {
    "l1": lambda seen, layer, _: jnp.mean(jnp.abs(_difference(seen, layer))),
    "l2": lambda seen, layer, _: jnp.mean(jnp.square(_difference(seen, layer))),
}


def guided(layer: str, features: Any) -> Objective:
    """Dreaming of a guide: every position wants more of that position of the guide which it resembles most.

    The mean over positions of the best dot product with any of the guide's.

    Args:
      layer: Name of an activation.
      features: The guide's activation `[h, w, C]` at that layer.

    References:
      google/deepdream, `objective_guide`.
    """
    return term(f"guide/{layer}", _guided, layer, jnp.asarray(features, jnp.float32))


def _guided(seen: Seen, layer: str, guide: jax.Array) -> jax.Array:
    features = maps(seen, layer)
    dots = features.reshape(-1, features.shape[-1]) @ guide.reshape(-1, guide.shape[-1]).T
    return jnp.mean(jnp.max(dots, -1))


def style(layer: str, target: Style, style_loss: str = "gram") -> Objective:
    """The distance of a layer's moments from a style's, the mean over the group; subtract it to get the style.

    Args:
      layer: Name of an activation.
      target: As `StyleObjective.style_targets` makes it.
      style_loss: A key of `DISTANCES`.
    """
    if style_loss not in DISTANCES:
        raise JaxstyleError(f"unknown style loss {style_loss!r}; {did_you_mean(style_loss, DISTANCES)}")
    return term(f"style/{layer}", _STYLES[style_loss], layer, target)


def style_of(features: Features, picture: Any, layers: Sequence[str], style_loss: str = "gram") -> Objective:
    """The sum over layers of `style`, the targets taken from a painting; subtract it to get its style.

    Args:
      features: The network that looks, the same that will look at the result.
      picture: The painting `[h, w, 3]` in [0, 1].
      layers: Names of activations.
      style_loss: A key of `DISTANCES`.
    """
    look = StyleObjective(features.network, (), tuple(layers), style_loss)
    moments = jax.jit(look.style_moments)(jnp.asarray(picture), features.params)
    targets = look.style_targets([moments], jnp.ones(1), None, None)
    return functools.reduce(Objective.__add__, [style(layer, targets[layer], style_loss) for layer in layers])


def _style(style_loss: str) -> Any:
    def score(seen: Seen, layer: str, target: Style) -> jax.Array:
        each = jax.vmap(lambda features: style_distance(style_loss, features, target))
        return jnp.mean(each(maps(seen, layer)))

    return score


_STYLES = {name: _style(name) for name in DISTANCES}


def total_variation() -> Objective:
    """The squared total variation of the pictures; subtract it to smooth."""
    return term("total_variation", _total_variation)


def _total_variation(seen: Seen, layer: str, numbers: Any) -> jax.Array:
    return jnp.mean(losses.total_variation(seen.pictures))
