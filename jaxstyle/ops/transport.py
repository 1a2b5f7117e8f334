"""Optimal transport of features to a style's mean and covariance, in float32 and by matrix products alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.ops.moments import Moments, covariance

LEAST_VARIANCE = 2e-3  # of features; less would make noise of directions that hardly vary
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


def transport(
    features: jax.Array, shares: jax.Array, statistics: Moments, styles: Moments, least: float = LEAST_VARIANCE
) -> jax.Array:
    """Moves features to the mean and covariance of a style by the optimal transport between Gaussians,

        T(f) = ν + A (f - μ),   A = S^-½ (S^½ T S^½)^½ S^-½

    with means μ, ν and covariances S, T of content and style. Both covariances are regularised, so that directions in
    which the content hardly varies are not amplified without bound. A is computed as `S^-½ Uᵀ T^½` with the orthogonal
    factor U of `T^½ S^½`: the condition of `S^½ T S^½` is that of S times that of T, too large for float32.

    Args:
      features: `[N, h, w, C]` of the content.
      shares: `[N, h, w, S]` in [0, 1], the share of each style at each position, of sum 1.
      statistics: Moments `[N, S, …]` of the content's features weighted by those shares.
      styles: Moments `[N, S, …]` of the styles' features.
      least: Variance that is added in every direction, relative to the mean variance over channels.

    Returns:
      `[N, h, w, C]` of the features' dtype.

    References:
      Dowson & Landau 1982, "The Fréchet distance between multivariate normal distributions"; Mroueh 2019, "Wasserstein
      Style Transfer", eq. 5; Lu et al. 2019, "A Closed-form Solution to Universal Style Transfer", eq. 9.
    """
    root, inverse = roots(regularized_covariance(statistics, least))
    style_root = roots(regularized_covariance(styles, least))[0]
    matrix = product(inverse, product(jnp.swapaxes(rotation(product(style_root, root)), -1, -2), style_root))
    offset = styles.mean - jnp.einsum("nscd,nsd->nsc", matrix, statistics.mean)
    shares = shares.astype(features.dtype)
    moved = jnp.einsum("nhwd,nscd->nhwsc", features, matrix.astype(features.dtype))
    return jnp.einsum("nhwsc,nhws->nhwc", moved + offset[:, None, None].astype(features.dtype), shares)


def regularized_covariance(statistics: Moments, least: float) -> jax.Array:
    """Covariances `[..., C, C]` plus a multiple of the identity, positive definite.

    A flat picture's covariance is the rounding error of a difference of squares, and may be negative; `ROUNDING` of
    the raw second moment outweighs it.
    """
    cov = covariance(statistics)
    variance, energy = (jnp.trace(leaf, axis1=-2, axis2=-1)[..., None, None] for leaf in (cov, statistics.second))
    added = least * variance / cov.shape[-1] + ROUNDING * energy + 1e-6
    return cov + added * jnp.broadcast_to(jnp.eye(cov.shape[-1]), cov.shape)
