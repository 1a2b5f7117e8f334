"""Projection of photos: the latents whose pictures are nearest to them by features, on the pixel loop.

References:
  Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 5, without noise maps.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.features import DEFAULT, Features
from jaxstyle.media.image_resizing import fitted, resize
from jaxstyle.perceptual.objective import Activations, term
from jaxstyle.pixels import footprint, optimizers
from jaxstyle.pixels.job import Inputs, PixelJob, Point, Reads
from jaxstyle.pixels.loop import Problem
from jaxstyle.pixels.method import HyperParameters, Method
from jaxstyle.pixels.objectives import Objective, ObjectiveLoss, StageObjective, content
from jaxstyle.pixels.parametrizations import Parametrization
from jaxstyle.pixels.schedule import Stage
from jaxstyle.runtime.settings import Settings, setting

SIDE = 64
"""Pictures smaller than that are compared enlarged, pixels."""
AT_ONCE = 16
"""Photos."""
SPACES = ("z", "w", "w+")


@dataclasses.dataclass(frozen=True)
class ProjectionConfig(Settings):
    """Settings of projection; every field is also a command-line option, where lists are written `a,b,c`."""

    workdir: str = setting("", "of the training whose generator is to draw the photo", path=True, word=True)
    checkpoint: str = setting("newest", "which state of it: newest, best or a step")
    space: str = setting("z", "what is moved: latents, StyleGAN 2's one style of all layers, or one a layer", SPACES)
    label: str = setting("", "class that a conditional generator is told, by number or name")
    candidates: int = setting(64, "random latents of which the nearest is the first", least=1)
    iterations: int = setting(300, "optimiser steps", least=1)
    learning_rate: float = setting(0.05, "step size of Adam", least=0)
    layers: tuple[str, ...] = setting(("relu1_1", "relu2_1", "relu3_1"), "layers by which pictures are compared")
    pixel_weight: float = setting(1.0, "weight of the distance of pixels, relative to that of a layer", least=0)
    features: str = setting(DEFAULT, "feature extractor: a name (jaxstyle features list) or a file", path=True)
    dtype: str = setting("float32", "in which the feature extractor computes", ("float32", "bfloat16"))
    devices: int | None = setting(None, "number of devices over which photos are sharded (default: all)", least=1)


def prepare(
    config: ProjectionConfig,
    features: Features,
    inputs: Inputs,
    points: Sequence[Point] = ({},),
    *,
    generator: Parametrization,
    shape: tuple[int, int],
) -> Problem:
    """Checks everything and sets the problem up; nothing expensive has happened yet.

    Args:
      config: The settings.
      features: The feature extractor that compares.
      inputs: `contents`, the photos.
      points: Overrides of settings, of which there are none here.
      generator: As `parametrizations.latents` makes it.
      shape: Height and width of its pictures, pixels.

    Returns:
      The problem of as many pictures.

    Raises:
      JaxstyleError: A setting or layer that cannot be, or a size too large for the memory.
    """
    config.check()
    features.check(config.layers)
    factor = math.ceil(max(SIDE, features.least_side(config.layers)) / min(shape))
    height, width = (factor * side for side in shape)
    stage = Stage(max(height, width), height, width, config.iterations)
    photos = [resize(fitted(photo, *shape), height, width) for photo in inputs.rgb("contents")]
    network = footprint.fit(features, config.layers, stage, len(photos), config.dtype, config.devices)
    made = [StageObjective(objective(config, photo), photo) for photo in photos]
    data = jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *made)
    rates = np.full(len(photos), config.learning_rate, np.float32)
    hyper = HyperParameters(rates, np.zeros_like(rates), np.zeros((len(photos), 2), np.uint32))
    method = Method(generator, ObjectiveLoss(network, dtype=config.dtype, descends=True), optimizers.adam())
    return Problem(method, [stage], np.stack(photos), hyper, lambda stage: data, jax.device_put(features.params))


def objective(config: ProjectionConfig, photo: np.ndarray) -> Objective:
    """The distance from a photo `[H, W, 3]`, by its layers' features and by its pixels."""
    distance = config.pixel_weight * term("pixels", _pixels, "", photo)
    for layer in config.layers:
        distance = distance + content(layer)
    return distance


def _pixels(activations: Activations, layer: str, photo: Any) -> jax.Array:
    return jnp.mean(jnp.square(activations.pictures - photo)) / jnp.maximum(jnp.mean(jnp.square(photo)), 1e-3)


JOB = PixelJob(
    "project",
    "find the latent from which a trained generator draws a photo, as nearly as it can",
    ProjectionConfig,
    prepare,
    (Reads("contents", "PHOTO", "a photo, or a folder of them", least=1, each=True),),
    batch=lambda config, features, shape: (None, AT_ONCE),
)
