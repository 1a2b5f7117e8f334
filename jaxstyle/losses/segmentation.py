"""Segmentation losses: cross entropy, focal and Dice. Binary masks are two classes, background and object.

Pixels whose label is no class, such as 255, count in none of them, and no gradient comes from them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def pixel_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean over pixels of `-log p(label)`.

    Args:
      logits: `[N, H, W, C]`.
      labels: `[N, H, W]` integers; pixels with others than 0 … C-1 are left out.

    Returns:
      `[N]`, nats a pixel.
    """
    return _mean_known(_negative_log_likelihood(logits, labels), labels < logits.shape[-1])


def focal_loss(logits: jax.Array, labels: jax.Array, *, gamma: float = 2.0) -> jax.Array:
    """Focal loss, the mean over pixels of `-(1 - p)^gamma log p`, with p the label's probability.

    Args:
      logits: `[N, H, W, C]`.
      labels: `[N, H, W]` integers; pixels with others than 0 … C-1 are left out.
      gamma: Focusing parameter, at least 0; 0 gives the cross entropy.

    Returns:
      `[N]`, nats a pixel.

    References:
      Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 4, without the class weights of eq. 5.
    """
    nll = _negative_log_likelihood(logits, labels)
    # 1 - p by expm1, and away from 0: the slope of x^gamma there is infinite for gamma below 1.
    wrong = jnp.maximum(-jnp.expm1(-nll), jnp.finfo(nll.dtype).tiny)
    return _mean_known(wrong**gamma * nll, labels < logits.shape[-1])


def dice_loss(logits: jax.Array, labels: jax.Array, *, smooth: float = 1.0) -> jax.Array:
    """Soft Dice loss, 1 minus the mean over classes of `(2 Σ p t + s) / (Σ p + Σ t + s)`.

    p are probabilities and t one-hot labels. Every class has the same weight, however few its pixels are; for an absent
    class with p = 0 the quotient is 1.

    Args:
      logits: `[N, H, W, C]`.
      labels: `[N, H, W]` integers; pixels with others than 0 … C-1 are left out.
      smooth: s, in pixels, above 0.

    Returns:
      `[N]` in [0, 1], over each picture by itself, not over the batch.

    References:
      Milletari, Navab & Ahmadi 2016, "V-Net", section 3, with sums in place of sums of squares in the denominator, and
      smoothed.
    """
    targets, known = _one_hot(logits, labels), labels < logits.shape[-1]
    probabilities = jnp.where(known[..., None], jax.nn.softmax(logits), 0)
    both, either = jnp.sum(probabilities * targets, (1, 2)), jnp.sum(probabilities + targets, (1, 2))
    return 1 - jnp.mean((2 * both + smooth) / (either + smooth), -1)


def _negative_log_likelihood(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """`-log p(label)` of every pixel, `[N, H, W]`."""
    # A sum over classes, since the gradient of indexing is a slow scatter.
    return -jnp.sum(jax.nn.log_softmax(logits) * _one_hot(logits, labels), -1)


def _mean_known(values: jax.Array, known: jax.Array) -> jax.Array:
    """The mean over pixels that have a class, `[N]`; 0 where there are none."""
    share = jnp.mean(known.astype(values.dtype), (1, 2))  # 1 exactly where all have one
    return jnp.mean(jnp.where(known, values, 0), (1, 2)) / jnp.where(share > 0, share, 1)


def _one_hot(logits: jax.Array, labels: jax.Array) -> jax.Array:
    if logits.ndim != 4 or logits.shape[:-1] != labels.shape:
        raise ValueError(f"logits have shape {logits.shape}, labels {labels.shape}")
    return jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
