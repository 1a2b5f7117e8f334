"""What a foreseen frame costs: losses of logits, whose sigmoid is the frame, against the true frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.variational import bernoulli_log_likelihood


def squared_error(logits: jax.Array, truth: jax.Array) -> jax.Array:
    """Squared differences, summed over pixels and averaged over frames: the field's "MSE" of moving digits.

    Args:
      logits: `[N, T, H, W, C]`.
      truth: Same shape, in [0, 1].

    Returns:
      `[N]` float32.

    Raises:
      JaxstyleError: The shapes differ.
    """
    return per_frame(jnp.square(difference(logits, truth)))


def absolute_error(logits: jax.Array, truth: jax.Array) -> jax.Array:
    """Absolute differences, summed over pixels and averaged over frames; see `squared_error` for shapes.

    The best forecast by it is each pixel's median. Beside squared errors (L1 + L2; Wang et al. 2017, "PredRNN", section
    4) it clears away the haze of what is unlikely: of a pixel that is 1 with probability p, squared errors with w times
    absolute ones want (1 + w) p - w / 2, cut to [0, 1].
    """
    return per_frame(jnp.abs(difference(logits, truth)))


def binary_cross_entropy(logits: jax.Array, truth: jax.Array) -> jax.Array:
    """Cross entropy of pixels taken for probabilities, nats a frame (Shi et al. 2015, section 4.1).

    The best forecast by it, each pixel's mean, is also the best by squared error; see there for shapes.
    """
    no_scale = jnp.zeros(logits.shape[-1])
    return -jnp.mean(bernoulli_log_likelihood(logits, no_scale, truth.astype(jnp.float32)), -1)


FRAME_LOSSES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "mse": squared_error,
    "bce": binary_cross_entropy,
    "l1": absolute_error,
}


def mixture(weights: Mapping[str, float]) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The weighted sum of some of `FRAME_LOSSES`, by name."""
    parts = [(weight, FRAME_LOSSES[name]) for name, weight in weights.items() if weight]
    return lambda logits, truth: sum((weight * loss(logits, truth) for weight, loss in parts), jnp.float32(0))


def difference(logits: jax.Array, truth: jax.Array) -> jax.Array:
    """Frames minus true frames, float32.

    Raises:
      JaxstyleError: The shapes differ (they are never broadcast).
    """
    if logits.shape != truth.shape:
        raise JaxstyleError(f"forecasts of shape {logits.shape} cannot be compared with frames of shape {truth.shape}")
    return jax.nn.sigmoid(logits.astype(jnp.float32)) - truth.astype(jnp.float32)


def per_frame(costs: jax.Array) -> jax.Array:
    """`[N, T, H, W, C]` summed over pixels and averaged over frames: `[N]`."""
    return jnp.mean(jnp.sum(costs, (-3, -2, -1)), -1)
