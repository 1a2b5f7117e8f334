"""Texture synthesis: a picture out of noise with the statistics of others, on the pixel loop.

It is style transfer without content (Gatys, Ecker & Bethge 2015, "Texture Synthesis Using Convolutional Neural
Networks"), from coarse to fine, on a torus: the network's convolutions, the total variation and the resizes between
scales see the opposite side beyond the frame. So no statistics are of a frame, and every texture repeats.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
import optax

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features
from jaxstyle.media.image_resizing import fit_size, resize
from jaxstyle.perceptual.style import StyleObjective, Targets, Weights
from jaxstyle.perceptual.targets import compiled
from jaxstyle.pixels import footprint, schedule
from jaxstyle.pixels.config import TextureConfig
from jaxstyle.pixels.inputs import style_weights
from jaxstyle.pixels.loop import Job, Problem
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.stylize import choose_method, knobs, noise
from jaxstyle.runtime import memory

MARGIN = 5
"""Strides of a VGG's layer by which an exemplar is continued: about half the layer's receptive field."""


def prepare(
    config: TextureConfig,
    features: Features,
    exemplars: Sequence[np.ndarray],
    optimizer: optax.GradientTransformation | None = None,
) -> Job:
    """Everything checked and ready to run; nothing expensive has happened yet.

    Args:
      config: The settings.
      features: The network that looks, with any padding.
      exemplars: Pictures `[h, w, 3]` in [0, 1], of any shapes; `config.style_weights` blends them.
      optimizer: Any optax transformation, instead of the config's.

    Returns:
      The job of one picture.

    Raises:
      JaxstyleError: A setting, layer or picture that cannot be, or a size too large for the memory.
    """
    config.check()
    style_weights(config, len(exemplars))
    features = dataclasses.replace(features, params=jax.device_put(features.params))
    features.check(config.style_layers)
    features = dataclasses.replace(features, network=features.network.clone(padding="circular"))
    stages = plan(config, features)
    network = footprint.fit(features, config.style_layers, stages[-1], 1, config.dtype, config.devices)
    objective = StyleObjective(network, (), config.style_layers, config.style_loss, config.dtype, periodic=True)
    targets = TextureTargets(config, objective, features, exemplars, stages[-1].scale)
    targets.check_memory(stages[-1])
    method = choose_method(config, objective, optimizer)
    start = noise(config, stages[0], exemplars)[None]
    return Job(Problem(method, stages, targets, features.params), start, knobs(config, 1, [{}]))


def plan(config: TextureConfig, features: Features) -> list[Stage]:
    """The stages of the texture, whose sides are multiples of the network's stride: `finish` crops the last.

    Raises:
      JaxstyleError: The texture is too small for the layers, or tileable and its sides are no such multiples.
    """
    stride = features.stride(config.style_layers)
    height, width = (-(-side // stride) * stride for side in config.shape)
    if config.tileable and (height, width) != config.shape:
        raise JaxstyleError(
            f"--size is {config.size}, and the sides of a tileable texture are multiples of {stride} with these "
            f"layers: make it {width}x{height}"
        )
    least_side = features.least_side(config.style_layers)
    return schedule.stages(config, max(height, width), least_side, height, width, stride)


def finish(config: TextureConfig, texture: np.ndarray) -> np.ndarray:
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
class TextureTargets:
    """`stage -> Targets [1, …]`: the blended moments of the exemplars, as large as that scale sees them."""

    config: TextureConfig
    objective: StyleObjective
    features: Features
    exemplars: Sequence[np.ndarray]
    largest: int  # the scale of the last stage

    def __call__(self, stage: Stage) -> Targets:
        """Targets of the texture at one stage."""
        program = compiled(self.objective)
        params, margin = self.features.params, self.margin
        moments = [
            program.moments(seen, params, mask)
            for seen, mask in (mirrored(resize(e, *self.size(stage, e)), margin) for e in self.exemplars)
        ]
        style = jax.device_get(program.blend(moments, style_weights(self.config, len(self.exemplars))))
        layers = np.array(self.config.layer_weights, np.float32)
        scalars = Weights(np.float32(0), np.float32(self.config.tv_weight), layers / layers.sum())
        return jax.tree.map(lambda leaf: leaf[None], Targets({}, style, scalars))

    @property
    def margin(self) -> int:
        """Pixels by which an exemplar is continued."""
        return MARGIN * self.features.stride(self.objective.style_layers)

    def size(self, stage: Stage, exemplar: np.ndarray) -> tuple[int, int]:
        """Height and width at which an exemplar is seen: at the last stage its own, or what `style_size` says."""
        height, width = exemplar.shape[:2]
        least = schedule.least_longer_side((height, width), self.features.least_side(self.objective.style_layers))
        longer = round((self.config.style_size or max(height, width)) * stage.scale / self.largest)
        return fit_size(height, width, max(least, longer))

    def check_memory(self, stage: Stage) -> None:
        """Raises `JaxstyleError` where an exemplar is too large to be looked at."""
        for exemplar in self.exemplars:
            height, width = (side + 2 * self.margin for side in self.size(stage, exemplar))
            need = footprint.estimate_look(self.features, self.objective.taps, (height, width), self.config.dtype)
            room = memory.available()
            if room is not None and need > room:
                raise JaxstyleError(
                    f"an exemplar of {width}×{height} px, margins included, needs some {need / 2**30:.1f} GiB to be "
                    f"looked at and {room / 2**30:.1f} GiB are free: make it smaller by --style-size"
                )


def mirrored(picture: np.ndarray, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture `[h, w, 3]` mirrored beyond its frame, `margin` pixels and more, and the mask of what it was before.

    The zeros that a network sees beyond a frame make statistics of a frame; on a torus there is none, and those
    statistics would be met by straight edges in its midst.

    Returns:
      `[H, W, 3]` and `[H, W]`, zeros and ones; the sides are multiples of the margin.
    """
    height, width = picture.shape[:2]
    rows, columns = ((margin, margin + -side % margin) for side in (height, width))
    mask = np.pad(np.ones((height, width), np.float32), (rows, columns))
    return np.pad(picture, (rows, columns, (0, 0)), mode="reflect"), mask
