"""Losses: pure functions of arrays."""

from jaxstyle.losses.adversarial import (
    ADVERSARIAL_LOSSES,
    RELATIVISTIC,
    AdversarialLoss,
    gradient_penalty,
    logits_and_penalties,
    r1_penalty,
)
from jaxstyle.losses.classification import balanced_weights, cross_entropy, mean_squared_error, smoothed_labels
from jaxstyle.losses.content import content_distance
from jaxstyle.losses.contrastive import patch_contrast
from jaxstyle.losses.image_priors import total_variation, total_variation_l1
from jaxstyle.losses.matching import (
    matching_distance,
    nearest_distance,
    relaxed_transport_distance,
    self_similarity,
    self_similarity_distance,
)
from jaxstyle.losses.path_length import path_lengths
from jaxstyle.losses.style import (
    gram_distance,
    gram_matrix,
    mean_std_distance,
    wasserstein_distance,
    wasserstein_distances,
    wasserstein_root,
    wasserstein_roots,
)
from jaxstyle.losses.variational import (
    bernoulli_log_likelihood,
    codebook_loss,
    commitment_loss,
    discretized_logistic_log_likelihood,
    free_bits,
    gaussian_kl,
    gaussian_log_density,
    gaussian_log_likelihood,
    kl_weight,
    straight_through,
)

__all__ = [
    "ADVERSARIAL_LOSSES",
    "RELATIVISTIC",
    "AdversarialLoss",
    "balanced_weights",
    "bernoulli_log_likelihood",
    "codebook_loss",
    "commitment_loss",
    "content_distance",
    "cross_entropy",
    "discretized_logistic_log_likelihood",
    "free_bits",
    "gaussian_kl",
    "gaussian_log_density",
    "gaussian_log_likelihood",
    "gradient_penalty",
    "gram_distance",
    "gram_matrix",
    "kl_weight",
    "logits_and_penalties",
    "matching_distance",
    "mean_squared_error",
    "mean_std_distance",
    "nearest_distance",
    "patch_contrast",
    "path_lengths",
    "r1_penalty",
    "relaxed_transport_distance",
    "self_similarity",
    "self_similarity_distance",
    "smoothed_labels",
    "straight_through",
    "total_variation",
    "total_variation_l1",
    "wasserstein_distance",
    "wasserstein_distances",
    "wasserstein_root",
    "wasserstein_roots",
]
