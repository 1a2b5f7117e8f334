"""Terms of perceptual objectives: distances to a photo's content and to a painting's style, and smoothness.

Distances are scores like all others: an objective subtracts them to make them small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle import losses
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.perceptual.matching import Matching, find, matched_distance
from jaxstyle.perceptual.objective import Activations, Objective, maps, term
from jaxstyle.perceptual.style import (
    DISTANCES,
    Content,
    Style,
    content_distance,
    mean_square,
    structure_distance,
    style_distances,
)


def content(layer: str) -> Objective:
    """Content term: the distance of a layer's activation to that of the reference picture; subtract it to stay near.

    `mean((f - r)²) / mean(r²)` over height, width and channels.

    Args:
      layer: Name of an activation of the feature extractor, such as `"relu4_1"`.
    """
    return term(f"content/{layer}", _content, layer, compares=True)


def _content(activations: Activations, layer: str, numbers: Any) -> jax.Array:
    features = maps(activations, layer)
    reference = jax.lax.stop_gradient(activations.reference[layer].astype(jnp.float32))
    distances = losses.content_distance(features, jnp.broadcast_to(reference, features.shape))
    return jnp.mean(distances) / mean_square(reference)


def content_to(layer: str, target: Content) -> Objective:
    """The distance of a layer from a fixed target, the mean over the group; otherwise as `content`."""
    return term(f"content/{layer}", _content_to, layer, target)


def _content_to(activations: Activations, layer: str, target: Content) -> jax.Array:
    return mean_over_group(lambda features: content_distance(features, target), activations.taps[layer])


def structure(layer: str, target: Content) -> Objective:
    """Structure term: the self-similarity distance of a layer to a fixed target, the mean over the group.

    Subtracted, the term binds the picture's composition to the photo's and leaves colours and textures free.
    """
    return term(f"structure/{layer}", _structure, layer, target)


def _structure(activations: Activations, layer: str, target: Content) -> jax.Array:
    return mean_over_group(lambda features: structure_distance(features, target), activations.taps[layer])


def style(layer: str, target: Style, style_loss: str = "gram") -> Objective:
    """Style term: the distance of a layer's moments to a style's, the mean over the group; subtract it for the style.

    Args:
      layer: Name of an activation.
      target: As `style_target` or `PerceptualLoss.style_targets` makes it.
      style_loss: A key of `DISTANCES`.
    """
    if style_loss not in DISTANCES:
        raise JaxstyleError(f"unknown style loss {style_loss!r}; {did_you_mean(style_loss, DISTANCES)}")
    return term(f"style/{layer}", _STYLES[style_loss], layer, target, joint=True)


def _style(style_loss: str) -> Any:
    def scores(activations: Activations, layers: list[str], targets: list[Style]) -> list[jax.Array]:
        groups = zip(*(activations.taps[layer] for layer in layers), strict=True)  # for each picture its layers
        distances = [style_distances(style_loss, features, targets) for features in groups]
        return [jnp.mean(jnp.stack(each)) if len(each) > 1 else each[0] for each in zip(*distances, strict=True)]

    return scores


_STYLES = {name: _style(name) for name in DISTANCES}


def matching(layer: str, target: Matching) -> Objective:
    """Matching term: the mean distance between places of a layer and the painting's vectors they match; subtract it."""
    return term(f"matching/{layer}", _matching, layer, target, match=_find)


def _matching(activations: Activations, layer: str, target: Matching) -> jax.Array:
    (features,) = activations.taps[layer]
    return matched_distance(features, target)


def _find(activations: Activations, layer: str, target: Matching) -> jax.Array:
    (features,) = activations.taps[layer]
    return find(features, target)


def total_variation(*, periodic: bool = False) -> Objective:
    """Smoothness term: the squared total variation of the pictures; subtract it to smooth.

    Args:
      periodic: Whether the pictures repeat: then the last row and column are neighbours of the first.
    """
    return term("total_variation", _torus_variation if periodic else _total_variation)


def _total_variation(activations: Activations, layer: str, numbers: Any) -> jax.Array:
    return jnp.mean(losses.total_variation(activations.pictures))


def _torus_variation(activations: Activations, layer: str, numbers: Any) -> jax.Array:
    return jnp.mean(losses.total_variation(activations.pictures, periodic=True))


def mean_over_group(distance: Callable[[jax.Array], jax.Array], features: jax.Array) -> jax.Array:
    """The mean of a distance over the pictures of a group `[B, …]`; of one picture it is computed without that axis."""
    return jnp.mean(jnp.stack([distance(one) for one in features])) if len(features) > 1 else distance(features[0])
