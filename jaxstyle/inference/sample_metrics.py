"""Metrics of a generator's samples against real pictures, of the features of both."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxstyle import metrics as measures


class FeatureSet(NamedTuple):
    """The features of a set of pictures in a feature space.

    Attributes:
      features: `[N, D]`.
      probabilities: `[N, classes]` or None.
      labels: `[N]`, of real pictures their own, of samples those asked for; None where there are none.
    """

    features: Any
    probabilities: Any
    labels: Any = None


def frechet(real: FeatureSet, drawn: FeatureSet) -> dict[str, Any]:
    """Fréchet distance; FID in its space."""
    sums = [measures.feature_sums(side.features) for side in (real, drawn)]
    return {"frechet": measures.frechet_distance(*sums)}


def kernel(real: FeatureSet, drawn: FeatureSet) -> dict[str, Any]:
    """Kernel distance, and its spread over subsets."""
    mean, deviation = measures.kernel_distance(real.features, drawn.features)
    return {"kid": mean, "kid_deviation": deviation}


def precision_recall(real: FeatureSet, drawn: FeatureSet) -> dict[str, Any]:
    """Improved precision and recall, k = 3."""
    return dict(zip(("precision", "recall"), measures.precision_recall(real.features, drawn.features), strict=True))


def density_coverage(real: FeatureSet, drawn: FeatureSet) -> dict[str, Any]:
    """Density and coverage, k = 5."""
    return dict(zip(("density", "coverage"), measures.density_coverage(real.features, drawn.features), strict=True))


def label_scores(real: FeatureSet, drawn: FeatureSet) -> dict[str, Any]:
    """Inception Score, mean confidence, histogram of labels and its distances from uniform, of samples only."""
    sums = measures.label_sums(drawn.probabilities)
    histogram = measures.label_histogram(sums)
    return {
        "inception_score": measures.inception_score(sums),
        "confidence": measures.mean_confidence(sums),
        "variation": measures.variation_from_uniform(histogram),
        "modes": measures.modes_covered(histogram),
        "reverse_kl": measures.reverse_kl(histogram),
        "histogram": histogram.tolist(),
    }


def label_check(real: FeatureSet, drawn: FeatureSet) -> dict[str, Any]:
    """The share of samples that are classified as the label asked for, over all and in each class, and each class's
    recall, k = 3, among its real pictures (NaN of fewer than four): near 0 for one picture a class."""
    right = np.argmax(drawn.probabilities, -1) == drawn.labels
    shares, recalls = [], []
    for label in range(drawn.probabilities.shape[-1]):
        own = [side.features[side.labels == label] for side in (real, drawn)]
        enough = min(map(len, own)) > 3
        recalls.append(measures.precision_recall(*own)[1] if enough else math.nan)
        shares.append(float(np.mean(right[drawn.labels == label])) if len(own[1]) else math.nan)
    return {"label": float(right.mean()), "label_by_class": shares, "recall_by_class": recalls}


Measure = Callable[[FeatureSet, FeatureSet], dict[str, Any]]
GENERATIVE: dict[str, Measure] = {
    "frechet": frechet,
    "kid": kernel,
    **dict.fromkeys(("precision", "recall"), precision_recall),
    **dict.fromkeys(("density", "coverage"), density_coverage),
    **dict.fromkeys(("inception_score", "confidence", "variation", "modes", "reverse_kl", "histogram"), label_scores),
    "label": label_check,
}
PARTS = {"kid_deviation": "kid", "label_by_class": "label", "recall_by_class": "label"}
"""Metrics that come with another."""
