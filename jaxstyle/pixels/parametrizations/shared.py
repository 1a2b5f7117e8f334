"""Pictures of one group that share their large shapes: a low-resolution base for all, and each its own rest."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle.ops.resampling import resize_image
from jaxstyle.pixels.parametrizations.base import Parametrization
from jaxstyle.pixels.parametrizations.bounded import Basis, bounded
from jaxstyle.pixels.parametrizations.fourier import FOURIER_BASIS


@functools.cache
def shared_base(basis: Basis = FOURIER_BASIS, factor: int = 8) -> Parametrization:
    """A parametrisation of a group `[B, H, W, 3]`: `{"base": [H / factor, W / factor, 3], "own": basis of [B, …]}`.

    What all B pictures have in common moves in one place, so that they stay comparable: neighbours of an
    interpolation differ in what they must and are aligned in the rest.

    Args:
      basis: In which each picture's own part is written.
      factor: By which the base is smaller.

    References:
      tensorflow/lucid, `lowres_tensor`; Mordvintsev et al. 2018, "Differentiable Image Parameterizations".
    """

    def analyse(image: jax.Array) -> dict[str, Any]:
        height, width = image.shape[-3:-1]
        base = resize_image(jnp.mean(image, 0), -(-height // factor), -(-width // factor), "linear")
        return {"base": base, "own": basis.analyse(image - resize_image(base, height, width)[None])}

    def synthesise(params: dict[str, Any]) -> jax.Array:
        own = basis.synthesise(params["own"])
        height, width = own.shape[-3:-1]
        return own + resize_image(params["base"], height, width)[None]

    return bounded(Basis(analyse, synthesise))
