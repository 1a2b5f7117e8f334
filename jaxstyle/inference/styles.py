"""Styles for a trained model, by name, number or picture, and blends of several."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.inference.model_config import Network
from jaxstyle.inference.style_model import StyleModel
from jaxstyle.media.image_reading import PictureLike, read_visible
from jaxstyle.media.image_resizing import MIN_SIDE, check_size, fit_size, resize
from jaxstyle.models.adain import Styles
from jaxstyle.perceptual.sizes import least_longer_side
from jaxstyle.runtime import compiling

MOST = 512  # pixels of a painting's longer side: networks learn from smaller ones, and larger ones take memory

Blend = list[tuple[Any, float]]  # styles and their weights, of sum 1


def parse_blend(text: str) -> Blend:
    """`a:0.3,b:0.7` as styles and weights; raises `JaxstyleError` where it is malformed, or a weight is."""
    blend = []
    for part in text.split(","):
        style, colon, weight = part.rpartition(":")
        try:
            blend.append((style.strip(), float(weight)))
        except ValueError:
            colon = ""
        if not colon or not style.strip():
            raise JaxstyleError(f"--interpolate {text!r} is not of the form a:0.3,b:0.7")
    return blend_of(blend)


def blend_of(style: Any) -> Blend:
    """Makes a blend of every form of style that `apply_style` takes.

    Args:
      style: One style; several, for equal parts, or as pairs with weights; or a mapping from styles to weights. None
        and an empty list are no style.

    Raises:
      JaxstyleError: A weight is negative, not finite, or all are zero.
    """
    if style is None or (isinstance(style, list) and not style):
        return []
    several: Any = style.items() if isinstance(style, Mapping) else style if isinstance(style, list) else [style]
    pairs = [each if isinstance(each, tuple) else (each, 1.0) for each in several]
    for _, weight in pairs:
        if not (math.isfinite(weight) and weight >= 0):
            raise JaxstyleError(f"a style's weight is {weight:g}; it must be a finite number of at least 0")
    most = max(weight for _, weight in pairs)
    if not most:
        raise JaxstyleError("the styles' weights are all zero; give one at least a part")
    total = sum(weight / most for _, weight in pairs)  # which is finite, however large the weights are
    return [(each, weight / most / total) for each, weight in pairs]


def known_weights(model: StyleModel, blend: Blend) -> np.ndarray:
    """Weights `[1, S]` over the styles that a model has learnt; a model of one style needs no choice.

    Raises:
      JaxstyleError: It knows no such style, or none was chosen of several.
    """
    if not blend and len(model.styles) > 1:
        shown = ", ".join(model.styles[:3])
        raise JaxstyleError(f"the model knows {len(model.styles)} styles ({shown}, …): choose by name or number")
    weights = np.zeros((1, len(model.styles)), np.float32)
    for style, weight in blend or [(0, 1.0)]:
        weights[0, number_of(model, style)] += weight
    return weights


def number_of(model: StyleModel, style: Any) -> int:
    """The number of a style given by name or number; raises `JaxstyleError` where there is none."""
    word = str(style).strip()
    if word in model.styles:
        return model.styles.index(word)
    if word.isdecimal() and int(word) < len(model.styles):
        return int(word)
    last = len(model.styles) - 1
    raise JaxstyleError(f"the model has no style {word!r} (numbers: 0 to {last}); {did_you_mean(word, model.styles)}")


class Painting(NamedTuple):
    """A style given as a picture.

    Attributes:
      name: For sentences.
      rgb: `[h, w, 3]` float32 in [0, 1].
    """

    name: str
    rgb: np.ndarray

    def fitted(self, size: int) -> np.ndarray:
        """At a longer side of `size` pixels, where it is not smaller itself.

        Raises:
          JaxstyleError: It has too few pixels then.
        """
        height, width = self.rgb.shape[:2]
        height, width = fit_size(height, width, min(size, max(height, width)))
        check_size(height, width, self.name)
        return resize(self.rgb, height, width)


def read_paintings(styles: Sequence[PictureLike]) -> list[Painting]:
    """Paintings for a network of any style.

    Raises:
      JaxstyleError: None is given, or one cannot be read or is too small.
    """
    if not styles:
        raise JaxstyleError("the model takes any style: name a painting")
    names = [os.fspath(each) if isinstance(each, (str, os.PathLike)) else "style" for each in styles]
    found = [Painting(name, read_visible(each).rgb) for name, each in zip(names, styles, strict=True)]
    for painting in found:
        check_size(painting.rgb.shape[0], painting.rgb.shape[1], painting.name)
    return found


def usual_size(paintings: Sequence[Painting], longer: int = MOST) -> int:
    """The longer side in pixels at which paintings are seen by default: the photo's `longer` one, so that their
    strokes are in proportion, at most `MOST`, and so that the thinnest of them has enough pixels."""
    least = [least_longer_side(painting.rgb.shape[:2], MIN_SIDE) for painting in paintings]
    return max(min(longer, MOST), *least)


def encode_styles(model: StyleModel, paintings: Sequence[Painting], size: int, strength: float) -> Styles:
    """The encoding `[1, S, …]` of paintings seen at a longer side of `size` pixels, for a network of any style.

    Raises:
      JaxstyleError: At that size one has too few pixels.
    """
    encode = encoder(model.network)
    found = [jax.device_get(encode(model.params, painting.fitted(size)[None])) for painting in paintings]
    return Styles(jax.tree.map(lambda *leaves: np.stack(leaves, 1), *found), jnp.full(1, strength))


def shape_of_styles(model: StyleModel, count: int) -> Any:
    """The shapes of what `encode_styles` returns for so many paintings, whatever they are."""
    picture: Any = jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32)
    found: Any = jax.eval_shape(encoder(model.network), model.params, picture)
    stacked = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, count, *leaf.shape[1:]), leaf.dtype), found)
    strength: Any = jax.ShapeDtypeStruct((1,), np.float32)
    return Styles(stacked, strength)


@functools.lru_cache(maxsize=8)
def encoder(network: Network) -> Any:
    """`(params, [N, H, W, 3]) -> encoding [N, …]`, compiled once for each size of paintings."""
    return compiling.jit(
        lambda params, pictures: network.apply({"params": params}, pictures, method="style_of"), quick=True
    )
