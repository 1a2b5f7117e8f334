"""Feature visualisation: pictures that a channel of a network responds to most, from noise, on the pixel loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any

import jax
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import DEFAULT, Features
from jaxstyle.features.layers import redirected_relu
from jaxstyle.pixels import footprint, objectives, optimizers, parametrizations
from jaxstyle.pixels.job import Inputs, PixelJob, Point
from jaxstyle.pixels.loop import Problem
from jaxstyle.pixels.method import HyperParameters, Method
from jaxstyle.pixels.objectives import Objective, ObjectiveLoss, StageObjective
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.transforms import robust
from jaxstyle.runtime.settings import Settings, named, setting

NOISE = 0.01
"""Standard deviation of the Fourier coefficients to start from, lucid's: nearly grey."""
TARGETS = ("channel", "neuron", "logit")


@dataclasses.dataclass(frozen=True)
class VisualizationConfig(Settings):
    """Settings of feature visualisation; every field is also a command-line option, where lists are written `a,b,c`."""

    layer: str = setting("relu4_1", "layer of the network to look into (--list-layers names them)")
    channels: str = setting("0:16", "channels of the layer: 11, or 3,5,8, or 0:64 for the first 64", alias="channel")
    target: str = setting("channel", "what to increase: the channel everywhere, one neuron, or a class logit", TARGETS)
    size: int = setting(224, "height and width of each picture, pixels", least=16)
    iterations: int = setting(256, "optimiser steps", least=1)
    learning_rate: float = setting(0.05, "step size of Adam", least=0)
    parametrization: str = setting("fourier", "which numbers the optimiser moves", tuple(parametrizations.BY_NAME))
    pad: int = setting(12, "grey margin the network sees, pixels", least=0)
    jitter: int = setting(8, "random shift at every step, pixels", least=0)
    scale: float = setting(0.1, "random change of size at every step, as a share", least=0)
    rotate: float = setting(10.0, "random rotation at every step, degrees each way", least=0)
    facets: int = setting(1, "pictures a channel, made unlike one another", least=1)
    diversity_weight: float = setting(1.0, "weight of the facets' unlikeness, relative to the channel", least=0)
    tv_weight: float = setting(0.0, "weight of total variation; more is smoother", least=0)
    features: str = setting(
        DEFAULT, "feature extractor to look into: a name (jaxstyle features list) or a file", path=True
    )
    seed: int = setting(0, "seed of all random numbers", least=0)
    dtype: str = setting("float32", "number format of the network's activations", ("float32", "bfloat16"))
    devices: int | None = setting(None, "number of devices to spread the pictures over (default: all)", least=1)

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if self.learning_rate == 0:
            raise JaxstyleError(f"{named('learning_rate')} is 0; it must be above 0")
        if self.scale >= 1:
            raise JaxstyleError(f"{named('scale')} is {self.scale:g}; it must be below 1")
        if self.facets > 1 and self.parametrization in ("deep-image-prior", "cppn"):
            raise JaxstyleError(f"{named('facets')} needs another parametrization than {self.parametrization}")

    def indices(self, width: int) -> list[int]:
        """The channels chosen, of a layer with `width` of them.

        Raises:
          JaxstyleError: They are malformed, or not among the layer's.
        """
        found: list[int] = []
        for part in filter(None, (piece.strip() for piece in self.channels.split(","))):
            first, colon, last = part.partition(":")
            try:
                found += range(int(first or 0), int(last or width)) if colon else [int(first)]
            except ValueError:
                raise JaxstyleError(
                    f"{named('channels')} {self.channels!r} is not of the form 11, 3,5,8 or 0:64"
                ) from None
        if not found:
            raise JaxstyleError(f"{named('channels')} {self.channels!r} names no channel; write 11, 3,5,8 or 0:64")
        for index in found:
            if not 0 <= index < width:
                raise JaxstyleError(f"layer {self.layer!r} has channels 0 to {width - 1}, and {index} is none of them")
        return list(dict.fromkeys(found))


def points(config: VisualizationConfig, features: Features) -> list[Point]:
    """One point a channel: the setting `channels` of its own picture.

    Raises:
      JaxstyleError: The layer or a channel is none of the network's, or has no positions and is no logit.
    """
    features.check((config.layer,))
    shape = features.shapes((config.layer,))[config.layer]
    if (len(shape) == 1) != (config.target == "logit"):
        fits = "logit" if len(shape) == 1 else "channel"
        raise JaxstyleError(f"{named('target')} {config.target} does not fit layer {config.layer!r}; use {fits}")
    return [{"channels": str(index)} for index in config.indices(shape[-1])]


def channel_objective(config: VisualizationConfig, point: Point) -> Objective:
    """The objective of one channel; those of all channels are of one structure."""
    index = int(point["channels"])
    if config.target == "logit":
        return objectives.logit(index, config.layer)
    return (objectives.channel if config.target == "channel" else objectives.neuron)(config.layer, index)


def prepare(
    config: VisualizationConfig,
    features: Features,
    inputs: Inputs,
    points: Sequence[Point] = (),
    *,
    wanted: Sequence[Objective] = (),
) -> Problem:
    """Checks everything and sets the problem up; nothing expensive has happened yet.

    Args:
      config: The settings.
      features: The feature extractor to look into.
      inputs: Nothing is read.
      points: One a channel; see `points`.
      wanted: Objectives of one structure in place of channels, one a picture (or group of facets).

    Returns:
      The problem of as many pictures; all are one compiled program.

    Raises:
      JaxstyleError: A setting or layer that cannot be, objectives of several structures, or a size too large.
    """
    config.check()
    wanted = list(wanted) or [channel_objective(config, point) for point in points]
    layers = wanted[0].layers
    features.check(layers)
    wanted = [with_priors(config, objective) for objective in wanted]
    if len({jax.tree.structure(objective) for objective in wanted}) > 1:
        raise JaxstyleError("objectives of one run must have the same layers in the same order; run others apart")
    count = len(wanted)
    stage = Stage(config.size, config.size, config.size, config.iterations)
    method = choose_method(config, features, layers, stage, count)
    made = jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *map(StageObjective, wanted))
    key = np.random.SeedSequence(config.seed).generate_state(2, np.uint32)
    rates, decays = np.full(count, config.learning_rate, np.float32), np.zeros(count, np.float32)
    hyper = HyperParameters(rates, decays, np.tile(key, (count, 1)))
    start = np.repeat(starting_noise(config)[None], count, axis=0)
    return Problem(method, [stage], start, hyper, lambda stage: made, jax.device_put(features.params))


def batch(config: VisualizationConfig, features: Features, shape: tuple[int, ...] | None) -> tuple[Hashable, int]:
    """All channels together, as many at once as half the memory holds."""
    side = config.size + 2 * config.pad
    stage = Stage(side, side, side, config.iterations)
    limit = footprint.largest_batch(features, (config.layer,), stage, config.facets, config.dtype, config.devices)
    return None, limit


def label(config: VisualizationConfig, point: Point) -> tuple[str, str]:
    """A channel's part of file names, `relu4_1-11`, and its label on the atlas."""
    name = f"{config.layer.replace('/', '-')}-{point['channels']}"
    return name, ": ".join(name.split("-", 1))


def choose_method(
    config: VisualizationConfig, features: Features, layers: tuple[str, ...], stage: Stage, count: int
) -> Method:
    """Adam on the chosen parametrisation, under random transforms, by a network whose ReLUs redirect gradients.

    Raises:
      JaxstyleError: The size is too small for the layers, or too large for the memory.
    """
    seen = stage._replace(height=stage.height + 2 * config.pad, width=stage.width + 2 * config.pad)
    side = seen.height - config.jitter - config.jitter // 2
    if layers and side < (least := features.least_side(layers)):
        raise JaxstyleError(
            f"at {named('size')} {config.size} the layers see {side} px and need {least}: make it larger"
        )
    network: Any = features.network
    if layers:
        network = footprint.fit(features, layers, seen, count * config.facets, config.dtype, config.devices)
    if "relu" in network.__dataclass_fields__:
        network = network.clone(relu=redirected_relu)
    loss = ObjectiveLoss(network, robust(config.pad, config.jitter, config.scale, config.rotate), config.dtype)
    return Method(parametrizations.BY_NAME[config.parametrization](config.seed), loss, optimizers.adam())


def with_priors(config: VisualizationConfig, objective: Objective) -> Objective:
    """The objective with what the settings add to it.

    Diversity lies in [-1, 0] whatever the network, so it is weighed against channels by the loop's Adam, which looks
    at the gradient's sign more than at its size.
    """
    if config.facets > 1 and config.diversity_weight:
        objective = objective + config.diversity_weight * objectives.diversity(objective.layers[0])
    if config.tv_weight:
        objective = objective - config.tv_weight * objectives.total_variation()
    return objective


def starting_noise(config: VisualizationConfig) -> np.ndarray:
    """Nearly grey 1/f noise `[H, W, 3]`, or `[facets, H, W, 3]`, the same for every channel."""
    shape = (config.size, config.size, 3)
    draws = np.random.default_rng(config.seed).standard_normal((config.facets, *shape), np.float32)
    pictures = np.asarray(jax.jit(parametrizations.FOURIER.decode)(NOISE * draws))
    return pictures if config.facets > 1 else pictures[0]


JOB = PixelJob(
    "visualize",
    "paint what channels of a network respond to: one picture, or a labelled atlas",
    VisualizationConfig,
    prepare,
    points=points,
    pictures=lambda config: config.facets,
    batch=batch,
    label=label,
    sheet="atlas.png",
)
