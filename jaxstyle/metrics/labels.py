"""What a classifier's probabilities tell of generated pictures: how sure, how even, the Inception Score."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import xlogy


class LabelSums(NamedTuple):
    """Sums over pictures; sets are merged by adding (`jaxstyle.metrics.merge`, or `psum` over devices).

    Attributes:
      number: Of pictures, a scalar.
      probabilities: Sum of the classes' probabilities, `[C]`.
      information: Sum over pictures of `Σ p log p`, in nats: minus their entropies.
      confidence: Sum of each picture's largest probability.
      labels: How often each class was the likeliest, `[C]`.
    """

    number: jax.Array
    probabilities: jax.Array
    information: jax.Array
    confidence: jax.Array
    labels: jax.Array


@jax.jit
def label_sums(probabilities: jax.Array, weights: jax.Array | None = None) -> LabelSums:
    """The sums of some pictures.

    Args:
      probabilities: `[N, C]` float, each row sums to 1.
      weights: `[N]` of the same dtype, 1 for what counts and 0 for what fills up a batch; None counts everything.
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
    """`exp E KL(p(y|x) ‖ p(y))`, 1 to C, over all pictures at once (Salimans et al. 2016, section 4).

    The published score is of Inception's probabilities, averaged over ten parts of 5000 pictures.
    """
    number, information = float(sums.number), float(sums.information)
    marginal = np.asarray(sums.probabilities, np.float64) / number
    positive = marginal[marginal > 0]
    return float(np.exp(information / number - np.sum(positive * np.log(positive))))


def mean_confidence(sums: LabelSums) -> float:
    """The mean over pictures of the likeliest class's probability, in [0, 1]."""
    return float(sums.confidence) / float(sums.number)


def label_histogram(sums: LabelSums) -> np.ndarray:
    """The share of pictures in which each class is the likeliest, `[C]` float64, sum 1."""
    return np.asarray(sums.labels, np.float64) / float(sums.number)


def variation_from_uniform(histogram: np.ndarray) -> float:
    """The total variation between a histogram `[C]` of sum 1 and the uniform one: half their L1 distance, 0 to 1."""
    return float(np.abs(histogram - 1 / len(histogram)).sum() / 2)
