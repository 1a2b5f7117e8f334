"""Metrics of generated pictures from a classifier's probabilities: Inception Score, confidence, class histogram."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import xlogy


class LabelSums(NamedTuple):
    """Sums over pictures; sets are merged by adding (`jaxstyle.metrics.merge`, or `psum` over devices).

    Attributes:
      number: Number of pictures, a scalar.
      probabilities: Sum of the classes' probabilities, `[C]`.
      information: Sum over pictures of `Σ p log p`, in nats: minus their entropies.
      confidence: Sum of each picture's largest probability.
      labels: Number of pictures whose most probable class is each class, `[C]`.
    """

    number: jax.Array
    probabilities: jax.Array
    information: jax.Array
    confidence: jax.Array
    labels: jax.Array


@jax.jit
def label_sums(probabilities: jax.Array, weights: jax.Array | None = None) -> LabelSums:
    """Sums over pictures.

    Args:
      probabilities: `[N, C]` float, rows of sum 1.
      weights: `[N]` of the same dtype, 1 for pictures that count and 0 for the padding of a batch; None counts all.
    """
    count, classes = probabilities.shape
    weights = jnp.ones(count, probabilities.dtype) if weights is None else weights
    likeliest = jax.nn.one_hot(jnp.argmax(probabilities, -1), classes, dtype=probabilities.dtype)
    return LabelSums(
        jnp.sum(weights),
        weights @ probabilities,
        weights @ jnp.sum(xlogy(probabilities, probabilities), -1),
        weights @ jnp.max(probabilities, -1),
        weights @ likeliest,
    )


def inception_score(sums: LabelSums) -> float:
    """`exp E KL(p(y|x) ‖ p(y))`, in [1, C], over all pictures at once (Salimans et al. 2016, section 4).

    The published score uses Inception's probabilities, and is the average over ten parts of 5000 pictures.
    """
    number, information = float(sums.number), float(sums.information)
    marginal = np.asarray(sums.probabilities, np.float64) / number
    positive = marginal[marginal > 0]
    return float(np.exp(information / number - np.sum(positive * np.log(positive))))


def mean_confidence(sums: LabelSums) -> float:
    """The mean over pictures of the largest probability, in [0, 1]."""
    return float(sums.confidence) / float(sums.number)


def label_histogram(sums: LabelSums) -> np.ndarray:
    """The share of pictures whose most probable class is each class, `[C]` float64, of sum 1."""
    return np.asarray(sums.labels, np.float64) / float(sums.number)


def modes_covered(histogram: np.ndarray) -> int:
    """The number of classes that a picture was classified as, of a histogram `[C]`; "modes" of Stacked MNIST."""
    return int(np.count_nonzero(histogram))


def reverse_kl(histogram: np.ndarray) -> float:
    """Kullback-Leibler divergence, in nats, of a histogram `[C]` of sum 1 from the uniform one: `Σ q log(C q)`.

    N pictures of all classes alike have about `(C - 1) / 2 N`: .02 of a thousand classes and 25,600 pictures.

    References:
      Lin et al. 2018, "PacGAN", section 4.2.
    """
    positive = histogram[histogram > 0]
    return float(np.sum(positive * np.log(positive * len(histogram))))


def variation_from_uniform(histogram: np.ndarray) -> float:
    """Total variation distance, in [0, 1], of a histogram `[C]` of sum 1 from the uniform one: half the L1 distance."""
    return float(np.abs(histogram - 1 / len(histogram)).sum() / 2)
