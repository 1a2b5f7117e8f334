"""Style losses: distances between the moments of a picture's features and those of its style.

Every distance is a mean over channels (or channel pairs) and a function of `Moments` alone.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.ops.eigen import eigenvalues, eigh
from jaxstyle.ops.moments import Moments, covariance

EPSILON = 1e-4
"""Added to the diagonal of both covariances by `wasserstein_distance`, as crowsonkb/style-transfer-pytorch does."""


def gram_matrix(features: jax.Array) -> jax.Array:
    """Gram matrix of features divided by the number of positions, `[..., C, C]`.

    Args:
      features: `[..., H, W, C]`.

    References:
      Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks", eq. 3 (there
      without the division).
    """
    *_, height, width, _ = features.shape
    return jnp.einsum("...hwc,...hwd->...cd", features, features) / (height * width)


def gram_distance(statistics: Moments, target: Moments) -> jax.Array:
    """Mean squared difference of the two Gram matrices, each divided by its number of positions.

    Against others, for C channels and M positions: Gatys et al. 2016 eq. 4 is a quarter of this (their
    `1 / (4 C² M²)` with undivided Gram matrices); neural-style divides the Gram matrix by `C M`, so its term is
    `1 / C²` of this; crowsonkb/style-transfer-pytorch divides by the sum of absolute differences instead
    (its `ScaledMSELoss`), which has no fixed factor to ours.

    Args:
      statistics: Moments of the picture, `second` of shape `[..., C, C]`.
      target: Moments of the style, same shape.

    Returns:
      `[...]` float32, non-negative.
    """
    return jnp.mean(jnp.square(statistics.second - target.second), (-2, -1))


def matrix_root(matrix: jax.Array) -> jax.Array:
    """Symmetric square root of a positive semi-definite `[..., C, C]` matrix; negative eigenvalues count as zero."""
    values, vectors = eigh(matrix)
    roots = jnp.sqrt(jnp.maximum(values, 0))
    return (vectors * roots[..., None, :]) @ jnp.swapaxes(vectors, -1, -2)


def wasserstein_root(target: Moments) -> jax.Array:
    """The part of `wasserstein_distance` that depends on the target alone: the root of its covariance."""
    return matrix_root(regularized_covariance(target))


def regularized_covariance(statistics: Moments) -> jax.Array:
    """Covariance plus `EPSILON` on the diagonal, `[..., C, C]`."""
    cov = covariance(statistics)
    return cov + jnp.broadcast_to(EPSILON * jnp.eye(cov.shape[-1]), cov.shape)


def wasserstein_distance(statistics: Moments, target: Moments, root: jax.Array | None = None) -> jax.Array:
    """Squared 2-Wasserstein distance of the Gaussians with these moments, divided by the number of channels C.

        |μ - ν|²/C + tr(S + T - 2 (T^½ S T^½)^½)/C,   S, T = covariance + 1e-4 I

    which is crowsonkb/style-transfer-pytorch's `StyleLossW2` term for term (mean over channels of both parts).
    It takes the trace of the root from eigenvalues, which is exact, where crowsonkb iterates Newton–Schulz
    twelve times. Neural-style and Gatys have no such loss; their style weights do not carry over.

    Value and gradient are finite and continuous for every input: eigenvalues below float32's rounding of the largest
    one, as those of a picture with fewer positions than channels, pass no gradient through the root and count as 1e-4,
    the least that the root of a product of two such covariances can be; between, it falls smoothly (`floored_root`).

    Args:
      statistics: Moments of the picture, `[..., C]`.
      target: Moments of the style, same shapes.
      root: `wasserstein_root(target)` when it is at hand; it is constant during an optimisation.

    Returns:
      `[...]` float32; zero for equal moments up to rounding: some 1e-6 of the larger covariance, 1e-4 where there
      are fewer positions than channels.

    References:
      Dowson & Landau 1982; Vgg-feature form: Vaughan & Crowson, style-transfer-pytorch.
    """
    root = wasserstein_root(target) if root is None else root
    cov, target_cov = regularized_covariance(statistics), regularized_covariance(target)
    values = eigenvalues(root @ cov @ root)
    rounding = jnp.finfo(values.dtype).eps * jnp.max(values, -1, keepdims=True)
    roots = floored_root(values, jnp.maximum(rounding, EPSILON**2 / 8), EPSILON)
    difference = jnp.trace(cov + target_cov, axis1=-2, axis2=-1) - 2 * jnp.sum(roots, -1)
    return jnp.mean(jnp.square(statistics.mean - target.mean), -1) + difference / target.mean.shape[-1]


def floored_root(values: jax.Array, noise: jax.Array, least: float) -> jax.Array:
    """Square root of what stands out from rounding, which falls smoothly to `least` for what does not.

    Rounding moves the smallest eigenvalues by about `noise`, and each LAPACK does so in its own way: the root, whose
    slope is 1 / (2 √v), would multiply that, and a root that is cut off would jump where a value crosses the cut.

    Args:
      values: `[..., C]`.
      noise: `[..., 1]`, positive; no gradient passes through it.
      least: The root of what is not above `2 noise`.

    Returns:
      `[..., C]`, with a continuous derivative: `least` up to `2 noise`, the square root from `8 noise` on, and between
      them the cubic that joins both.
    """
    low, high = 2 * lax.stop_gradient(noise), 8 * lax.stop_gradient(noise)
    top, place = jnp.sqrt(high), jnp.clip((values - low) / (high - low), 0, 1)
    # Cubic Hermite interpolation; the slope at its end is that of the root, over a step of high - low.
    rise = (top - least) * place**2 * (3 - 2 * place)
    joined = least + rise + (high - low) / (2 * top) * place**2 * (place - 1)
    return jnp.where(values > high, jnp.sqrt(jnp.maximum(values, high)), joined)


def mean_std_distance(statistics: Moments, target: Moments) -> jax.Array:
    """Mean over channels of the squared differences of means and of standard deviations.

    This is the style loss of AdaIN (Huang & Belongie 2017, eq. 13) with squared norms divided by C.

    Args:
      statistics: Moments of the picture, `[..., C]`.
      target: Moments of the style, same shapes.

    Returns:
      `[...]` float32, non-negative.
    """
    means = jnp.square(statistics.mean - target.mean)
    stds = jnp.square(standard_deviation(statistics) - standard_deviation(target))
    return jnp.mean(means + stds, -1)


def standard_deviation(statistics: Moments, epsilon: float = 1e-5) -> jax.Array:
    """Per-channel standard deviation `[..., C]`; `epsilon` is added to the variance, as AdaIN does."""
    raw = jnp.diagonal(statistics.second, axis1=-2, axis2=-1)
    # Rounding can leave a constant channel's variance slightly negative.
    return jnp.sqrt(jnp.maximum(raw - jnp.square(statistics.mean), 0) + epsilon)
