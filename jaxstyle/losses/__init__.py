"""Losses: pure functions of arrays, knowing nothing of files, devices or loops."""

from jaxstyle.losses.content import content_distance
from jaxstyle.losses.image_priors import total_variation, total_variation_l1
from jaxstyle.losses.moments import Moments, combine, covariance, energy, moments, scale
from jaxstyle.losses.style import (
    gram_distance,
    gram_matrix,
    mean_std_distance,
    wasserstein_distance,
    wasserstein_root,
)

__all__ = [
    "Moments",
    "combine",
    "content_distance",
    "covariance",
    "energy",
    "gram_distance",
    "gram_matrix",
    "mean_std_distance",
    "moments",
    "scale",
    "total_variation",
    "total_variation_l1",
    "wasserstein_distance",
    "wasserstein_root",
]
