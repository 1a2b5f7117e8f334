"""Objectives that compose: pure functions of what a network sees, summed by `+` and `-`, weighted by `*`."""

from jaxstyle.pixels.objectives.activations import channel, cosine, direction, layer_energy, logit, neuron
from jaxstyle.pixels.objectives.algebra import Objective, Seen, term
from jaxstyle.pixels.objectives.comparisons import (
    activation_difference,
    content,
    guided,
    style,
    style_of,
    total_variation,
)
from jaxstyle.pixels.objectives.groups import alignment, channel_interpolation, diversity
from jaxstyle.pixels.objectives.look import Look, View

__all__ = [
    "Look",
    "Objective",
    "Seen",
    "View",
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
