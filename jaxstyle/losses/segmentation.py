"""Losses of a class for every pixel. Two classes, background and object, are the binary case."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def pixel_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean over pixels of `-log p(label)`.

    Args:
      logits: `[N, H, W, C]`.
      labels: `[N, H, W]` integers in 0 … C-1.

    Returns:
      `[N]`, nats a pixel.
    """
    return jnp.mean(_surprise(logits, labels), (1, 2))


def focal_loss(logits: jax.Array, labels: jax.Array, *, gamma: float = 2.0) -> jax.Array:
    """Cross entropy that looks away from pixels already right: mean of `-(1 - p)^gamma log p`, p that of the label.

    Args:
      logits: `[N, H, W, C]`.
      labels: `[N, H, W]` integers in 0 … C-1.
      gamma: How much; 0 is the cross entropy.

    Returns:
      `[N]`, nats a pixel.

    References:
      Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 4, without the balance of eq. 5.
    """
    surprise = _surprise(logits, labels)
    # 1 - p by expm1, and away from 0: the slope of x^gamma there is infinite for gamma below 1.
    wrong = jnp.maximum(-jnp.expm1(-surprise), jnp.finfo(surprise.dtype).tiny)
    return jnp.mean(wrong**gamma * surprise, (1, 2))


def dice_loss(logits: jax.Array, labels: jax.Array, *, smooth: float = 1.0) -> jax.Array:
    """One minus the overlap of probabilities and labels, `(2 Σ p t + s) / (Σ p + Σ t + s)`, mean over the classes.

    A class counts as much as any other however few its pixels are. Where it is in neither, its overlap is 1.

    Args:
      logits: `[N, H, W, C]`.
      labels: `[N, H, W]` integers in 0 … C-1.
      smooth: The s above, pixels, above 0.

    Returns:
      `[N]` in [0, 1]: each picture's own, not the batch's.

    References:
      Milletari, Navab & Ahmadi 2016, "V-Net", section 3, with plain sums in place of squares in the denominator, and
      smoothed.
    """
    probabilities, truth = jax.nn.softmax(logits), _one_hot(logits, labels)
    both, either = jnp.sum(probabilities * truth, (1, 2)), jnp.sum(probabilities + truth, (1, 2))
    return 1 - jnp.mean((2 * both + smooth) / (either + smooth), -1)


def _surprise(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """`-log p(label)` of every pixel, `[N, H, W]`."""
    # A sum over classes, not an index: the gradient of indexing is a scatter.
    return -jnp.sum(jax.nn.log_softmax(logits) * _one_hot(logits, labels), -1)


def _one_hot(logits: jax.Array, labels: jax.Array) -> jax.Array:
    if logits.ndim != 4 or logits.shape[:-1] != labels.shape:
        raise ValueError(f"logits have shape {logits.shape}, labels {labels.shape}")
    return jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
