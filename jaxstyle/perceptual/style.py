"""Style transfer: the content of one picture, the moments of others, as an objective of the pixel loop."""

from __future__ import annotations

import dataclasses
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
    """What a picture's layer should look like, region by region (R of them; one where there are no masks).

    Attributes:
      moments: Target moments `[R, …]`, of features divided by `scale`.
      root: `[R, C, C]` root of the target covariance, for Wasserstein-2 (empty `[R, 0, 0]` otherwise).
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
    """Activations `[h, w, C]` to stay near to, and their mean square."""

    features: jax.Array
    energy: jax.Array


class Weights(NamedTuple):
    """Scalars by which the terms are multiplied."""

    content: Any
    total_variation: Any
    layers: Any  # [number of style layers]


class Targets(NamedTuple):
    """All that the objective needs of one picture at one scale."""

    content: dict[str, Content]
    style: dict[str, Style]
    weights: Weights


@dataclasses.dataclass(frozen=True)
class StyleObjective:
    """`(picture, targets, network parameters, key) -> (loss, terms)`; equal objectives share compiled programs.

        loss = content · mean_l |f_l - c_l|² / mean(c_l²)
             + Σ_l layer_l · Σ_r share_r · D(moments(f_l / s_lr), target_lr)
             + total_variation · TV(picture)

    Every feature distance is relative: it is divided by the energy of its target, so that weights mean the same
    for every network, every preprocessing and every style, however contrasty. A style distance of 1 is about
    that of a featureless picture.

    Attributes:
      network: The Flax module of the features.
      content_layers: Names of activations.
      style_layers: Names of activations.
      style_loss: A key of `DISTANCES`.
      dtype: In which the network computes; moments and the picture stay float32.
      periodic: Whether the picture repeats; the network must then be one with circular padding.
    """

    network: Any
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    style_loss: str = "wasserstein"
    dtype: str = "float32"
    periodic: bool = False

    @property
    def taps(self) -> tuple[str, ...]:
        """All layers looked at."""
        return tuple(dict.fromkeys(self.content_layers + self.style_layers))

    def look(self, image: jax.Array, params: Any, taps: tuple[str, ...]) -> dict[str, jax.Array]:
        """Activations `[h, w, C]` of one picture `[H, W, 3]`."""
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, self.dtype), params)
        _, seen = self.network.apply({"params": params}, image[None].astype(self.dtype), taps)
        return {name: activation[0] for name, activation in seen.items()}

    def __call__(
        self, image: jax.Array, targets: Targets, params: Any, key: jax.Array | None = None
    ) -> tuple[jax.Array, dict[str, Any]]:
        """The loss of one picture `[H, W, 3]` and its weighted terms."""
        del key  # nothing is random here
        seen = self.look(image, params, self.taps)
        terms: dict[str, Any] = {}
        for layer in self.content_layers:
            target = targets.content[layer]
            distance = losses.content_distance(seen[layer], target.features) / target.energy
            terms[f"content/{layer}"] = targets.weights.content / len(self.content_layers) * distance
        for i, layer in enumerate(self.style_layers):
            distance = style_distance(self.style_loss, seen[layer], targets.style[layer])
            terms[f"style/{layer}"] = targets.weights.layers[i] * distance
        terms["total_variation"] = targets.weights.total_variation * losses.total_variation(
            image, periodic=self.periodic
        )
        return jnp.sum(jnp.stack(list(terms.values()))), terms

    def content_targets(self, image: jax.Array, params: Any) -> dict[str, Content]:
        """What `image` `[H, W, 3]` asks of the content layers."""
        seen = self.look(image, params, self.content_layers)
        return {layer: Content(f, mean_square(f)) for layer, f in seen.items()}

    def style_moments(self, image: jax.Array, params: Any, mask: jax.Array | None = None) -> dict[str, Moments]:
        """Moments of a style picture `[H, W, 3]`, where its mask `[H, W]` is set."""
        seen = self.look(image, params, self.style_layers)
        return {layer: moments(f, None if mask is None else shrink(mask, f)) for layer, f in seen.items()}

    def style_targets(
        self, styles: Sequence[dict[str, Moments]], weights: jax.Array, masks: jax.Array | None, sizes: Any
    ) -> dict[str, Style]:
        """The styles of a picture: blended into one where there are no masks, else one a region.

        Args:
          styles: `style_moments` of each of S styles.
          weights: `[S]`, non-negative, not all zero.
          masks: `[S, H, W]` in [0, 1], where each style goes; None blends them everywhere.
          sizes: `{layer: features [h, w, C] or their shapes}` of the picture, to shrink the masks to.
        """
        out = {}
        for layer in self.style_layers:
            parts = [style[layer] for style in styles]
            if masks is None:
                target = jax.tree.map(lambda leaf: leaf[None], combine(parts, weights))
                shrunk, share = None, jnp.ones(1)
            else:
                target = jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)
                shrunk = jnp.stack([shrink(mask, sizes[layer]) for mask in masks])
                area = weights * jnp.mean(shrunk, (1, 2))
                share = area / jnp.maximum(jnp.sum(area), ENERGY_FLOOR)
            out[layer] = self.style_target(target, share, shrunk)
        return out

    def style_target(self, target: Moments, share: jax.Array, masks: jax.Array | None) -> Style:
        """The target at its own scale, with what its distance needs worked out once."""
        size = jnp.sqrt(jnp.maximum(energy(target), ENERGY_FLOOR))
        target = scale(target, 1 / size)
        needs_root = self.style_loss == "wasserstein"
        root = losses.wasserstein_root(target) if needs_root else jnp.zeros((len(share), 0, 0))
        return Style(target, root, size, share, masks)


def style_distance(style_loss: str, features: jax.Array, style: Style) -> jax.Array:
    """Weighted sum over regions of the distance between a layer's moments and the target's.

    Args:
      style_loss: A key of `DISTANCES`.
      features: Activation `[h, w, C]` of one picture.
      style: The target.
    """
    if style.masks is None:
        seen = jax.tree.map(lambda leaf: leaf[None], moments(features))
    else:
        seen = jax.vmap(moments, in_axes=(None, 0))(features, style.masks)
    seen = scale(seen, 1 / style.scale)
    if style_loss == "wasserstein":
        distances = losses.wasserstein_distance(seen, style.moments, style.root)
    else:
        distances = DISTANCES[style_loss](seen, style.moments)
    return jnp.sum(style.share * distances)


def mean_square(features: jax.Array) -> jax.Array:
    """Mean of the squares in float32, at least `ENERGY_FLOOR`."""
    return jnp.maximum(jnp.mean(jnp.square(features.astype(jnp.float32))), ENERGY_FLOOR)


def shrink(mask: jax.Array, like: Any) -> jax.Array:
    """A mask `[H, W]` averaged down to the size of an activation `[h, w, C]`."""
    return jax.image.resize(mask, like.shape[:2], "linear")
