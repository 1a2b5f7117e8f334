"""Which style is meant: by name, by number, by picture, or a blend of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle import images
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.feedforward.model import StyleModel
from jaxstyle.images import Source
from jaxstyle.models.adain import Styles

Blend = list[tuple[Any, float]]  # styles and their weights, of sum 1


def parse_blend(text: str) -> Blend:
    """`a:0.3,b:0.7` as styles and weights.

    Raises:
      JaxstyleError: It is malformed, or a weight is.
    """
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
    """Whatever `apply_style` takes for a style as a blend.

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
    """The number of a style given by name or number.

    Raises:
      JaxstyleError: There is none.
    """
    word = str(style).strip()
    if word in model.styles:
        return model.styles.index(word)
    if word.isdecimal() and int(word) < len(model.styles):
        return int(word)
    last = len(model.styles) - 1
    raise JaxstyleError(f"the model has no style {word!r} (numbers: 0 to {last}); {did_you_mean(word, model.styles)}")


def seen_styles(model: StyleModel, paintings: Sequence[Source], size: int | None, strength: float) -> Styles:
    """What a network of any style is told of paintings `[1, S, …]`, each seen at its own size or at `size`.

    Raises:
      JaxstyleError: None is given, or one cannot be read or is too small; or the strength is not in [0, 1].
    """
    if not paintings:
        raise JaxstyleError("the model takes any style: name a painting")
    if not 0 <= strength <= 1:
        raise JaxstyleError(f"the strength is {strength:g}; it must be from 0 (the photo) to 1")
    look = jax.jit(lambda params, x: model.network.apply({"params": params}, x, method="style_of"))
    found = []
    for painting in paintings:
        rgb = images.read_picture(painting).rgb
        height, width = rgb.shape[:2]
        if size is not None:
            height, width = images.fit_size(height, width, size)
            rgb = images.resize(rgb, height, width)
        images.check_size(height, width, painting if isinstance(painting, str) else "style")
        found.append(jax.device_get(look(model.params, rgb[None])))
    return Styles(jax.tree.map(lambda *leaves: np.stack(leaves, 1), *found), jnp.full(1, strength))
