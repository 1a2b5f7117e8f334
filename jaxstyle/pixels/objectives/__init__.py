"""Objectives that compose: pure functions of activations, summed by `+` and `-`, weighted by `*`; larger is better."""

from jaxstyle.perceptual.loss import style_of
from jaxstyle.perceptual.objective import Activations, Objective, term
from jaxstyle.perceptual.terms import content, style, total_variation
from jaxstyle.pixels.objectives.activations import channel, cosine, direction, layer_energy, logit, neuron
from jaxstyle.pixels.objectives.comparisons import activation_difference, guided
from jaxstyle.pixels.objectives.groups import alignment, channel_interpolation, diversity
from jaxstyle.pixels.objectives.loss import ObjectiveLoss, StageObjective

__all__ = [
    "Activations",
    "Objective",
    "ObjectiveLoss",
    "StageObjective",
    "activation_difference",
    "alignment",
    "channel",
    "channel_interpolation",
    "content",
    "cosine",
    "direction",
    "diversity",
    "guided",
    "layer_energy",
    "logit",
    "neuron",
    "style",
    "style_of",
    "term",
    "total_variation",
]
