"""Losses of predicted frames, given as logits whose sigmoid is the frame, against true frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.variational import bernoulli_log_likelihood


def squared_error(logits: jax.Array, frames: jax.Array) -> jax.Array:
    """Squared differences summed over pixels and averaged over frames, the "MSE" reported for moving digits.

    Args:
      logits: `[N, T, H, W, C]`.
      frames: Same shape, in [0, 1].

    Returns:
      `[N]` float32.

    Raises:
      JaxstyleError: The shapes differ.
    """
    return per_frame(jnp.square(frame_difference(logits, frames)))


def absolute_error(logits: jax.Array, frames: jax.Array) -> jax.Array:
    """Absolute differences summed over pixels and averaged over frames; see `squared_error` for shapes.

    Each pixel's median minimises it. Added to squared errors (L1 + L2; Wang et al. 2017, "PredRNN", section 4) it
    removes blur: for a pixel that is 1 with probability p, the minimum of squared plus w times absolute errors is at
    (1 + w) p - w / 2, clipped to [0, 1].
    """
    return per_frame(jnp.abs(frame_difference(logits, frames)))


def binary_cross_entropy(logits: jax.Array, frames: jax.Array) -> jax.Array:
    """Cross entropy of pixels as probabilities, nats a frame (Shi et al. 2015, section 4.1).

    Each pixel's mean minimises it, as it does `squared_error`; see there for shapes.
    """
    no_scale = jnp.zeros(logits.shape[-1])
    return -jnp.mean(bernoulli_log_likelihood(logits, no_scale, frames.astype(jnp.float32)), -1)


FRAME_LOSSES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "mse": squared_error,
    "bce": binary_cross_entropy,
    "l1": absolute_error,
}


def weighted_frame_loss(weights: Mapping[str, float]) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Returns the weighted sum of some of `FRAME_LOSSES`, as a function like each; `weights` are by name, and >= 0."""
    parts = [(weight, FRAME_LOSSES[name]) for name, weight in weights.items() if weight]
    return lambda logits, frames: sum((weight * loss(logits, frames) for weight, loss in parts), jnp.float32(0))


def frame_difference(logits: jax.Array, frames: jax.Array) -> jax.Array:
    """Predicted minus true frames, float32.

    Raises:
      JaxstyleError: The shapes differ (they are never broadcast).
    """
    if logits.shape != frames.shape:
        raise JaxstyleError(f"forecasts of shape {logits.shape} cannot be compared with frames of shape {frames.shape}")
    return jax.nn.sigmoid(logits.astype(jnp.float32)) - frames.astype(jnp.float32)


def per_frame(errors: jax.Array) -> jax.Array:
    """Sums errors `[N, T, H, W, C]` over pixels and averages them over frames: `[N]`."""
    return jnp.mean(jnp.sum(errors, (-3, -2, -1)), -1)
