"""Improved precision and recall (Kynkäänniemi et al. 2019, arXiv 1904.06991) and density and coverage (Naeem et al.
2020, arXiv 2002.09797): what nearest neighbours among features tell of fidelity and of diversity.

Around every picture of a set lies a ball that reaches to its k-th nearest neighbour in that set.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError

DISTANCES = 2**24
"""How many distances are held at once: 64 MiB."""


def precision_recall(real: np.ndarray, generated: np.ndarray, k: int = 3) -> tuple[float, float]:
    """How many generated pictures look real, and how many real ones could have been generated.

    Args:
      real: Features `[N, D]`, N above k.
      generated: Features `[M, D]`, M above k.
      k: Of the nearest neighbour that a ball reaches to.

    Returns:
      Precision, the share of generated pictures within some real one's ball, and recall, the reverse (equation 1).

    Raises:
      JaxstyleError: A side has too few pictures.
    """
    real, generated = centred(real, generated)
    precise = balls_around(generated, real, radii(real, k)) > 0
    recalled = balls_around(real, generated, radii(generated, k)) > 0
    return float(precise.mean()), float(recalled.mean())


def density_coverage(real: np.ndarray, generated: np.ndarray, k: int = 5) -> tuple[float, float]:
    """The same two questions, less shaken by outliers.

    Args:
      real: Features `[N, D]`, N above k.
      generated: Features `[M, D]`.
      k: Of the nearest neighbour that a ball reaches to.

    Returns:
      Density, the mean number of real balls around a generated picture over k (equation 3; above 1 where real
      pictures lie densely), and coverage, the share of real balls with a generated picture in them (equation 4).

    Raises:
      JaxstyleError: A side has too few pictures.
    """
    real, generated = centred(real, generated)
    reach = radii(real, k)
    covered = kth_nearest(real, generated, 1) <= reach
    return float(balls_around(generated, real, reach).mean() / k), float(covered.mean())


def centred(real: np.ndarray, generated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sets moved so that the real mean is 0, in float32: that leaves distances as they are, and the differences
    of large squares, of which they are made, small."""
    mean = np.mean(real, 0, dtype=np.float64)
    return (real - mean).astype(np.float32), (generated - mean).astype(np.float32)


def radii(points: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each of `[N, D]` to its k-th nearest neighbour among the others, `[N]`."""
    return kth_nearest(points, points, k + 1)  # the nearest is the point itself


def kth_nearest(points: np.ndarray, others: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each of `points` `[N, D]` to its k-th nearest of `others` `[M, D]`, `[N]` float32."""
    if len(others) < k:
        raise JaxstyleError(f"neighbours need at least {k} pictures a side, not {len(others)}: raise the number")
    return in_chunks(partial(_kth_nearest, k=k), points, others)


def balls_around(points: np.ndarray, centres: np.ndarray, squared_radii: np.ndarray) -> np.ndarray:
    """How many of the balls around `centres` `[M, D]` each of `points` `[N, D]` lies in, `[N]`."""
    return in_chunks(_balls_around, points, centres, squared_radii)


def in_chunks(function: Callable[..., jax.Array], points: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """A compiled function of few points and all others, for all points; one shape, so that it is compiled once."""
    rows = min(len(points), max(1, DISTANCES // len(others[0])))
    placed = [jnp.asarray(other) for other in others]
    parts = []
    for start in range(0, len(points), rows):
        chunk = points[np.minimum(np.arange(start, start + rows), len(points) - 1)]  # the last one is filled up
        parts.append(np.asarray(function(chunk, *placed)))
    return np.concatenate(parts)[: len(points)]


def squared_distances(x: jax.Array, y: jax.Array) -> jax.Array:
    """`[N, M]` of `[N, D]` and `[M, D]`."""
    products = jnp.matmul(x, y.T, precision="highest")  # TPUs would round them to bfloat16
    return jnp.maximum(jnp.sum(x * x, 1)[:, None] + jnp.sum(y * y, 1)[None] - 2 * products, 0)


@partial(jax.jit, static_argnames="k")
def _kth_nearest(points: jax.Array, others: jax.Array, k: int) -> jax.Array:
    distances = squared_distances(points, others)
    for _ in range(k - 1):  # the nearest taken out again and again: k is small, and `top_k` 8 times as slow on CPU
        nearest = jnp.argmin(distances, 1)[:, None]
        distances = jnp.where(jnp.arange(len(others))[None] == nearest, jnp.inf, distances)
    return jnp.min(distances, 1)


@jax.jit
def _balls_around(points: jax.Array, centres: jax.Array, squared_radii: jax.Array) -> jax.Array:
    return jnp.sum(squared_distances(points, centres) <= squared_radii[None], 1)
