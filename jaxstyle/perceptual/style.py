"""Targets of style and content, and the distances to them, of one layer's activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxstyle import losses
from jaxstyle.ops.moments import Moments, combine, energy, moments, scale

ENERGY_FLOOR = 1e-6
"""Smallest mean square by which features are divided, so that a black layer of a style does not give infinity."""

DISTANCES = {
    "wasserstein": losses.wasserstein_distance,
    "gram": losses.gram_distance,
    "mean-std": losses.mean_std_distance,
}


class Style(NamedTuple):
    """The style target of a layer, region by region (R of them; one where there are no masks).

    Attributes:
      moments: Target moments `[R, …]`, of features divided by `scale`.
      root: `[R, 2, C, C]` for Wasserstein-2, of `losses.wasserstein_root` (empty `[R, 0, 0]` otherwise).
      scale: `[R]`, root mean square of the target's features.
      share: `[R]`, weight of each region's distance; sums to one.
      masks: `[R, h, w]` in [0, 1] at the layer's size, or None.
    """

    moments: Moments
    root: jax.Array
    scale: jax.Array
    share: jax.Array
    masks: jax.Array | None


class Content(NamedTuple):
    """The content target of a layer.

    Attributes:
      features: `[h, w, C]`, the photo's activation.
      energy: Its mean square.
      pattern: `[N, N]`, which of its N `cells` resembles which; None where the structure is not compared.
    """

    features: jax.Array
    energy: jax.Array
    pattern: Any = None


CELLS = 24
"""Cells along the longer side of a layer between which `structure_distance` compares: at most 576 in all."""


def content_target(features: jax.Array, structure: bool = False) -> Content:
    """Makes the content target of a photo's activation `[h, w, C]`, with its pattern where `structure` is compared."""
    pattern = losses.self_similarity(cells(features)) if structure else None
    return Content(features, mean_square(features), pattern)


def content_distance(features: jax.Array, target: Content) -> jax.Array:
    """Mean squared difference of an activation `[h, w, C]` from the target, relative to the target's energy."""
    return losses.content_distance(features, target.features) / target.energy


def structure_distance(features: jax.Array, target: Content) -> jax.Array:
    """Self-similarity distance of an activation `[h, w, C]` to a target, a float32 scalar in [0, 2].

    Places are means over equal cells, so that all of the picture is compared at every step.
    """
    return losses.self_similarity_distance(cells(features), target.pattern)


def cells(features: jax.Array) -> jax.Array:
    """Means `[N, C]` over square cells of an activation `[h, w, C]`; rows and columns left over are passed over."""
    height, width, channels = features.shape
    side = -(-max(height, width) // CELLS)
    rows, columns = max(1, height // side), max(1, width // side)
    high, wide = min(side, height), min(side, width)
    kept = features[: rows * high, : columns * wide].astype(jnp.float32)
    return jnp.mean(kept.reshape(rows, high, columns, wide, channels), (1, 3)).reshape(-1, channels)


def style_targets(
    parts: Sequence[Sequence[Moments]],
    weights: jax.Array,
    masks: jax.Array | None,
    like: Sequence[Any],
    style_loss: str,
) -> list[Style]:
    """The style targets of layers: styles blended into one where there are no masks, else one a region.

    Args:
      parts: For each layer its moments in each of S paintings.
      weights: `[S]`, non-negative, not all zero.
      masks: `[S, H, W]` in [0, 1], where each style goes; None blends them everywhere.
      like: For each layer the picture's activation `[h, w, C]`, or its shape, to whose size masks are shrunk.
      style_loss: A key of `DISTANCES`.
    """
    made = [style_target(part, weights, masks, one) for part, one in zip(parts, like, strict=True)]
    if style_loss != "wasserstein":
        return made
    roots = losses.wasserstein_roots([style.moments for style in made])
    return [style._replace(root=root) for style, root in zip(made, roots, strict=True)]


def style_target(parts: Sequence[Moments], weights: jax.Array, masks: jax.Array | None, like: Any) -> Style:
    """The style target of one layer, without a root; arguments as of `style_targets`."""
    if masks is None:
        target = jax.tree.map(lambda leaf: leaf[None], combine(parts, weights))
        shrunk, share = None, jnp.ones(1)
    else:
        target = jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)
        shrunk = jnp.stack([shrink_mask(mask, like) for mask in masks])
        area = weights * jnp.mean(shrunk, (1, 2))
        share = area / jnp.maximum(jnp.sum(area), ENERGY_FLOOR)
    size = jnp.sqrt(jnp.maximum(energy(target), ENERGY_FLOOR))
    return Style(scale(target, 1 / size), jnp.zeros((len(share), 0, 0)), size, share, shrunk)


def style_distances(style_loss: str, features: Sequence[jax.Array], styles: Sequence[Style]) -> list[jax.Array]:
    """Sums, for each layer, the weighted distances over regions between the layer's moments and the target's.

    Args:
      style_loss: A key of `DISTANCES`.
      features: The activation `[h, w, C]` of one picture in each layer.
      styles: The target of each layer.

    Returns:
      Float32 scalars; each about 1 for a featureless picture.
    """
    found = [relative_moments(x, style) for x, style in zip(features, styles, strict=True)]
    targets = [style.moments for style in styles]
    if style_loss == "wasserstein":
        distances = losses.wasserstein_distances(found, targets, [style.root for style in styles])
    else:
        distances = [DISTANCES[style_loss](a, b) for a, b in zip(found, targets, strict=True)]
    return [jnp.sum(style.share * distance) for style, distance in zip(styles, distances, strict=True)]


def relative_moments(features: jax.Array, style: Style) -> Moments:
    """Moments `[R, …]` of an activation `[h, w, C]` in the regions of a target, divided by its scale."""
    if style.masks is None:
        found = jax.tree.map(lambda leaf: leaf[None], moments(features))
    else:
        found = jax.vmap(moments, in_axes=(None, 0))(features, style.masks)
    return scale(found, 1 / style.scale)


def mean_square(features: jax.Array) -> jax.Array:
    """Mean of the squares in float32, at least `ENERGY_FLOOR`."""
    return jnp.maximum(jnp.mean(jnp.square(features.astype(jnp.float32))), ENERGY_FLOOR)


def shrink_mask(mask: jax.Array, like: Any) -> jax.Array:
    """A mask `[H, W]` averaged down to the size of an activation `[h, w, C]`."""
    return jax.image.resize(mask, like.shape[:2], "linear")
