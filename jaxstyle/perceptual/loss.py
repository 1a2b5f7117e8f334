"""The perceptual loss of one picture: its layers and distances, the targets they need, and the objective of both."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.features import Features
from jaxstyle.ops.matching import Bag, bag
from jaxstyle.ops.moments import Moments, moments
from jaxstyle.perceptual import terms
from jaxstyle.perceptual.matching import Matching, matching_target
from jaxstyle.perceptual.objective import Objective
from jaxstyle.perceptual.style import Content, Style, content_target, shrink_mask, style_targets

BAG = 4096
"""Vectors of a painting that are kept: twice as many change the pictures no more than another seed does."""


class Weights(NamedTuple):
    """Scalars by which the terms are multiplied; `layers` is `[number of style layers]`."""

    content: Any
    total_variation: Any
    layers: Any
    matching: Any = np.float32(0)
    structure: Any = np.float32(0)


def normalized(layer_weights: Sequence[float]) -> np.ndarray:
    """Weights of the style layers, float32 of sum 1."""
    layers = np.array(layer_weights, np.float32)
    return layers / layers.sum()


@dataclasses.dataclass(frozen=True)
class PerceptualLoss:
    """The perceptual loss of one picture, to be made small; equal instances share compiled programs.

        loss = content · mean_l |f_l - c_l|² / mean(c_l²)
             + Σ_l layer_l · Σ_r share_r · D(moments(f_l / s_lr), target_lr)
             + structure · mean_l |P(f_l) - P(c_l)|, P the pattern of which place resembles which
             + matching · mean_l Σ_r mean_p weight_rp (1 - cos(f_lp - mean_lr, nearest_lrp))
             + total_variation · TV(picture)

    Every feature distance is relative: it is divided by the energy of its target, so that weights mean the same
    for every network, every preprocessing and every style, however contrasty. A style distance of 1 is about
    that of a featureless picture.

    Attributes:
      network: The Flax module of the feature extractor.
      content_layers: Names of activations.
      style_layers: Names of activations.
      style_loss: A key of `DISTANCES`.
      matching_layers: Names of activations whose places are matched; where there are none the fourth term is not there.
      dtype: In which the network computes; moments and the picture stay float32.
      structure: Whether the second term is there.
      periodic: Whether the picture repeats; the network must then be one with circular padding.
    """

    network: Any
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    style_loss: str = "wasserstein"
    dtype: str = "float32"
    matching_layers: tuple[str, ...] = ()
    structure: bool = False
    periodic: bool = False

    @property
    def layers(self) -> tuple[str, ...]:
        """All layers compared."""
        return tuple(dict.fromkeys(self.content_layers + self.style_layers + self.matching_layers))

    def extract(self, image: jax.Array, params: Any, layers: tuple[str, ...]) -> dict[str, jax.Array]:
        """Activations `[h, w, C]` of one picture `[H, W, 3]` in [0, 1]."""
        found = activations_of(self.network, self.dtype, params, image[None], layers)
        return {name: activation[0] for name, activation in found.items()}

    def content_targets(self, image: jax.Array, params: Any) -> dict[str, Content]:
        """The targets of the content layers that a photo `[H, W, 3]` sets."""
        found = self.extract(image, params, self.content_layers)
        return {layer: content_target(features, self.structure) for layer, features in found.items()}

    def style_moments(self, image: jax.Array, params: Any, mask: jax.Array | None = None) -> dict[str, Moments]:
        """Moments of a painting `[H, W, 3]`, where its mask `[H, W]` is set."""
        found = self.extract(image, params, self.style_layers)
        return {layer: moments(f, None if mask is None else shrink_mask(mask, f)) for layer, f in found.items()}

    def style_targets(
        self, styles: Sequence[dict[str, Moments]], weights: jax.Array, masks: jax.Array | None, sizes: Any
    ) -> dict[str, Style]:
        """The targets of the style layers; see `style.style_targets`.

        Args:
          styles: `style_moments` of each of S paintings.
          weights: `[S]`, non-negative, not all zero.
          masks: `[S, H, W]` in [0, 1], where each style goes; None blends them everywhere.
          sizes: `{layer: activation [h, w, C] or its shape}` of the picture; not used without masks.
        """
        layers = self.style_layers
        parts = [[style[layer] for style in styles] for layer in layers]
        like = [sizes and sizes[layer] for layer in layers]
        return dict(zip(layers, style_targets(parts, weights, masks, like, self.style_loss), strict=True))

    def bags(self, image: jax.Array, params: Any, mask: jax.Array | None = None, count: int = BAG) -> dict[str, Bag]:
        """Bags of so many vectors of a painting `[H, W, 3]` at most, where its mask `[H, W]` is set."""
        made = {}
        for layer, features in self.extract(image, params, self.matching_layers).items():
            weights = None if mask is None else shrink_mask(mask, features)
            made[layer] = bag(features, moments(features, weights).mean, count, weights)
        return made

    def matching_targets(
        self, photo: jax.Array, params: Any, bags: Sequence[dict[str, Bag]], weights: jax.Array, masks: Any
    ) -> dict[str, Matching]:
        """The targets of the matching layers that a photo and `bags` of S paintings set; see `matching_target`."""
        found = self.extract(photo, params, self.matching_layers)
        return {
            layer: matching_target(found[layer], [one[layer] for one in bags], weights, masks)
            for layer in self.matching_layers
        }

    def objective(
        self,
        content: Mapping[str, Content],
        style: Mapping[str, Style],
        weights: Weights,
        matching: Mapping[str, Matching] = MappingProxyType({}),
    ) -> Objective:
        """The loss as a weighted sum of terms, to be made small."""
        parts = [terms.content_to(layer, content[layer]) * (weights.content / len(content)) for layer in content]
        if self.structure:
            parts += [terms.structure(layer, content[layer]) * (weights.structure / len(content)) for layer in content]
        for i, layer in enumerate(self.style_layers):
            parts.append(terms.style(layer, style[layer], self.style_loss) * weights.layers[i])
        parts += [terms.matching(layer, matching[layer]) * (weights.matching / len(matching)) for layer in matching]
        parts.append(terms.total_variation(periodic=self.periodic) * weights.total_variation)
        return functools.reduce(Objective.__add__, parts)


def activations_of(
    network: Any, dtype: str, params: Any, pictures: jax.Array, layers: tuple[str, ...]
) -> dict[str, jax.Array]:
    """Activations of a feature extractor.

    Args:
      network: The Flax module.
      dtype: In which it computes.
      params: Its parameters.
      pictures: `[B, H, W, 3]` in [0, 1].
      layers: Names of activations.

    Returns:
      Layer -> `[B, h, w, C]`, or `[B, K]` of class logits.
    """
    if not layers:
        return {}
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params)
    return network.apply({"params": params}, pictures.astype(dtype), layers)[1]


@functools.partial(jax.jit, static_argnums=(0, 1))
def extracted(network: Any, layers: tuple[str, ...], picture: jax.Array, params: Any) -> dict[str, jax.Array]:
    """Activations `[h, w, C]` of one picture `[H, W, 3]`, compiled once a size."""
    found = activations_of(network, "float32", params, picture[None], layers)
    return {layer: activation[0] for layer, activation in found.items()}


@functools.partial(jax.jit, static_argnums=0)
def painting_moments(
    loss: PerceptualLoss, painting: jax.Array, params: Any, mask: jax.Array | None = None
) -> dict[str, Moments]:
    """`PerceptualLoss.style_moments`, compiled once a size."""
    return loss.style_moments(painting, params, mask)


@functools.partial(jax.jit, static_argnums=0)
def painting_targets(
    loss: PerceptualLoss, painting: jax.Array, params: Any, mask: jax.Array | None = None
) -> tuple[dict[str, Moments], dict[str, Bag]]:
    """`PerceptualLoss.style_moments` and `bags`, which share their features, compiled once a size."""
    return loss.style_moments(painting, params, mask), loss.bags(painting, params, mask)


@functools.partial(jax.jit, static_argnums=0)
def picture_targets(
    loss: PerceptualLoss,
    photo: jax.Array,
    params: Any,
    styles: Sequence[tuple[dict[str, Moments], dict[str, Bag]]],
    weights: jax.Array,
    masks: jax.Array | None,
) -> tuple[dict[str, Content], dict[str, Style], dict[str, Matching]]:
    """The content, style and matching targets of a picture of the photo's size, compiled once a size.

    Args:
      loss: What is to be made small.
      photo: `[H, W, 3]` in [0, 1].
      params: Of the feature extractor.
      styles: `painting_targets` of each of S paintings.
      weights: `[S]`, non-negative, not all zero.
      masks: `[S, H, W]` in [0, 1], where each style goes; None blends them everywhere.
    """
    weights = jnp.asarray(weights)
    sizes = jax.eval_shape(lambda photo: loss.extract(photo, params, loss.style_layers), photo)
    style = loss.style_targets([moments for moments, _ in styles], weights, masks, sizes)
    matching = loss.matching_targets(photo, params, [bags for _, bags in styles], weights, masks)
    return loss.content_targets(photo, params), style, matching


@functools.partial(jax.jit, static_argnums=0)
def blended_style(loss: PerceptualLoss, styles: Any, weights: jax.Array) -> dict[str, Style]:
    """The style targets of paintings blended everywhere, compiled once."""
    return loss.style_targets(styles, jnp.asarray(weights), None, None)


def style_of(features: Features, picture: Any, layers: Sequence[str], style_loss: str = "gram") -> Objective:
    """The sum over layers of `style`, the targets taken from a painting; subtract it to get its style.

    Args:
      features: The feature extractor, the same that the result is judged by.
      picture: The painting `[h, w, 3]` in [0, 1].
      layers: Names of activations.
      style_loss: A key of `DISTANCES`.
    """
    loss = PerceptualLoss(features.network, (), tuple(layers), style_loss)
    moments = painting_moments(loss, jnp.asarray(picture), features.params)
    targets = loss.style_targets([moments], jnp.ones(1), None, None)
    return functools.reduce(Objective.__add__, [terms.style(layer, targets[layer], style_loss) for layer in layers])
