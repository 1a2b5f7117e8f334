"""Stylise pictures at hand: from photos, paintings and settings to a problem of the pixel loop, and back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
import optax

from jaxstyle import colors, images
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import VGG, Features
from jaxstyle.pixels import memory, optimizers, parametrizations, schedule
from jaxstyle.pixels.config import INITS, StyleTransferConfig
from jaxstyle.pixels.inputs import Inputs, style_weights
from jaxstyle.pixels.loop import Problem
from jaxstyle.pixels.method import Knobs, Method
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.style_transfer import StyleObjective
from jaxstyle.pixels.targets import Point, TargetMaker


class Stylization(NamedTuple):
    """A problem for the loop with what it starts from: `optimize(problem, start, knobs, devices)`."""

    problem: Problem
    start: np.ndarray
    knobs: Knobs


def prepare(
    config: StyleTransferConfig,
    features: Features,
    inputs: Inputs,
    points: Sequence[Point] = ({},),
    optimizer: optax.GradientTransformation | None = None,
) -> Stylization:
    """Everything checked and ready to run; nothing expensive has happened yet.

    Args:
      config: The settings.
      features: The network that looks.
      inputs: The pictures.
      points: Overrides of `SWEEPABLE` settings. Every content is stylised at every point, in one batch:
        content 1 at all points, content 2 at all points, …
      optimizer: Any optax transformation, instead of the config's.

    Returns:
      The stylisation of `len(contents) · len(points)` pictures.

    Raises:
      JaxstyleError: A setting, layer, picture or mask that cannot be, or a size too large for the memory.
    """
    config.check()
    inputs.check()
    # Once: the targets of every picture at every scale read the network, which as host arrays would be sent each time.
    features = dataclasses.replace(features, params=jax.device_put(features.params))
    if config.style_weights and len(config.style_weights) != len(inputs.styles):
        raise JaxstyleError(
            f"--style-weights has {len(config.style_weights)} numbers for {len(inputs.styles)} styles; give one each"
        )
    objective = StyleObjective(
        features.network, config.content_layers, config.style_layers, config.style_loss, config.dtype
    )
    features.check(objective.taps)
    plan = schedule.plan(config, features.least_side(objective.taps), [c.shape[:2] for c in inputs.contents])
    objective = fit_memory(objective, features, plan[-1], len(inputs.contents) * len(points), config)
    method = choose_method(config, objective, optimizer)
    targets = TargetMaker(config, objective, features, inputs, points)
    start = np.repeat(starting_images(config, inputs, plan[0]), len(points), axis=0)
    return Stylization(
        Problem(method, plan, targets, features.params), start, knobs(config, len(inputs.contents), points)
    )


def choose_method(
    config: StyleTransferConfig, objective: StyleObjective, optimizer: optax.GradientTransformation | None
) -> Method:
    """Pixels moved by the optimiser; clipped to [0, 1], but not under L-BFGS, whose curvature it would spoil."""
    if optimizer is not None:
        return Method(parametrizations.RGB, objective, optimizer)
    if config.optimizer == "lbfgs":
        return Method(parametrizations.FREE_RGB, objective, optimizers.lbfgs())
    return Method(parametrizations.RGB, objective, optimizers.adam())


def fit_memory(
    objective: StyleObjective, features: Features, stage: Stage, count: int, config: StyleTransferConfig
) -> StyleObjective:
    """The objective, with activations worked out twice where memory is short.

    Raises:
      JaxstyleError: It is too short even so; the sentence gives the estimate.
    """
    need = functools.partial(memory.estimate, features, objective.taps, stage, count, config.dtype, config.devices)
    room = memory.available()
    if room is None or need() <= room:
        return objective
    can_remat = isinstance(features.network, VGG) and jax.default_backend() != "cpu"
    if can_remat and need(remat=True) <= room:
        return dataclasses.replace(objective, network=features.network.clone(remat=True))
    raise JaxstyleError(
        f"{count} picture(s) of {stage.width}×{stage.height} px with features {features.name!r} need some "
        f"{need() / 2**30:.1f} GiB and {room / 2**30:.1f} GiB are free: lower --size"
        + (", or use --dtype bfloat16" if config.dtype == "float32" else "")
    )


def starting_images(config: StyleTransferConfig, inputs: Inputs, stage: Stage) -> np.ndarray:
    """`[contents, H, W, 3]`: what `init` says, at the first stage's size."""
    shape = (stage.height, stage.width)
    if config.init == "content":
        return np.stack([images.resize(content, *shape) for content in inputs.contents])
    if config.init not in INITS:
        if inputs.start is None:
            raise JaxstyleError(f"init {config.init!r} is a path, and no picture was given for it")
        return np.stack([images.resize(inputs.start, *shape)] * len(inputs.contents))
    mean, std = np.full(3, 0.5), np.full(3, 0.25)
    if config.init == "style-stats":
        pixels = [style.reshape(-1, 3) for style in inputs.styles]
        weights = style_weights(config, inputs)
        mean = sum(w * p.mean(0) for w, p in zip(weights, pixels, strict=True))
        std = np.sqrt(sum(w * p.var(0) for w, p in zip(weights, pixels, strict=True)))
    noise = np.random.default_rng(config.seed).standard_normal((*shape, 3))
    return np.stack([np.clip(mean + std * noise, 0, 1).astype(np.float32)] * len(inputs.contents))


def knobs(config: StyleTransferConfig, contents: int, points: Sequence[Point]) -> Knobs:
    """Learning rate, average and random key of every picture.

    All share the key, as they share the noise to start from: a picture does not depend on those beside it.
    """

    def every(name: str, default: float) -> np.ndarray:
        return np.tile(np.array([point.get(name, default) for point in points], np.float32), contents)

    key = np.random.SeedSequence(config.seed).generate_state(2, np.uint32)
    keys = np.tile(key, (contents * len(points), 1))
    return Knobs(every("learning_rate", config.step_size), every("avg_decay", config.avg_decay), keys)


def finish(config: StyleTransferConfig, picture: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The result as it is shown: with the photo's colours where that was asked for."""
    if config.preserve_color != "luminance":
        return picture
    return colors.keep_luminance_only(picture, images.resize(content, *picture.shape[:2]))
