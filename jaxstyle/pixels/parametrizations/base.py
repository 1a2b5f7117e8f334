"""The type of parametrisations, and the plainest one: the pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxstyle.ops.resampling import resize_image

Params = Any


class Parametrization(NamedTuple):
    """Four pure functions of pictures `[..., H, W, 3]`, RGB in [0, 1], or of their parameters.

    Attributes:
      encode: Pictures -> parameters.
      decode: Parameters -> pictures; differentiable, it is what the objective sees.
      project: Parameters -> the nearest allowed parameters, applied after every update.
      resize: (parameters, height, width) -> parameters of the same pictures at another size.
      spatial: Whether the parameters lie like the picture's pixels, so that what the optimiser remembers of them can
        be resampled to another size.
      periodic: Whether the picture repeats: what leaves it on one side comes in on the other.
    """

    encode: Callable[[jax.Array], Params]
    decode: Callable[[Params], jax.Array]
    project: Callable[[Params], Params]
    resize: Callable[[Params, int, int], Params]
    spatial: bool = False
    periodic: bool = False


def unchanged(params: Params) -> Params:
    """The projection of parameters that may be anything."""
    return params


def clip(image: jax.Array) -> jax.Array:
    """The picture with every value moved into [0, 1]."""
    return jnp.clip(image, 0, 1)


RGB = Parametrization(
    encode=lambda image: image,
    decode=lambda params: params,
    project=clip,
    resize=lambda params, height, width: clip(resize_image(clip(params), height, width)),
    spatial=True,
)
"""Plain pixels, kept in [0, 1] by clipping after every update (projected gradient descent)."""

PERIODIC_RGB = RGB._replace(
    resize=lambda params, height, width: clip(resize_image(clip(params), height, width, periodic=True)), periodic=True
)
"""Plain pixels of a picture that repeats."""

FREE_RGB = RGB._replace(project=unchanged)
"""Plain pixels without bounds, for quasi-Newton optimisers, whose curvature estimate clipping would spoil."""

FREE_PERIODIC_RGB = PERIODIC_RGB._replace(project=unchanged)
"""Both at once."""
