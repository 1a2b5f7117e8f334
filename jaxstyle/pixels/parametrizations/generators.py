"""Small networks whose weights stand for the one picture they draw: deep image prior and CPPN."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.models.cppn import CPPN, coordinates
from jaxstyle.models.hourglass import Hourglass
from jaxstyle.ops.resampling import resize_image
from jaxstyle.pixels.parametrizations.base import Parametrization, unchanged
from jaxstyle.pixels.parametrizations.bounded import CORRELATED, from_rgb, to_rgb

RIDGE = 1e-4
"""Ridge of the least squares that fit the last layer, relative to the mean square of a feature."""


def generator(
    module: nn.Module,
    inputs: Callable[[int, int], jax.Array],
    resized: Callable[[jax.Array, int, int], jax.Array],
    seed: int,
) -> Parametrization:
    """The parametrisation sigmoid(colours · (features of the network · head)) of single pictures `[H, W, 3]`.

    Parameters are `{"inputs", "network", "head"}`: the fixed input, which gets no gradient and carries the picture's
    size; the network's weights; and the last, linear layer `[F + 1, 3]`. A picture is encoded by random weights and
    a head fitted to it by least squares: its large shapes and colours, the rest has to come with the steps.

    Args:
      module: Input -> features `[H, W, F]`.
      inputs: (height, width) -> the module's input.
      resized: (input, height, width) -> the input that gives about the same picture at another size.
      seed: Of the random weights.
    """

    def draw(params: dict[str, Any]) -> jax.Array:
        features = module.apply(params["network"], jax.lax.stop_gradient(params["inputs"]))
        return features @ params["head"][:-1] + params["head"][-1].reshape(1, 1, 3)

    def fit(network: Any, given: jax.Array, wanted: jax.Array) -> dict[str, Any]:
        features: Any = module.apply(network, given)
        return {"inputs": given, "network": network, "head": least_squares(features, wanted)}

    def encode(image: jax.Array) -> dict[str, Any]:
        height, width, _ = image.shape
        given = inputs(height, width)
        return fit(module.init(jax.random.key(seed), given), given, from_rgb(image, CORRELATED))

    def resize(params: dict[str, Any], height: int, width: int) -> dict[str, Any]:
        wanted = resize_image(draw(params), height, width)
        return fit(params["network"], resized(params["inputs"], height, width), wanted)

    return Parametrization(encode, lambda params: to_rgb(draw(params), CORRELATED), unchanged, resize)


def least_squares(features: jax.Array, wanted: jax.Array) -> jax.Array:
    """The affine map `[F + 1, 3]`, its last row the constant, that brings `[H, W, F]` nearest to `[H, W, 3]`."""
    x, y = features.reshape(-1, features.shape[-1]), wanted.reshape(-1, wanted.shape[-1])
    mean_x, mean_y = jnp.mean(x, 0), jnp.mean(y, 0)
    centred = x - mean_x[None]
    gram = centred.T @ centred / len(x)
    ridge = RIDGE * jnp.mean(jnp.square(x)) * jnp.eye(gram.shape[0])
    head = jnp.linalg.solve(gram + ridge, centred.T @ (y - mean_y[None]) / len(x))
    return jnp.concatenate([head, (mean_y - mean_x @ head)[None]])


@functools.cache
def deep_image_prior(seed: int = 0, channels: int = 8) -> Parametrization:
    """An hourglass over fixed noise `[H, W, channels]` (Ulyanov et al. 2018)."""

    def noise(height: int, width: int) -> jax.Array:
        return jax.random.uniform(jax.random.key(seed + 1), (height, width, channels)) - 0.5

    return generator(Hourglass(), noise, resize_image, seed)


@functools.cache
def cppn(seed: int = 0) -> Parametrization:
    """A function of the coordinates, drawn at any size (Mordvintsev et al. 2018)."""
    return generator(CPPN(), coordinates, lambda _, height, width: coordinates(height, width), seed)
