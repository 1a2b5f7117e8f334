"""Texture synthesis: a picture out of noise with the statistics of others, on the pixel loop.

It is style transfer without content (Gatys, Ecker & Bethge 2015, "Texture Synthesis Using Convolutional Neural
Networks"): statistics, and places each of which is to be like one of the exemplar's. It goes from coarse to fine on a
torus: the network's convolutions, the total variation and the resizes between scales see the opposite side beyond the
frame. So no statistics are of a frame, and every texture repeats.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_resizing import MIN_SIDE, resize
from jaxstyle.perceptual.config import StyleLossConfig
from jaxstyle.perceptual.loss import PerceptualLoss, Weights, blended_style, normalized, painting_targets
from jaxstyle.perceptual.matching import free_target
from jaxstyle.perceptual.sizes import painting_size
from jaxstyle.pixels import footprint, schedule
from jaxstyle.pixels.job import Inputs, PixelJob, Point, Reads
from jaxstyle.pixels.loop import Problem
from jaxstyle.pixels.objectives import ObjectiveLoss, StageObjective
from jaxstyle.pixels.optimization import (
    OptimizationConfig,
    choose_method,
    hyper_parameters,
    matched_layers,
    noise,
    style_weights,
    with_step_of,
)
from jaxstyle.pixels.schedule import Stage
from jaxstyle.runtime import memory
from jaxstyle.runtime.settings import named, parse_size, setting

MARGIN = 5
"""Strides of a VGG's layer by which an exemplar is continued: about half the layer's receptive field."""


@dataclasses.dataclass(frozen=True)
class TextureConfig(StyleLossConfig, OptimizationConfig):
    """Settings of texture synthesis; every field is also a command-line option, where lists are written `a,b,c`."""

    size: str = setting("512", "width and height of the texture, pixels: 512, or 640x480")
    iterations: int = setting(200, "optimiser steps at each scale but the first", least=0)
    initial_iterations: int = setting(500, "optimiser steps at the first scale", least=1)
    style_size: int | None = setting(
        None, "longer side at which the exemplars are seen, pixels (default: their own)", least=16
    )
    tileable: bool = setting(False, "a texture that repeats without seams; its sides are multiples of 16 then")

    def __post_init__(self) -> None:
        """As all settings do; a size may also be a number, or width and height."""
        sides = self.size if isinstance(self.size, (tuple, list)) else (self.size,)
        object.__setattr__(self, "size", "x".join(str(side) for side in sides))
        super().__post_init__()

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the texture, in pixels.

        Raises:
          JaxstyleError: The size is neither a number nor two.
        """
        return parse_size(self.size, named("size"))

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if self.tileable and self.parametrization != "pixels":
            raise JaxstyleError(
                f"{named('tileable')} needs {named('parametrization')} pixels, not {self.parametrization}"
            )
        if min(self.shape) < MIN_SIDE:
            raise JaxstyleError(f"{named('size')} is {self.size}; each side must be at least {MIN_SIDE}")
        super().check_relations()


def prepare(
    config: TextureConfig,
    features: Features,
    inputs: Inputs,
    points: Sequence[Point] = ({},),
    *,
    optimizer: optax.GradientTransformation | None = None,
) -> Problem:
    """Checks everything and sets the problem up; nothing expensive has happened yet.

    Args:
      config: The settings.
      features: The feature extractor, with any padding.
      inputs: `styles`, the exemplars, of any shapes; `config.style_weights` blends them.
      points: Overrides of settings, of which there are none here.
      optimizer: Any optax transformation, in place of the config's.

    Returns:
      The problem of one picture.

    Raises:
      JaxstyleError: A setting, layer or picture that cannot be, or a size too large for the memory.
    """
    config = with_step_of(config, optimizer)
    config.check()
    exemplars = inputs["styles"]
    style_weights(config, len(exemplars))
    features = dataclasses.replace(features, params=jax.device_put(features.params))
    loss = PerceptualLoss(
        features.network.clone(padding="circular"),
        (),
        config.style_layers,
        config.style_loss,
        config.dtype,
        matched_layers(config) if config.matching_weight else (),
        periodic=True,
    )
    features.check(loss.layers)
    features = dataclasses.replace(features, network=loss.network)
    stages = plan(config, features, loss.layers)
    network = footprint.fit(features, loss.layers, stages[-1], 1, config.dtype, config.devices)
    loss = dataclasses.replace(loss, network=network)
    objectives = StageObjectives(config, loss, features, exemplars, stages)
    objectives.check_memory(stages[-1])
    method = choose_method(config, ObjectiveLoss(network, dtype=config.dtype, descends=True), optimizer, periodic=True)
    method = method._replace(match_every=config.match_every if loss.matching_layers else 0)
    start = noise(config, stages[0], inputs.rgb("styles"))[None]
    hyper = hyper_parameters(config, 1, points)
    return Problem(method, stages, start, hyper, objectives, features.params, release=StageObjective.released)


def plan(config: TextureConfig, features: Features, layers: tuple[str, ...]) -> list[Stage]:
    """The stages of the texture, whose sides are multiples of the network's stride: `finish` crops the last.

    Raises:
      JaxstyleError: The texture is too small for the layers, or tileable and its sides are no such multiples.
    """
    stride = features.stride(layers)
    height, width = (-(-side // stride) * stride for side in config.shape)
    if config.tileable and (height, width) != config.shape:
        raise JaxstyleError(
            f"{named('size')} is {config.size}, and the sides of a tileable texture are multiples of {stride} with "
            f"these layers: make it {width}x{height}"
        )
    least_side = features.least_side(layers)
    return schedule.stages(config, max(height, width), least_side, height, width, stride)


def finish(config: TextureConfig, texture: np.ndarray, inputs: Inputs) -> np.ndarray:
    """The texture `[H, W, 3]` as it is shown: of the size asked for, or, tileable, with its frame at a quiet place.

    A torus has no first row: it is cut open where neighbouring rows, and neighbouring columns, differ least.
    """
    if not config.tileable:
        height, width = config.shape
        return texture[:height, :width]
    for axis in (0, 1):
        steps = np.abs(texture - np.roll(texture, 1, axis)).mean((1 - axis, 2))
        texture = np.roll(texture, -int(steps.argmin()), axis)
    return texture


@dataclasses.dataclass(frozen=True)
class StageObjectives:
    """`stage -> StageObjective [1, …]`: what the exemplars ask for, as large as that scale sees them.

    Attributes:
      config: The settings.
      loss: What they describe.
      features: The feature extractor.
      exemplars: The pictures whose texture is taken.
      stages: Of the run. At the first of several no places are matched: out of noise statistics make shapes.
    """

    config: TextureConfig
    loss: PerceptualLoss
    features: Features
    exemplars: Sequence[Picture]
    stages: Sequence[Stage]

    def __call__(self, stage: Stage) -> StageObjective:
        """The objective of the texture at one stage."""
        loss = dataclasses.replace(self.loss, matching_layers=()) if stage in self.stages[:-1][:1] else self.loss
        params, blend = self.features.params, jnp.asarray(style_weights(self.config, len(self.exemplars)))
        seen = [self.seen(loss, stage, exemplar) for exemplar in self.exemplars]
        style = blended_style(loss, [moments for moments, _ in seen], blend)
        pixels = jax.ShapeDtypeStruct((stage.height, stage.width, 3), np.float32)
        found = jax.eval_shape(lambda picture: loss.extract(picture, params, loss.matching_layers), pixels)
        matching = {
            layer: free_target([bags[layer] for _, bags in seen], blend, found[layer].shape)
            for layer in loss.matching_layers
        }
        variation, matched = np.float32(self.config.tv_weight), np.float32(self.config.matching_weight)
        weights = Weights(np.float32(0), variation, normalized(self.config.layer_weights), matched)
        made = StageObjective(loss.objective({}, style, weights, matching))
        return jax.tree.map(lambda leaf: np.asarray(leaf)[None], made)

    def seen(self, loss: PerceptualLoss, stage: Stage, exemplar: Picture) -> tuple[Any, Any]:
        """The moments and the bags of an exemplar at one stage."""
        size = self.size(stage, exemplar.rgb)
        framed, mask = mirrored(resize(exemplar.rgb, *size), self.margin)
        if exemplar.alpha is not None:
            mask *= mirrored(resize(exemplar.alpha, *size), self.margin)[0]
        return painting_targets(loss, framed, self.features.params, mask)

    @property
    def margin(self) -> int:
        """Pixels by which an exemplar is continued."""
        return MARGIN * self.features.stride(self.loss.layers)

    def size(self, stage: Stage, exemplar: np.ndarray) -> tuple[int, int]:
        """Height and width at which an exemplar is seen: at the last stage its own, or what `style_size` says."""
        longer = round((self.config.style_size or max(exemplar.shape[:2])) * stage.scale / self.stages[-1].scale)
        least = self.features.least_side(self.loss.layers)
        return painting_size(exemplar.shape, longer, least, enlarge=True)

    def check_memory(self, stage: Stage) -> None:
        """Raises `JaxstyleError` where an exemplar is too large for a forward pass."""
        for exemplar, _ in self.exemplars:
            height, width = (side + 2 * self.margin for side in self.size(stage, exemplar))
            need = footprint.estimate_forward(self.features, self.loss.layers, (height, width), self.config.dtype)
            room = memory.available()
            if room is not None and need > room:
                raise JaxstyleError(
                    f"an exemplar of {width}×{height} px, margins included, needs some {need / 2**30:.1f} GiB and "
                    f"{room / 2**30:.1f} GiB are free: make it smaller by {named('style_size')}"
                )


def mirrored(picture: np.ndarray, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture `[h, w, …]` mirrored beyond its frame, `margin` pixels and more, and the mask of what it was before.

    The zeros that a network sees beyond a frame make statistics of a frame; on a torus there is none, and those
    statistics would be met by straight edges in its midst.

    Returns:
      `[H, W, …]` and `[H, W]`, zeros and ones; the sides are multiples of the margin.
    """
    height, width = picture.shape[:2]
    rows, columns = ((margin, margin + -side % margin) for side in (height, width))
    mask = np.pad(np.ones((height, width), np.float32), (rows, columns))
    return np.pad(picture, (rows, columns, *[(0, 0)] * (picture.ndim - 2)), mode="reflect"), mask


JOB = PixelJob(
    "texture",
    "synthesise a texture that looks like a picture, or like a mixture of several",
    TextureConfig,
    prepare,
    (Reads("styles", "STYLE", "pictures whose texture it takes", least=1),),
    finish=finish,
)
