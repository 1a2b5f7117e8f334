"""Optimal transport of features to a style's mean and covariance, in float32 and by matrix products alone.

Pictures are transported as the windows of pixels that they are made of, which is a convolution.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.ops.moments import Moments, covariance
from jaxstyle.ops.reflected import convolve_each, mirror_pad

LEAST_VARIANCE = 2e-3  # of features; less would make noise of directions that hardly vary
WINDOW_VARIANCE = 2e-2  # of windows, a few of whose directions hold nearly all of the variance
STRIDE = 2  # pixels from one window to the next, where moments are taken
ROUNDING = 3e-5  # relative error of a mean of squares in float32


def roots(matrices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Symmetric square roots and their inverses, by matrix products alone: fast on accelerators, and exportable.

    Args:
      matrices: `[..., C, C]` float32, symmetric and positive definite, of condition at most 1e5.

    Returns:
      `M^½` and `M^-½`, `[..., C, C]`.

    References:
      Higham 2008, "Functions of Matrices", eq. 6.35 (Newton–Schulz in its coupled form).
    """
    one = jnp.broadcast_to(jnp.eye(matrices.shape[-1], dtype=matrices.dtype), matrices.shape)
    size = length(matrices)

    def step(pair: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], None]:
        root, inverse = pair
        change = 1.5 * one - 0.5 * product(inverse, root)
        return (product(root, change), product(change, inverse)), None

    (root, inverse), _ = lax.scan(step, (matrices / size, one), length=20)
    return root * jnp.sqrt(size), inverse / jnp.sqrt(size)


def rotation(matrices: jax.Array) -> jax.Array:
    """The orthogonal factor U of the polar decomposition `M = U H`, by matrix products alone.

    In directions whose singular value is less than 1e-5 of the largest one U is shorter than one, but no error grows.

    Args:
      matrices: `[..., C, C]` float32.

    Returns:
      `[..., C, C]`.

    References:
      Higham 2008, eq. 8.20 (Newton–Schulz).
    """

    def step(x: jax.Array, _: None) -> tuple[jax.Array, None]:
        return 1.5 * x - 0.5 * product(x, product(jnp.swapaxes(x, -1, -2), x)), None

    return lax.scan(step, matrices / length(matrices), length=32)[0]


def length(matrices: jax.Array) -> jax.Array:
    """Frobenius norms `[..., 1, 1]`."""
    return jnp.sqrt(jnp.sum(jnp.square(matrices), (-2, -1), keepdims=True))


def product(first: jax.Array, second: jax.Array) -> jax.Array:
    """Matrix products in full float32 precision on every device."""
    return jnp.matmul(first, second, precision="highest")


class Gaussian(NamedTuple):
    """A style to be transported to.

    Attributes:
      mean: `[..., C]` float32.
      root: `[..., C, C]` float32, the symmetric square root of the regularised covariance.
    """

    mean: jax.Array
    root: jax.Array


def gaussian(style: Moments, least: float = LEAST_VARIANCE) -> Gaussian:
    """The Gaussian of a style's moments `[..., C]`; for `least` see `transport_map`."""
    return Gaussian(style.mean, roots(regularized_covariance(style, least))[0])


def transport(
    features: jax.Array, shares: jax.Array, statistics: Moments, styles: Gaussian, least: float = LEAST_VARIANCE
) -> jax.Array:
    """Moves features to the mean and covariance of a style, see `transport_map`.

    Args:
      features: `[N, h, w, C]` of the content.
      shares: `[N, h, w, S]` in [0, 1], the share of each style at each position, of sum 1.
      statistics: Moments `[N, S, …]` of the content's features weighted by those shares.
      styles: Of the styles' features, `[N, S, …]`.
      least: See `transport_map`.

    Returns:
      `[N, h, w, C]` of the features' dtype.
    """
    matrix, offset = transport_map(statistics, styles, least)
    shares = shares.astype(features.dtype)
    moved = jnp.einsum("nhwd,nscd->nhwsc", features, matrix.astype(features.dtype))
    return jnp.einsum("nhwsc,nhws->nhwc", moved + offset[:, None, None].astype(features.dtype), shares)


def transport_map(statistics: Moments, style: Gaussian, least: float) -> tuple[jax.Array, jax.Array]:
    """The optimal transport between Gaussians,

        T(f) = ν + A (f - μ),   A = S^-½ (S^½ T S^½)^½ S^-½

    with means μ, ν and covariances S, T of content and style. Both covariances are regularised, so that directions in
    which the content hardly varies are not amplified without bound. A is computed as `S^-½ Uᵀ T^½` with the orthogonal
    factor U of `T^½ S^½`: the condition of `S^½ T S^½` is that of S times that of T, too large for float32.

    Args:
      statistics: Moments `[..., C]` of the content's features.
      style: `[..., C]`, with the same `least`.
      least: Variance that is added in every direction, relative to the mean variance over channels.

    Returns:
      A `[..., C, C]` and `ν - A μ` `[..., C]`.

    References:
      Dowson & Landau 1982, "The Fréchet distance between multivariate normal distributions"; Mroueh 2019, "Wasserstein
      Style Transfer", eq. 5; Lu et al. 2019, "A Closed-form Solution to Universal Style Transfer", eq. 9.
    """
    root, inverse = roots(regularized_covariance(statistics, least))
    matrix = product(inverse, product(jnp.swapaxes(rotation(product(style.root, root)), -1, -2), style.root))
    return matrix, style.mean - jnp.einsum("...cd,...d->...c", matrix, statistics.mean)


def window_vectors(pictures: jax.Array, size: int) -> jax.Array:
    """Every second window of pictures in every second row, as vectors whose moments `transport_windows` wants.

    Args:
      pictures: `[N, H, W, C]` of even sides; they continue by reflection.
      size: k, of a window in pixels, odd.

    Returns:
      `[N, H/2, W/2, k² C]`.
    """
    height, width = pictures.shape[1:3]
    padded = mirror_pad(pictures, size // 2)
    rows = jnp.concatenate([padded[:, :, j : j + width : STRIDE] for j in range(size)], -1)
    return jnp.concatenate([rows[:, i : i + height : STRIDE] for i in range(size)], -1)


def transport_windows(pictures: jax.Array, shares: jax.Array, statistics: Moments, styles: Gaussian) -> jax.Array:
    """Moves pictures to the colours, contrasts and grain of a style.

    All windows of k × k pixels, seen as vectors, are moved to the mean and covariance of the style's windows by
    `transport_map`; a pixel is the mean of what becomes of it in the windows that it lies in. All of that is one
    convolution.

    Args:
      pictures: `[N, H, W, C]` float32.
      shares: `[N, H, W, S]` in [0, 1], the share of each style at each pixel, of sum 1.
      statistics: Moments `[N, S, …]` of the pictures' `window_vectors`, weighted by those shares.
      styles: Of the styles' `window_vectors`, `[N, S, …]`, with `WINDOW_VARIANCE`.

    Returns:
      `[N, H, W, C]`.

    References:
      Xia et al. 2014, "Synthesizing and Mixing Stationary Gaussian Texture Models" (which transports whole spectra).
    """
    matrix, offset = transport_map(statistics, styles, WINDOW_VARIANCE)
    channels, (count, several) = pictures.shape[-1], matrix.shape[:2]
    size = math.isqrt(matrix.shape[-1] // channels)
    parts = matrix.reshape(count, several, *(size, size, channels) * 2)
    shift = jnp.stack([jnp.eye(size, 2 * size - 1, size - 1 - i) for i in range(size)])  # [to, from, tap]
    kernels = jnp.einsum("nsijcabd,iau,jbv->nuvdsc", parts, shift, shift, precision="highest") / size**2
    moved = convolve_each(pictures, kernels.reshape(*kernels.shape[:4], -1))
    moved = moved.reshape(*moved.shape[:3], several, channels)
    offset = jnp.mean(offset.reshape(count, 1, 1, several, size**2, channels), -2)
    return jnp.einsum("nhwsc,nhws->nhwc", moved + offset, shares)


def regularized_covariance(statistics: Moments, least: float) -> jax.Array:
    """Covariances `[..., C, C]` plus a multiple of the identity, positive definite.

    A flat picture's covariance is the rounding error of a difference of squares, and may be negative; `ROUNDING` of
    the raw second moment outweighs it.
    """
    cov = covariance(statistics)
    variance, energy = (jnp.trace(leaf, axis1=-2, axis2=-1)[..., None, None] for leaf in (cov, statistics.second))
    added = least * variance / cov.shape[-1] + ROUNDING * energy + 1e-6
    return cov + added * jnp.broadcast_to(jnp.eye(cov.shape[-1]), cov.shape)
