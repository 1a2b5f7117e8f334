"""Fidelity and diversity by nearest neighbours among features: precision, recall, density and coverage.

Every picture of a set has a ball, whose radius is the distance to its k-th nearest neighbour in that set.

References:
  Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative Models", arXiv 1904.06991;
  Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models", arXiv 2002.09797.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError

DISTANCES = 2**24
"""Number of distances held at once: 64 MiB."""


def precision_recall(real: np.ndarray, generated: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al. 2019, eq. 1).

    Args:
      real: Features `[N, D]`, N above k.
      generated: Features `[M, D]`, M above k.
      k: Which nearest neighbour a ball reaches to.

    Returns:
      Precision, the share of generated pictures in the ball of some real one, and recall, the share of real pictures in
      the ball of some generated one.

    Raises:
      JaxstyleError: A side has too few pictures.
    """
    real, generated = centered(real, generated)
    precise = balls_around(generated, real, radii(real, k)) > 0
    recalled = balls_around(real, generated, radii(generated, k)) > 0
    return float(precise.mean()), float(recalled.mean())


def density_coverage(real: np.ndarray, generated: np.ndarray, k: int = 5) -> tuple[float, float]:
    """Density and coverage, which are more robust to outliers (Naeem et al. 2020, eq. 3 and 4).

    Args:
      real: Features `[N, D]`, N above k.
      generated: Features `[M, D]`.
      k: Which nearest neighbour a ball reaches to.

    Returns:
      Density, the mean number of real balls around a generated picture divided by k (above 1 where real pictures lie
      densely), and coverage, the share of real balls that contain a generated picture.

    Raises:
      JaxstyleError: A side has too few pictures.
    """
    real, generated = centered(real, generated)
    reach = radii(real, k)
    covered = kth_nearest(real, generated, 1) <= reach
    return float(balls_around(generated, real, reach).mean() / k), float(covered.mean())


def centered(real: np.ndarray, generated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Subtracts the real mean from both sets, in float32.

    Distances are the same, and computed with less rounding, as differences of smaller squares.
    """
    mean = np.mean(real, 0, dtype=np.float64)
    return (real - mean).astype(np.float32), (generated - mean).astype(np.float32)


def radii(points: np.ndarray, k: int) -> np.ndarray:
    """Squared distance `[N]` of each point of `[N, D]` to its k-th nearest neighbour among the others."""
    return kth_nearest(points, points, k + 1)  # the nearest is the point itself


def kth_nearest(points: np.ndarray, others: np.ndarray, k: int) -> np.ndarray:
    """Squared distance `[N]` float32 of each of `points` `[N, D]` to its k-th nearest of `others` `[M, D]`."""
    if len(others) < k:
        raise JaxstyleError(f"neighbours need at least {k} pictures a side, not {len(others)}: raise the number")
    return in_chunks(partial(_kth_nearest, k=k), points, others)


def balls_around(points: np.ndarray, centers: np.ndarray, squared_radii: np.ndarray) -> np.ndarray:
    """Number `[N]` of balls around `centers` `[M, D]` that contain each of `points` `[N, D]`."""
    return in_chunks(_balls_around, points, centers, squared_radii)


def in_chunks(function: Callable[..., jax.Array], points: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Applies a compiled function of points and others to chunks of the points, all of one shape."""
    rows = min(len(points), max(1, DISTANCES // len(others[0])))
    placed = [jnp.asarray(other) for other in others]
    parts = []
    for start in range(0, len(points), rows):
        chunk = points[np.minimum(np.arange(start, start + rows), len(points) - 1)]  # the last chunk is padded
        parts.append(np.asarray(function(chunk, *placed)))
    return np.concatenate(parts)[: len(points)]


def squared_distances(x: jax.Array, y: jax.Array) -> jax.Array:
    """Squared distances `[N, M]` between `[N, D]` and `[M, D]`."""
    products = jnp.matmul(x, y.T, precision="highest")  # TPUs would round them to bfloat16
    return jnp.maximum(jnp.sum(x * x, 1)[:, None] + jnp.sum(y * y, 1)[None] - 2 * products, 0)


@partial(jax.jit, static_argnames="k")
def _kth_nearest(points: jax.Array, others: jax.Array, k: int) -> jax.Array:
    distances = squared_distances(points, others)
    for _ in range(k - 1):  # removes the nearest; k is small, and `top_k` is 8 times as slow on CPU
        nearest = jnp.argmin(distances, 1)[:, None]
        distances = jnp.where(jnp.arange(len(others))[None] == nearest, jnp.inf, distances)
    return jnp.min(distances, 1)


@jax.jit
def _balls_around(points: jax.Array, centers: jax.Array, squared_radii: jax.Array) -> jax.Array:
    return jnp.sum(squared_distances(points, centers) <= squared_radii[None], 1)
