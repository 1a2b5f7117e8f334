"""Fréchet distance between the Gaussian fits of two sets of features (Heusel et al. 2017, arXiv 1706.08500).

It is FID only for features of Inception-v3 (`jaxstyle.features.inception`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jaxstyle.errors import JaxstyleError


class FeatureSums(NamedTuple):
    """Sums over a set of features. Sets are merged by adding: over batches by `merge`, over devices by `psum`.

    Attributes:
      number: Number of features, a scalar.
      total: Their sum, `[D]`.
      products: The sum of their outer products, `[D, D]`.
    """

    number: Any
    total: Any
    products: Any


def feature_sums(features: Any, weights: Any = None) -> FeatureSums:
    """Sums features and their outer products, from which mean and covariance follow.

    NumPy arrays are summed in float64: the distance is a small difference of large traces, and float32 sums of 10,000
    features leave it only a few correct digits. JAX arrays, on devices, are summed in their own dtype.

    Args:
      features: `[N, D]`.
      weights: `[N]`, 1 for features that count and 0 for the padding of a batch; None counts all.

    Returns:
      Count, sum `[D]` and sum of outer products `[D, D]`.
    """
    if isinstance(features, np.ndarray):
        features = features.astype(np.float64)
    if weights is None:
        weights = features.__array_namespace__().ones(len(features))
    weights = weights.astype(features.dtype)
    counted = features * weights[:, None]
    return FeatureSums(weights.sum(), counted.sum(0), counted.T @ features)


def merge(*sums: Any) -> Any:
    """Merges the sums of several sets: `FeatureSums`, or any other named tuple of sums."""
    return type(sums[0])(*(sum(parts[1:], parts[0]) for parts in zip(*sums, strict=True)))


def mean_and_covariance(sums: FeatureSums) -> tuple[np.ndarray, np.ndarray]:
    """Mean `[D]` and unbiased covariance `[D, D]`, float64.

    Raises:
      JaxstyleError: There are fewer than two features, or some are not finite.
    """
    count, total, products = (np.asarray(part, np.float64) for part in sums)
    if not count >= 2:
        raise JaxstyleError(f"a covariance needs at least 2 pictures, not {count:g}")
    if not np.isfinite(products).all():
        raise JaxstyleError("the features are not finite: the feature extractor or the pictures hold NaN")
    mean = total / count
    return mean, (products - count * np.outer(mean, mean)) / (count - 1)


def frechet_distance(a: FeatureSums, b: FeatureSums) -> float:
    """`|m₁ - m₂|² + tr(C₁ + C₂ - 2 (C₁ C₂)^½)` of two sets' means and covariances, in float64 on the host.

    The trace of the root is the sum of the singular values of `R₁ R₂`, with `Rᵢ` the symmetric root of `Cᵢ`. So
    singular covariances (features that are always 0, fewer pictures than features) need no ridge, which would change
    the result.

    Args:
      a: Sums over the features of one set, of at least two pictures.
      b: Sums over those of the other, of the same dimension.

    Returns:
      The distance, at least 0, in squared units of the features.

    Raises:
      JaxstyleError: There are too few features, some are not finite, or the dimensions differ.
    """
    (mean_a, cov_a), (mean_b, cov_b) = mean_and_covariance(a), mean_and_covariance(b)
    if mean_a.shape != mean_b.shape:
        raise JaxstyleError(f"features of {len(mean_a)} and of {len(mean_b)} dimensions cannot be compared")
    cross = np.linalg.svd(symmetric_root(cov_a) @ symmetric_root(cov_b), compute_uv=False).sum()
    distance = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a) + np.trace(cov_b) - 2 * cross
    return float(max(distance, 0.0))


def symmetric_root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric root of a positive semidefinite matrix; eigenvalues below 0 are rounding."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
