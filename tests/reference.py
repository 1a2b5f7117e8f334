"""The losses in float64 NumPy and SciPy, written from the papers."""

import itertools

import numpy as np
import scipy.linalg


def positions(features):
    """Features `[H, W, C]` as `[H·W, C]` float64."""
    features = np.asarray(features, np.float64)
    return features.reshape(-1, features.shape[-1])


def moments(features, weights=None):
    """Count, mean and raw second moment, position by position."""
    rows = positions(features)
    weights = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64).ravel()
    mean, second = np.zeros(rows.shape[1]), np.zeros((rows.shape[1],) * 2)
    for row, weight in zip(rows, weights, strict=True):
        mean += weight * row
        second += weight * np.outer(row, row)
    return weights.sum(), mean / weights.sum(), second / weights.sum()


def gram_distance(features, target):
    """Mean squared difference of `F Fᵀ / M` (Gatys et al. 2016, eq. 3 and 4, other factors)."""
    grams = [positions(f).T @ positions(f) / len(positions(f)) for f in (features, target)]
    return np.mean((grams[0] - grams[1]) ** 2)


def wasserstein_distance(features, target, epsilon=1e-4):
    """Dowson & Landau 1982, eq. 4: `|μ-ν|² + tr(S + T - 2 (S T)^½)`, over the number of channels.

    The root is that of the plain product, not of the symmetric `T^½ S T^½`, which has the same trace.
    """
    (mean, cov), (target_mean, target_cov) = (
        (positions(f).mean(0), np.cov(positions(f), rowvar=False, ddof=0).reshape(f.shape[-1], -1))
        for f in (features, target)
    )
    eye = epsilon * np.eye(len(mean))
    root = scipy.linalg.sqrtm((cov + eye) @ (target_cov + eye))
    trace = np.trace(cov + target_cov + 2 * eye) - 2 * np.trace(root).real
    return (np.sum((mean - target_mean) ** 2) + trace) / len(mean)


def mean_std_distance(features, target, epsilon=1e-5):
    """Huang & Belongie 2017, eq. 13 (squared norms) over the number of channels, with eq. 6 for σ."""
    (mean, std), (target_mean, target_std) = (
        (positions(f).mean(0), np.sqrt(positions(f).var(0) + epsilon)) for f in (features, target)
    )
    return np.mean((mean - target_mean) ** 2 + (std - target_std) ** 2)


def content_distance(features, target):
    """Mean of squared differences."""
    return np.mean((np.asarray(features, np.float64) - np.asarray(target, np.float64)) ** 2)


def unit(x):
    """Vectors along the last axis, of length one."""
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def total_variation(image):
    """Nine-point stencil: each squared difference of neighbours, edge pixels repeated, straight 2/3, diagonal 1/6."""
    image = np.asarray(image, np.float64)
    height, width, channels = image.shape

    def pixel(i, j):
        return image[min(max(i, 0), height - 1), min(max(j, 0), width - 1)]

    straight = diagonal = 0.0
    for i, j in itertools.product(range(height), range(width)):
        straight += np.sum((pixel(i, j + 1) - pixel(i, j)) ** 2 + (pixel(i + 1, j) - pixel(i, j)) ** 2)
    for i, j in itertools.product(range(-1, height), range(-1, width)):  # corners where four pixels meet
        diagonal += np.sum((pixel(i + 1, j + 1) - pixel(i, j)) ** 2 + (pixel(i + 1, j) - pixel(i, j + 1)) ** 2)
    straight /= height * width * channels
    diagonal /= (height + 1) * (width + 1) * channels
    return straight * 2 / 3 + diagonal / 6


def periodic_total_variation(image):
    """The same stencil where the last row and column are followed by the first."""
    image = np.asarray(image, np.float64)
    height, width, channels = image.shape
    total = 0.0
    for i, j in itertools.product(range(height), range(width)):
        here, right = image[i, j], image[i, (j + 1) % width]
        below, across = image[(i + 1) % height, j], image[(i + 1) % height, (j + 1) % width]
        total += np.sum((right - here) ** 2 + (below - here) ** 2) * 2 / 3
        total += np.sum((across - here) ** 2 + (below - right) ** 2) / 6
    return total / (height * width * channels)


def total_variation_l1(image):
    """Mean of |differences| across, plus the same down; a direction without neighbours adds nothing."""
    image = np.asarray(image, np.float64)
    height, width, channels = image.shape
    across = sum(np.abs(image[:, j + 1] - image[:, j]).sum() for j in range(width - 1))
    down = sum(np.abs(image[i + 1] - image[i]).sum() for i in range(height - 1))
    return across / max(1, height * (width - 1) * channels) + down / max(1, (height - 1) * width * channels)


def gradient(function, at, step=1e-5):
    """Central differences in float64; their error is of the order of `step²`, far below the tests' 1e-4."""
    at = np.asarray(at, np.float64)
    found = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        offset = np.zeros_like(at)
        offset[index] = step
        found[index] = (function(at + offset) - function(at - offset)) / (2 * step)
    return found


def assert_near(actual, expected, tolerance=1e-4):
    """Relative to the largest entry: a gradient's small entries are differences of large ones."""
    expected = np.asarray(expected)
    assert np.shape(actual) == expected.shape
    error = np.max(np.abs(np.asarray(actual, np.float64) - expected), initial=0)
    largest = np.max(np.abs(expected), initial=0)
    assert error <= tolerance * largest, f"off by {error:.3g}, of {largest:.3g}"
