"""Image parametrisations: which numbers the optimiser moves, and how a picture is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Params = Any


class Parametrization(NamedTuple):
    """Four pure functions of one picture `[H, W, 3]`, RGB in [0, 1], or of its parameters.

    Attributes:
      encode: Picture -> parameters.
      decode: Parameters -> picture; differentiable, it is what the objective sees.
      project: Parameters -> the nearest allowed parameters, applied after every update.
      resize: (parameters, height, width) -> parameters of the same picture at another size.
    """

    encode: Callable[[jax.Array], Params]
    decode: Callable[[Params], jax.Array]
    project: Callable[[Params], Params]
    resize: Callable[[Params, int, int], Params]


def resize_image(image: jax.Array, height: int, width: int, method: str = "cubic") -> jax.Array:
    """A picture `[H, W, C]` resampled to `[height, width, C]`; antialiased when it shrinks."""
    return jax.image.resize(image, (height, width, image.shape[-1]), method)


def clip(image: jax.Array) -> jax.Array:
    """The picture with every value moved into [0, 1]."""
    return jnp.clip(image, 0, 1)


RGB = Parametrization(
    encode=lambda image: image,
    decode=lambda params: params,
    project=clip,
    resize=lambda params, height, width: clip(resize_image(params, height, width)),
)
"""Plain pixels, kept in [0, 1] by clipping after every update (projected gradient descent)."""

FREE_RGB = RGB._replace(project=lambda params: params)
"""Plain pixels without bounds, for quasi-Newton optimisers, whose curvature estimate clipping would spoil."""
