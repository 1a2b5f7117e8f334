"""Similarity of two pictures: structural similarity (SSIM) and peak signal-to-noise ratio (PSNR)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError

K1, K2 = 0.01, 0.03


def ssim(a: jax.Array, b: jax.Array, *, value_range: float = 1.0, window: int = 7) -> jax.Array:
    """Structural similarity, averaged over channels and over all positions of a square window inside the picture.

    As by default in scikit-image (`structural_similarity`), windows are uniform and variances are sample variances
    (divided by one less than the window's pixels). `value_range=2` gives the values that OpenSTL, and papers that use
    it, report: it calls scikit-image up to 0.19 on float32 pictures in [0, 1] without their range, which is then
    assumed to be [-1, 1].

    Args:
      a: `[..., H, W, C]`.
      b: Same shape.
      value_range: Largest minus smallest value that pixels can have.
      window: Side of the window in pixels, odd.

    Returns:
      `[...]` float32, at most 1.

    Raises:
      JaxstyleError: The shapes differ, or the pictures are smaller than the window.

    References:
      Wang, Bovik, Sheikh & Simoncelli 2004, "Image Quality Assessment", eq. 13.
    """
    a, b = as_float32(a, b)
    height, width = a.shape[-3:-1]
    if min(height, width) < window:
        raise JaxstyleError(f"pictures of {width}x{height} pixels are smaller than the window of {window}")
    count = window * window
    sums = jnp.stack([a, b, a * a, b * b, a * b])
    for axis in (-3, -2):  # sums over windows, as sums of shifted slices
        places = sums.shape[axis] - window + 1
        parts = [jax.lax.slice_in_dim(sums, i, i + places, axis=axis % sums.ndim) for i in range(window)]
        sums = sum(parts[1:], parts[0])
    mean_a, mean_b, square_a, square_b, product = sums / count
    sample = count / (count - 1)
    variances = sample * (square_a - mean_a**2 + square_b - mean_b**2)
    covariance = sample * (product - mean_a * mean_b)
    c1, c2 = (K1 * value_range) ** 2, (K2 * value_range) ** 2
    mean_term = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return jnp.mean(mean_term * (2 * covariance + c2) / (variances + c2), (-3, -2, -1))


def psnr(a: jax.Array, b: jax.Array, *, value_range: float = 1.0) -> jax.Array:
    """Peak signal-to-noise ratio.

    Args:
      a: `[..., H, W, C]`.
      b: Same shape.
      value_range: Largest minus smallest value that pixels can have.

    Returns:
      `[...]` float32 dB; infinite for equal pictures.

    Raises:
      JaxstyleError: The shapes differ.
    """
    a, b = as_float32(a, b)
    error = jnp.mean(jnp.square(a - b), (-3, -2, -1))
    return 10 * jnp.log10(value_range**2 / error)


def as_float32(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Casts both to float32.

    Raises:
      JaxstyleError: Their shapes differ (they are never broadcast).
    """
    if a.shape != b.shape:
        raise JaxstyleError(f"pictures of shape {a.shape} and {b.shape} cannot be compared")
    return a.astype(jnp.float32), b.astype(jnp.float32)
