"""Feature visualisation: what a channel of a network responds to most, painted from noise on the pixel loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import DEFAULT, Features
from jaxstyle.features.layers import redirected_relu
from jaxstyle.pixels import footprint, objectives, optimizers, parametrizations
from jaxstyle.pixels.loop import Job, Problem
from jaxstyle.pixels.method import Knobs, Method
from jaxstyle.pixels.objectives import Look, Objective, View
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.transforms import robust
from jaxstyle.runtime.settings import Settings, setting

NOISE = 0.01
"""Standard deviation of the Fourier coefficients to start from, lucid's: nearly grey."""
TARGETS = ("channel", "neuron", "logit")


@dataclasses.dataclass(frozen=True)
class VisualizationConfig(Settings):
    """How a channel is visualised; every field is also a command-line option. Lists are written `a,b,c` there."""

    layer: str = setting("relu4_1", "layer of the network to look into (--list-layers names them)")
    channels: str = setting("0:16", "channels of the layer: 11, or 3,5,8, or 0:64 for the first 64")
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
    features: str = setting(DEFAULT, "network to look into: a name (jaxstyle features list) or a file")
    seed: int = setting(0, "of all randomness", least=0)
    dtype: str = setting("float32", "in which the network computes", ("float32", "bfloat16"))
    devices: int | None = setting(None, "number of devices to spread the pictures over (default: all)", least=1)

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if self.learning_rate == 0:
            raise JaxstyleError("--learning-rate is 0; it must be above 0")
        if self.scale >= 1:
            raise JaxstyleError(f"--scale is {self.scale:g}; it must be below 1")
        if self.facets > 1 and self.parametrization in ("deep-image-prior", "cppn"):
            raise JaxstyleError(f"--facets needs another parametrization than {self.parametrization}")

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
                raise JaxstyleError(f"--channels {self.channels!r} is not of the form 11, 3,5,8 or 0:64") from None
        if not found:
            raise JaxstyleError(f"--channels {self.channels!r} names no channel; write 11, 3,5,8 or 0:64")
        for index in found:
            if not 0 <= index < width:
                raise JaxstyleError(f"layer {self.layer!r} has channels 0 to {width - 1}, and {index} is none of them")
        return list(dict.fromkeys(found))


def channel_objectives(config: VisualizationConfig, indices: Sequence[int]) -> list[Objective]:
    """One objective a channel, all of one structure."""
    make = {"channel": objectives.channel, "neuron": objectives.neuron}.get(config.target)
    if make is None:
        return [objectives.logit(index, config.layer) for index in indices]
    return [make(config.layer, index) for index in indices]


def check_layer(config: VisualizationConfig, features: Features) -> list[int]:
    """The channels to visualise.

    Raises:
      JaxstyleError: The layer or a channel is none of the network's, or has no positions and is no logit.
    """
    features.check((config.layer,))
    shape = features.shapes((config.layer,))[config.layer]
    if (len(shape) == 1) != (config.target == "logit"):
        wanted = "logit" if len(shape) == 1 else "channel"
        raise JaxstyleError(f"--target {config.target} does not fit layer {config.layer!r}; use {wanted}")
    return config.indices(shape[-1])


def prepare(config: VisualizationConfig, features: Features, wanted: Sequence[Objective]) -> Job:
    """Everything checked and ready to run; nothing expensive has happened yet.

    Args:
      config: The settings; `layer` and `channels` are not looked at.
      features: The network to look into.
      wanted: Objectives of one structure, one a picture (or group of facets); all are one compiled program.

    Returns:
      The job of `len(wanted)` pictures.

    Raises:
      JaxstyleError: A setting or layer that cannot be, objectives of several structures, or a size too large.
    """
    config.check()
    layers = wanted[0].layers
    features.check(layers)
    wanted = [with_priors(config, objective) for objective in wanted]
    if len({jax.tree.structure(objective) for objective in wanted}) > 1:
        raise JaxstyleError("objectives of one run must look at the same layers in the same way; run others apart")
    stage = Stage(config.size, config.size, config.size, config.iterations)
    method = choose_method(config, features, layers, stage, len(wanted))
    views = jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *map(View, wanted))
    key = np.random.SeedSequence(config.seed).generate_state(2, np.uint32)
    count = len(wanted)
    rates, decays = np.full(count, config.learning_rate, np.float32), np.zeros(count, np.float32)
    knobs = Knobs(rates, decays, np.tile(key, (count, 1)))
    params = jax.device_put(features.params)
    start = np.repeat(starting_noise(config)[None], count, axis=0)
    return Job(Problem(method, [stage], lambda stage: views, params), start, knobs)


def choose_method(
    config: VisualizationConfig, features: Features, layers: tuple[str, ...], stage: Stage, count: int
) -> Method:
    """Adam on the chosen parametrisation, seen through random transforms by a network whose ReLUs redirect gradients.

    Raises:
      JaxstyleError: The size is too small for the layers, or too large for the memory.
    """
    seen = stage._replace(height=stage.height + 2 * config.pad, width=stage.width + 2 * config.pad)
    side = seen.height - config.jitter - config.jitter // 2
    if layers and side < (least := features.least_side(layers)):
        raise JaxstyleError(f"at --size {config.size} the layers see {side} px and need {least}: make --size larger")
    network: Any = features.network
    if layers:
        network = footprint.fit(features, layers, seen, count * config.facets, config.dtype, config.devices)
    if "relu" in network.__dataclass_fields__:
        network = network.clone(relu=redirected_relu)
    look = Look(network, robust(config.pad, config.jitter, config.scale, config.rotate), config.dtype)
    return Method(parametrizations.BY_NAME[config.parametrization](config.seed), look, optimizers.adam())


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
