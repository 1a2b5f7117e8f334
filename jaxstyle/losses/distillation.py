"""How far a student's features are from its teacher's: as activations, as a style loss sees them, as an angle."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxstyle.losses.style import gram_distance
from jaxstyle.ops.moments import Moments

FLAT = 0.2
"""Energy added to a target's own, relative to what is usual for its layer."""


def activation_error(preactivation: jax.Array, target: jax.Array) -> jax.Array:
    """Squared error of a ReLU's output relative to the target's energy, picture by picture.

    Where the target is positive the error is that of the preactivation, and where it is 0 that of its positive
    part. That is the ReLU's own error unless the unit is wrongly off, and then, unlike the ReLU, it has a gradient:
    with the plain error half of the units of a random map are off for every input, and stay so (seen: cosine 0.53
    at relu1_1 after 600 steps). In the map's parameters it is convex.

    Args:
      preactivation: `[N, H, W, C]`, before the ReLU.
      target: `[N, H, W, C]`, the teacher's, non-negative, divided by the root mean square that is usual for the
        layer; `FLAT` of it is added to the energy, else flat pictures would count most.

    Returns:
      `[N]`, 0 where equal, below 1 for a prediction of zeros.
    """
    _check(preactivation, target)
    counts = (target > 0) | (preactivation > 0)
    error = jnp.mean(jnp.square(jnp.where(counts, preactivation - target, 0.0)), axis=(1, 2, 3))
    return error / (jnp.mean(jnp.square(target), axis=(1, 2, 3)) + FLAT)


def moment_error(predicted: Moments, target: Moments) -> jax.Array:
    """Squared distance of the Gram matrices relative to the target's own size.

    Raw second moments are what a style loss sees of a layer (Gatys et al. 2016, eq. 3), so what is left of the
    activations' error should not be a bias in them.

    Args:
      predicted: Moments with `second` `[N, C, C]`.
      target: The teacher's, likewise, of features divided by their usual size. To its own is added what `FLAT` of
        energy in each of unrelated channels would have, else a picture in which the teacher sees nothing divides by 0.

    Returns:
      `[N]`, 0 where equal.
    """
    _check(predicted.second, target.second)
    size = jnp.mean(jnp.square(target.second), (-2, -1)) + FLAT**2 / target.second.shape[-1]
    return gram_distance(predicted, target) / size


def cosine(predicted: jax.Array, target: jax.Array) -> jax.Array:
    """Cosine of the angle between two pictures' whole activations `[N, H, W, C]`: `[N]`, 1 where parallel."""
    _check(predicted, target)
    axes = (1, 2, 3)
    norms = jnp.sqrt(jnp.sum(jnp.square(predicted), axes) * jnp.sum(jnp.square(target), axes))
    return jnp.sum(predicted * target, axes) / jnp.maximum(norms, jnp.finfo(norms.dtype).tiny)


def _check(predicted: jax.Array, target: jax.Array) -> None:
    if predicted.shape != target.shape:
        raise ValueError(f"predicted has shape {predicted.shape}, target {target.shape}")
