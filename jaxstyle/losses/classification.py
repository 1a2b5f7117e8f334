"""Losses of predictions, one value an example: cross entropy for classes, squared error for numbers."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError


def cross_entropy(
    logits: jax.Array, targets: jax.Array, *, focus: float = 0.0, weights: jax.Array | None = None
) -> jax.Array:
    """`-Σ_c w_c t_c (1 - p_c)^γ log p_c` with p = softmax(z), in nats: the cross entropy, focal or weighted by class.

    Args:
      logits: z, `[..., C]`.
      targets: Labels `[...]`, integers from 0 to C - 1, or t, probabilities `[..., C]`.
      focus: γ, at least 0: how much less examples count that are told right already.
      weights: w, `[C]`, at least 0; None is 1 for all.

    Returns:
      `[...]` nats; without `focus` and `weights` at least the targets' entropy.

    Raises:
      JaxstyleError: The targets or weights have another shape.

    References:
      Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 5.
    """
    labels = jnp.issubdtype(targets.dtype, jnp.integer)
    if targets.shape != (logits.shape[:-1] if labels else logits.shape):
        raise JaxstyleError(f"targets {targets.shape} do not belong to logits {logits.shape}")
    if weights is not None and weights.shape != logits.shape[-1:]:
        raise JaxstyleError(f"weights {weights.shape} are not one for each of {logits.shape[-1]} classes")
    terms = jax.nn.log_softmax(logits)
    if focus:
        # 1 - p by expm1, and away from 0: the slope of x^γ there is infinite for γ below 1.
        terms = jnp.maximum(-jnp.expm1(terms), jnp.finfo(terms.dtype).tiny) ** focus * terms
    terms = terms if weights is None else jnp.broadcast_to(weights, terms.shape) * terms
    if labels:
        return -jnp.take_along_axis(terms, targets[..., None], -1)[..., 0]
    return -jnp.sum(targets * terms, -1)


def balanced_weights(counts: Sequence[int]) -> np.ndarray:
    """`N / (K n_c)`: weights of classes by which each counts as much, of mean 1 over the examples.

    Args:
      counts: n_c, examples of each class; N is their sum, and K the number of classes that have some.

    Returns:
      `[C]` float32; 0 for classes without examples.
    """
    numbers = np.asarray(counts, np.float64)
    shares = numbers.sum() / np.count_nonzero(numbers) if numbers.any() else 0.0
    return np.where(numbers > 0, shares / np.maximum(numbers, 1), 0.0).astype(np.float32)


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
