"""DeepDream's normalisation and smoothing of a picture's gradient, as optax transformations; and their chain."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxstyle.ops import pyramid

FLOOR = 1e-8
"""Added to what a gradient is divided by, so that a gradient of zero stays one."""


def stateless(function: Callable[[jax.Array], jax.Array]) -> optax.GradientTransformation:
    """The transformation that applies a function to every leaf of the gradient."""
    return optax.stateless(lambda updates, params: jax.tree.map(function, updates))


def normalize_mean() -> optax.GradientTransformation:
    """Divides the gradient by its mean absolute value, so that steps are of one size in every octave.

    References:
      google/deepdream, `make_step`.
    """
    return stateless(lambda grads: grads / (jnp.mean(jnp.abs(grads)) + FLOOR))


def normalize_octaves(levels: int = 4) -> optax.GradientTransformation:
    """Divides every frequency octave of the gradient by its root mean square, and sums the octaves.

    Coarse structures, in which the gradient is weak, get as large a step as fine ones.

    Args:
      levels: Number of octaves, as far as the picture has them.

    References:
      Mordvintsev 2015, tensorflow/examples `deepdream.ipynb`, "Laplacian Pyramid Gradient Normalization".
    """

    def even(band: jax.Array) -> jax.Array:
        return band / (jnp.sqrt(jnp.mean(jnp.square(band))) + FLOOR)

    return stateless(lambda grads: pyramid.merge(tuple(even(band) for band in pyramid.split(grads, levels))))


def smooth(sigmas: Sequence[float]) -> optax.GradientTransformation:
    """Averages the gradient blurred by Gaussians of several widths: detail stays, and larger shapes are favoured.

    Args:
      sigmas: Standard deviations in pixels; 0 is the gradient itself.

    References:
      gordicaleksa/pytorch-deepdream, `CascadeGaussianSmoothing`: three sigmas in the ratios 0.5 : 1 : 2.
    """
    return stateless(lambda grads: sum_of([pyramid.blur(grads, sigma) for sigma in sigmas]) / len(sigmas))


def sum_of(arrays: Sequence[Any]) -> jax.Array:
    """The sum of arrays of one shape."""
    return functools.reduce(jnp.add, arrays)


@functools.cache
def ascent(smoothing: float = 0.0, octaves: int = 0) -> optax.GradientTransformation:
    """DeepDream's steps, of unit mean absolute value: gradient smoothed, then normalised.

    Made once and shared: the loop's compiled programs belong to the very object.

    Args:
      smoothing: Sigma in pixels; the gradient is blurred by half of it, by it, and by twice as much. 0 leaves it.
      octaves: Frequency octaves that are normalised apart; 0 normalises the whole.
    """
    chain = [smooth((smoothing / 2, smoothing, 2 * smoothing))] if smoothing else []
    chain += [normalize_octaves(octaves)] if octaves else []
    return optax.chain(*chain, normalize_mean(), optax.scale(-1.0))
