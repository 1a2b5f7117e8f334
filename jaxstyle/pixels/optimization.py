"""The settings and the set-up that style transfer and texture synthesis share: scales, optimiser, starting noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import optax

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.layers import POOLING_SCALE
from jaxstyle.pixels import optimizers, parametrizations
from jaxstyle.pixels.job import Point
from jaxstyle.pixels.method import HyperParameters, Method
from jaxstyle.pixels.objectives import ObjectiveLoss
from jaxstyle.pixels.schedule import Stage
from jaxstyle.runtime.settings import Settings, named, setting

LEARNING_RATES = {"adam": 0.02, "lbfgs": 1.0}
STEP_SIZES = {"pixels": 1.0, "sigmoid": 4.0, "pyramid": 2.0, "fourier": 2.0, "deep-image-prior": 0.5, "cppn": 0.1}
"""Adam's steps on the numbers of each parametrisation, relative to those on pixels."""
ONE_ARRAY = ("pixels", "sigmoid", "fourier")
DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class OptimizationConfig(Settings):
    """Settings of scales, optimiser and steps, with the defaults of style transfer."""

    size: int | str = setting(512, "of the result, pixels")
    min_size: int = setting(
        128, "longer side of the first, smallest scale, about, pixels; each next one is twice as large", least=16
    )
    iterations: int = setting(150, "optimiser steps at each scale but the first", least=0)
    initial_iterations: int = setting(250, "optimiser steps at the first scale", least=1)
    style_weights: tuple[float, ...] = setting(
        (), "the blend of several styles, one number each (default: equal)", least=0
    )
    matching_weight: float = setting(
        0.3, "weight of being like the style place by place, beside its statistics; 0 takes those alone", least=0
    )
    matching_layers: tuple[str, ...] = setting(
        (), "layers whose places are matched (default: the style layers but the first and the last)"
    )
    match_every: int = setting(50, "optimiser steps between two matchings", least=1)
    release: float = setting(
        0.25, "share of the last scale's steps, the last ones, in which statistics count for more", least=0, most=1
    )
    optimizer: str = setting("adam", "how the picture is updated", LEARNING_RATES)
    parametrization: str = setting("pixels", "which numbers the optimiser moves to make the picture", STEP_SIZES)
    learning_rate: float | None = setting(
        None, "step size (default: for adam the parametrisation's own, 1 for lbfgs)", least=0
    )
    avg_decay: float = setting(
        0.95, "decay of the average over iterates, which is the result; 0 takes the last one", least=0
    )
    style_size: int | None = setting(
        None, "longer side of the style pictures, pixels, the same at every scale", least=16
    )
    pooling: str = setting("smooth", "how the network pools", POOLING_SCALE)
    seed: int = setting(0, "seed of all random numbers", least=0)
    dtype: str = setting("float32", "number format of the network's activations", DTYPES)
    devices: int | None = setting(None, "number of devices over which pictures are sharded (default: all)", least=1)

    @property
    def step_size(self) -> float:
        """The learning rate, the optimiser's own where none was set."""
        if self.learning_rate is not None:
            return self.learning_rate
        return LEARNING_RATES[self.optimizer] * (STEP_SIZES[self.parametrization] if self.optimizer == "adam" else 1)

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if self.avg_decay >= 1:
            raise JaxstyleError(f"{named('avg_decay')} is {self.avg_decay:g}; it must be below 1")
        if self.step_size == 0:
            raise JaxstyleError(f"{named('learning_rate')} is 0; it must be above 0")
        if self.optimizer == "lbfgs" and self.parametrization not in ONE_ARRAY:
            raise JaxstyleError(
                f"{named('optimizer')} lbfgs moves one array, and {named('parametrization')} {self.parametrization} "
                f"has several: use adam, or {', '.join(ONE_ARRAY)}"
            )
        if self.style_weights and sum(self.style_weights) == 0:
            raise JaxstyleError(f"{named('style_weights')} are all zero; at least one must be above 0")
        super().check_relations()


def style_weights(config: OptimizationConfig, count: int) -> np.ndarray:
    """The blend `[count]` of so many styles, summing to one; equal where none was set.

    Raises:
      JaxstyleError: There are more or fewer styles than weights.
    """
    weights = np.asarray(config.style_weights or [1.0] * count, np.float32)
    if len(weights) != count:
        raise JaxstyleError(f"{named('style_weights')} has {len(weights)} numbers for {count} styles; give one each")
    return weights / weights.sum()


def matched_layers(config: Any) -> tuple[str, ...]:
    """The layers whose places are matched, where some are: those that were set, or the style layers in the middle."""
    return config.matching_layers or config.style_layers[1:-1] or config.style_layers


def with_step_of(config: Any, optimizer: optax.GradientTransformation | None) -> Any:
    """The settings, with unit steps where an optimiser of the caller's own brings its learning rate along."""
    if optimizer is None or config.learning_rate is not None:
        return config
    return dataclasses.replace(config, learning_rate=1.0)


def choose_method(
    config: OptimizationConfig,
    loss: ObjectiveLoss,
    optimizer: optax.GradientTransformation | None = None,
    *,
    periodic: bool = False,
) -> Method:
    """Parametrisation and optimiser; pixels are clipped, but not under L-BFGS, whose curvature that would spoil."""
    chosen = parametrizations.BY_NAME[config.parametrization](config.seed)
    lbfgs = optimizer is None and config.optimizer == "lbfgs"
    if config.parametrization == "pixels" and periodic:
        chosen = parametrizations.PERIODIC_RGB
    if config.parametrization == "pixels" and lbfgs:
        chosen = parametrizations.FREE_PERIODIC_RGB if periodic else parametrizations.FREE_RGB
    if optimizer is None:
        optimizer = optimizers.lbfgs() if lbfgs else optimizers.adam()
    return Method(chosen, loss, optimizer)


def noise(config: OptimizationConfig, stage: Stage, styles: Sequence[np.ndarray]) -> np.ndarray:
    """White noise `[H, W, 3]` with the mean and variance of the styles' colours, or grey where there are none."""
    mean, std = np.full(3, 0.5), np.full(3, 0.25)
    if styles:
        pixels = [style.reshape(-1, 3) for style in styles]
        weights = style_weights(config, len(styles))
        mean = sum(w * p.mean(0) for w, p in zip(weights, pixels, strict=True))
        std = np.sqrt(sum(w * p.var(0) for w, p in zip(weights, pixels, strict=True)))
    values = np.random.default_rng(config.seed).standard_normal((stage.height, stage.width, 3))
    return np.clip(mean + std * values, 0, 1).astype(np.float32)


def hyper_parameters(config: Any, contents: int, points: Sequence[Point]) -> HyperParameters:
    """Learning rate, average and random key of every picture.

    All share the key, as they share the noise to start from: a picture does not depend on those beside it.
    """

    def every(name: str, default: float) -> np.ndarray:
        return np.tile(np.array([point.get(name, default) for point in points], np.float32), contents)

    key = np.random.SeedSequence(config.seed).generate_state(2, np.uint32)
    keys = np.tile(key, (contents * len(points), 1))
    return HyperParameters(every("learning_rate", config.step_size), every("avg_decay", config.avg_decay), keys)
