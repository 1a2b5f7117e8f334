"""Kernel Inception distance (KID) between two sets of features (Bińkowski et al. 2018, arXiv 1801.01401)."""

from __future__ import annotations

import numpy as np

from jaxstyle.errors import JaxstyleError


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`(x·y / D + 1)³`, `[N, M]`, of `x` `[N, D]` and `y` `[M, D]` (section 4)."""
    base = x @ y.T / x.shape[1] + 1
    return base * base * base  # `** 3` is a power, a hundred times as slow


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012, eq. 3).

    Args:
      x: `[N, D]`, N at least 2.
      y: `[M, D]`, M at least 2.
    """
    count_x, count_y = len(x), len(y)
    within_x, within_y, across = polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y)
    mean_x = (within_x.sum() - np.trace(within_x)) / (count_x * (count_x - 1))
    mean_y = (within_y.sum() - np.trace(within_y)) / (count_y * (count_y - 1))
    return float(mean_x + mean_y - 2 * across.mean())


def kernel_distance(
    real: np.ndarray, generated: np.ndarray, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """KID: the squared maximum mean discrepancy averaged over random subsets.

    It is computed in float64 on the host, since it is a difference of means some thousand times larger than itself.

    Args:
      real: Features `[N, D]`.
      generated: Features `[M, D]`.
      subsets: Number of subsets drawn.
      size: Pictures of each side in a subset, or all if there are fewer.
      seed: Seed of the draws.

    Returns:
      Mean and standard deviation over the subsets. The mean is unbiased, so it can be negative.

    Raises:
      JaxstyleError: A side has fewer than two pictures.
    """
    size = min(size, len(real), len(generated))
    if size < 2:
        raise JaxstyleError(f"a kernel distance needs at least 2 pictures a side, not {size}")
    rng = np.random.default_rng(seed)
    sides = [np.asarray(side, np.float64) for side in (real, generated)]
    values = [
        squared_mmd(*(side[rng.choice(len(side), size, replace=False)] for side in sides)) for _ in range(subsets)
    ]
    return float(np.mean(values)), float(np.std(values))
