"""Metrics: functions of arrays. Sums over pictures are named tuples or matrices, merged by adding."""

from jaxstyle.metrics.confusion import confusion_matrix
from jaxstyle.metrics.frechet import FeatureSums, feature_sums, frechet_distance, mean_and_covariance, merge
from jaxstyle.metrics.iwae import iwae_bound
from jaxstyle.metrics.kernel import kernel_distance
from jaxstyle.metrics.labels import (
    LabelSums,
    inception_score,
    label_histogram,
    label_sums,
    mean_confidence,
    modes_covered,
    reverse_kl,
    variation_from_uniform,
)
from jaxstyle.metrics.neighbors import density_coverage, precision_recall
from jaxstyle.metrics.temporal import warping_error

__all__ = [
    "FeatureSums",
    "LabelSums",
    "confusion_matrix",
    "density_coverage",
    "feature_sums",
    "frechet_distance",
    "inception_score",
    "iwae_bound",
    "kernel_distance",
    "label_histogram",
    "label_sums",
    "mean_and_covariance",
    "mean_confidence",
    "merge",
    "modes_covered",
    "precision_recall",
    "reverse_kl",
    "variation_from_uniform",
    "warping_error",
]
