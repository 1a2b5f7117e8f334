"""Style losses: distances between the moments of a picture's features and those of its style.

Every distance is a mean over channels (or channel pairs) and a function of `Moments` alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxstyle.ops.moments import Moments, covariance
from jaxstyle.ops.polar import cholesky, cropped, padded, product, rotation, transpose

EPSILON = 1e-4
"""Added to the diagonal of both covariances by `wasserstein_distance`, as crowsonkb/style-transfer-pytorch does."""

NARROW = 128
"""Channels up to which layers' matrices are padded to the widest and computed as one batch. Five layers of 16 to 105
channels are then compiled in a third of the time and 300 MB less; wider ones would take longer to compute."""


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


def wasserstein_root(target: Moments) -> jax.Array:
    """Root of the target's covariance, for `wasserstein_distance`.

    Args:
      target: Moments of the style, `[..., C]`.

    Returns:
      `[..., 2, C, C]`: R, upper triangular, with `Rᵀ R` the covariance plus 1e-4 on its diagonal; and its inverse.
    """
    return wasserstein_roots([target])[0]


def wasserstein_roots(targets: Sequence[Moments]) -> list[jax.Array]:
    """`wasserstein_root` of several layers, whose leading axes are the same."""
    covariances = [regularized_covariance(target) for target in targets]
    roots: dict[int, jax.Array] = {}
    for group in batches(covariances):
        factors = cholesky(padded([covariances[i] for i in group]))
        widths = [covariances[i].shape[-1] for i in group]
        made = cropped(jnp.stack([transpose(factor) for factor in factors], -3), widths)
        roots.update(zip(group, made, strict=True))
    return [roots[i] for i in range(len(targets))]


def batches(matrices: Sequence[jax.Array]) -> list[list[int]]:
    """Indices of matrices `[..., C, C]` in groups to be computed together: narrow ones, and every wide one alone."""
    widths = [matrix.shape[-1] for matrix in matrices]
    narrow = [i for i, width in enumerate(widths) if width <= NARROW]
    return [group for group in (narrow, *([i] for i, width in enumerate(widths) if width > NARROW)) if group]


def regularized_covariance(statistics: Moments) -> jax.Array:
    """Covariance plus `EPSILON` on the diagonal, `[..., C, C]`; plus float32's rounding of it where that is more."""
    cov = covariance(statistics)
    rounding = jnp.finfo(cov.dtype).eps * jnp.trace(statistics.second, axis1=-2, axis2=-1)
    added = jnp.maximum(rounding, EPSILON)[..., None, None]
    return cov + added * jnp.broadcast_to(jnp.eye(cov.shape[-1]), cov.shape)


def wasserstein_distance(statistics: Moments, target: Moments, root: jax.Array | None = None) -> jax.Array:
    """Squared 2-Wasserstein distance of the Gaussians with these moments, divided by the number of channels C.

        |μ - ν|²/C + tr(S + T - 2 (T^½ S T^½)^½)/C,   S, T = covariance + 1e-4 I

    which is crowsonkb/style-transfer-pytorch's `StyleLossW2` term for term (mean over channels of both parts).
    Neural-style and Gatys have no such loss; their style weights do not carry over.

    The trace is computed as `|F - W R|²` from roots `Fᵀ F = S` and `Rᵀ R = T`, with the rotation W that makes it least:
    the orthogonal factor of `F Rᵀ`. A sum of squares is never negative and has no large terms that cancel, and the
    product of roots has the square root of the condition of `T^½ S T^½`: what float32 keeps of the covariance is what
    value and gradient keep. Both are continuous and finite, also with fewer positions than channels.

    Args:
      statistics: Moments of the picture, `[..., C]`.
      target: Moments of the style, same shapes.
      root: `wasserstein_root(target)` when it is at hand; it is constant during an optimisation.

    Returns:
      `[...]` float32, non-negative; for equal moments 1e-8 of the larger covariance, or less.

    References:
      Dowson & Landau 1982, "The Fréchet distance between multivariate normal distributions", eq. 4; Bhatia, Jain & Lim
      2019, "On the Bures-Wasserstein distance between positive definite matrices", theorem 1; as a loss of VGG's
      features: Vaughan & Crowson, style-transfer-pytorch.
    """
    return wasserstein_distances([statistics], [target], [wasserstein_root(target) if root is None else root])[0]


def wasserstein_distances(
    statistics: Sequence[Moments], targets: Sequence[Moments], roots: Sequence[jax.Array]
) -> list[jax.Array]:
    """`wasserstein_distance` of several layers, whose leading axes are the same, in fewer programs than layers."""
    covariances = [regularized_covariance(each) for each in statistics]
    traces: dict[int, jax.Array] = {}
    for group in batches(covariances):
        cov, root = padded([covariances[i] for i in group]), padded([roots[i] for i in group])
        if (
            cov.size == cov.shape[-1] ** 2
        ):  # on a CPU products of single matrices are faster than those of a batch of one
            cov, root = cov.reshape(cov.shape[-2:]), root.reshape(root.shape[-3:])
        found = root_distance(cov, root).reshape(len(group), *statistics[0].mean.shape[:-1])
        traces.update(zip(group, found, strict=True))
    means = [jnp.mean(jnp.square(a.mean - b.mean), -1) for a, b in zip(statistics, targets, strict=True)]
    return [mean + traces[i] / covariances[i].shape[-1] for i, mean in enumerate(means)]


@jax.custom_vjp
def root_distance(cov: jax.Array, root: jax.Array) -> jax.Array:
    """Squared Frobenius distance `[...]` of a root of a covariance from a target's, the least over all rotations.

    Args:
      cov: `[..., C, C]`, symmetric and positive definite.
      root: `wasserstein_root` of the target, `[..., 2, C, C]`.
    """
    return _root_distance(cov, root)[0]


def _root_distance(cov: jax.Array, root: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    lower, inverse = cholesky(cov)
    upper, target = transpose(lower), root[..., 0, :, :]
    turn = rotation(product(upper, transpose(target)), product(inverse, root[..., 1, :, :]))
    apart = upper - product(turn, target)
    return jnp.sum(jnp.square(apart), (-2, -1)), (inverse, turn, apart)


def _root_distance_backward(saved: tuple[jax.Array, ...], cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Derivatives `F⁻¹ (F - W R)`, the identity less the map that transports one Gaussian to the other, and
    `-2 Wᵀ (F - W R)`; W is where the distance is least, so that its own changes have no effect."""
    inverse, turn, apart = saved
    cotangent = cotangent[..., None, None]
    of_cov, of_root = product(transpose(apart), inverse), -2 * cotangent * product(transpose(turn), apart)
    return cotangent * (of_cov + transpose(of_cov)) / 2, jnp.stack([of_root, jnp.zeros_like(of_root)], -3)


root_distance.defvjp(_root_distance, _root_distance_backward)


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
