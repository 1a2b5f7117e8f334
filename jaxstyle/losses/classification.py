"""Losses of predictions, one value an example: cross entropy for classes, squared error for numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError


def cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """`-Σ_c t_c log softmax(z)_c`, in nats.

    Args:
      logits: z, `[..., C]`.
      targets: Labels `[...]`, integers from 0 to C - 1, or t, probabilities `[..., C]`.

    Returns:
      `[...]` nats, at least the targets' entropy.

    Raises:
      JaxstyleError: The targets have another shape.
    """
    labels = jnp.issubdtype(targets.dtype, jnp.integer)
    if targets.shape != (logits.shape[:-1] if labels else logits.shape):
        raise JaxstyleError(f"targets {targets.shape} do not belong to logits {logits.shape}")
    log_probabilities = jax.nn.log_softmax(logits)
    if labels:
        return -jnp.take_along_axis(log_probabilities, targets[..., None], -1)[..., 0]
    return -jnp.sum(targets * log_probabilities, -1)


def smoothed_labels(labels: jax.Array, classes: int, smoothing: float = 0.0) -> jax.Array:
    """`(1 - ε) 1[c = label] + ε / C`: the targets of label smoothing (Szegedy et al. 2016, section 7).

    Args:
      labels: `[...]`, integers from 0 to `classes - 1`.
      classes: C.
      smoothing: ε, in [0, 1].

    Returns:
      `[..., C]` float32 of sum 1.
    """
    return jax.nn.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes


def mean_squared_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """`1/D Σ_d (y_d - t_d)²`, the mean over everything but the first axis.

    Args:
      predictions: y, `[N, ...]`.
      targets: t, of the same shape.

    Returns:
      `[N]`.

    Raises:
      JaxstyleError: The shapes differ.
    """
    if predictions.shape != targets.shape:
        raise JaxstyleError(f"predictions {predictions.shape} and targets {targets.shape} differ in shape")
    return jnp.mean(jnp.square(predictions - targets).reshape(len(targets), -1), 1)
