"""Stylise pictures at hand: from photos, paintings and settings to a problem of the pixel loop, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
import optax

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features
from jaxstyle.media import colors
from jaxstyle.media.image_resizing import resize
from jaxstyle.perceptual.style import StyleObjective
from jaxstyle.perceptual.targets import Point, TargetMaker
from jaxstyle.pixels import footprint, optimizers, parametrizations, schedule
from jaxstyle.pixels.config import INITS, StyleConfig, StyleTransferConfig
from jaxstyle.pixels.inputs import Inputs, style_weights
from jaxstyle.pixels.loop import Job, Problem
from jaxstyle.pixels.method import Knobs, Method
from jaxstyle.pixels.schedule import Stage


def prepare(
    config: StyleTransferConfig,
    features: Features,
    inputs: Inputs,
    points: Sequence[Point] = ({},),
    optimizer: optax.GradientTransformation | None = None,
) -> Job:
    """Everything checked and ready to run; nothing expensive has happened yet.

    Args:
      config: The settings.
      features: The network that looks.
      inputs: The pictures.
      points: Overrides of `SWEEPABLE` settings. Every content is stylised at every point, in one batch:
        content 1 at all points, content 2 at all points, …
      optimizer: Any optax transformation, instead of the config's.

    Returns:
      The job of `len(contents) · len(points)` pictures.

    Raises:
      JaxstyleError: A setting, layer, picture or mask that cannot be, or a size too large for the memory.
    """
    config.check()
    inputs.check()
    style_weights(config, len(inputs.styles))
    # Once: the targets of every picture at every scale read the network, which as host arrays would be sent each time.
    features = dataclasses.replace(features, params=jax.device_put(features.params))
    objective = StyleObjective(
        features.network, config.content_layers, config.style_layers, config.style_loss, config.dtype
    )
    features.check(objective.taps)
    plan = schedule.plan(config, features.least_side(objective.taps), [c.shape[:2] for c in inputs.contents])
    count = len(inputs.contents) * len(points)
    network = footprint.fit(features, objective.taps, plan[-1], count, config.dtype, config.devices)
    objective = dataclasses.replace(objective, network=network)
    method = choose_method(config, objective, optimizer)
    targets = TargetMaker(config, objective, features, inputs, points)
    start = np.repeat(starting_images(config, inputs, plan[0]), len(points), axis=0)
    return Job(Problem(method, plan, targets, features.params), start, knobs(config, len(inputs.contents), points))


def choose_method(
    config: StyleConfig, objective: StyleObjective, optimizer: optax.GradientTransformation | None
) -> Method:
    """Parametrisation and optimiser; pixels are clipped, but not under L-BFGS, whose curvature that would spoil."""
    chosen = parametrizations.BY_NAME[config.parametrization](config.seed)
    lbfgs = optimizer is None and config.optimizer == "lbfgs"
    if config.parametrization == "pixels" and objective.periodic:
        chosen = parametrizations.PERIODIC_RGB
    if config.parametrization == "pixels" and lbfgs:
        chosen = parametrizations.FREE_PERIODIC_RGB if objective.periodic else parametrizations.FREE_RGB
    if optimizer is None:
        optimizer = optimizers.lbfgs() if lbfgs else optimizers.adam()
    return Method(chosen, objective, optimizer)


def starting_images(config: StyleTransferConfig, inputs: Inputs, stage: Stage) -> np.ndarray:
    """`[contents, H, W, 3]`: what `init` says, at the first stage's size."""
    shape = (stage.height, stage.width)
    if config.init == "content":
        return np.stack([resize(content, *shape) for content in inputs.contents])
    if config.init not in INITS:
        if inputs.start is None:
            raise JaxstyleError(f"init {config.init!r} is a path, and no picture was given for it")
        return np.stack([resize(inputs.start, *shape)] * len(inputs.contents))
    return np.stack(
        [noise(config, stage, inputs.styles if config.init == "style-stats" else ())] * len(inputs.contents)
    )


def noise(config: StyleConfig, stage: Stage, styles: Sequence[np.ndarray]) -> np.ndarray:
    """White noise `[H, W, 3]` with the mean and variance of the styles' colours, or grey where there are none."""
    mean, std = np.full(3, 0.5), np.full(3, 0.25)
    if styles:
        pixels = [style.reshape(-1, 3) for style in styles]
        weights = style_weights(config, len(styles))
        mean = sum(w * p.mean(0) for w, p in zip(weights, pixels, strict=True))
        std = np.sqrt(sum(w * p.var(0) for w, p in zip(weights, pixels, strict=True)))
    values = np.random.default_rng(config.seed).standard_normal((stage.height, stage.width, 3))
    return np.clip(mean + std * values, 0, 1).astype(np.float32)


def knobs(config: StyleConfig, contents: int, points: Sequence[Point]) -> Knobs:
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
    return colors.keep_luminance_only(picture, resize(content, *picture.shape[:2]))
