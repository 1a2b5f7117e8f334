"""Features moved to a style's mean and covariance by optimal transport, in float32 and by matrix products alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.ops.moments import Moments, covariance

LEAST_SPREAD = 2e-3  # variance that every direction of features has at least, relative to the mean over channels
ROUNDING = 3e-5  # of a mean of squares in float32, relative


def roots(matrices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Symmetric square roots and their inverses, by products alone: fast on accelerators, and any program can hold it.

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
    """The orthogonal factor U of `M = U H`, H positive semi-definite, likewise; `[..., C, C]`.

    Directions in which a matrix is 1e5 times shorter than in others, or more, come out too short, but no error grows.

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
    """Of matrices, in all of float32's digits on every device."""
    return jnp.matmul(first, second, precision="highest")


def transport(features: jax.Array, shares: jax.Array, seen: Moments, styles: Moments) -> jax.Array:
    """Features moved, as little as can be, so that they have the mean and covariance of a style's.

        T(f) = ν + A (f - μ),   A = S^-½ (S^½ T S^½)^½ S^-½

    is the optimal transport between Gaussians of means μ, ν and covariances S, T, to which a little is added, so that
    directions in which the photo hardly varies are not blown up. It is worked out as `A = S^-½ Uᵀ T^½` with the
    rotation U of `T^½ S^½`: the root in its middle has the condition of both matrices together, which float32 has not.

    Args:
      features: `[N, h, w, C]` of the content.
      shares: `[N, h, w, S]` in [0, 1], how much of each style goes where, of sum 1.
      seen: Moments `[N, S, …]` of the content's features by those shares.
      styles: Moments `[N, S, …]` of the styles' features.

    Returns:
      `[N, h, w, C]` of the features' dtype.

    References:
      Dowson & Landau 1982, "The Fréchet distance between multivariate normal distributions"; Mroueh 2019, "Wasserstein
      Style Transfer", eq. 5; Lu et al. 2019, "A Closed-form Solution to Universal Style Transfer", eq. 9.
    """
    root, inverse = roots(spread(seen))
    wanted = roots(spread(styles))[0]
    matrix = product(inverse, product(jnp.swapaxes(rotation(product(wanted, root)), -1, -2), wanted))
    offset = styles.mean - jnp.einsum("nscd,nsd->nsc", matrix, seen.mean)
    shares = shares.astype(features.dtype)
    moved = jnp.einsum("nhwd,nscd->nhwsc", features, matrix.astype(features.dtype))
    return jnp.einsum("nhwsc,nhws->nhwc", moved + offset[:, None, None].astype(features.dtype), shares)


def spread(statistics: Moments) -> jax.Array:
    """Covariances `[..., C, C]` with `LEAST_SPREAD`, never singular: of a flat picture they are the rounding of the
    squares whose difference they are, which may be negative."""
    cov = covariance(statistics)
    spread, size = (jnp.trace(leaf, axis1=-2, axis2=-1)[..., None, None] for leaf in (cov, statistics.second))
    least = LEAST_SPREAD * spread / cov.shape[-1] + ROUNDING * size + 1e-6
    return cov + least * jnp.broadcast_to(jnp.eye(cov.shape[-1]), cov.shape)
