"""A film stylised frame by frame: each goes on from the one before, moved along the flow, and is held to it."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxstyle.features import Features
from jaxstyle.losses.temporal import temporal_distance
from jaxstyle.perceptual.style import StyleObjective, Targets
from jaxstyle.pixels import stylize
from jaxstyle.pixels.config import StyleTransferConfig
from jaxstyle.pixels.inputs import Inputs
from jaxstyle.pixels.loop import Job
from jaxstyle.pixels.schedule import Stage
from jaxstyle.runtime.settings import setting


@dataclasses.dataclass(frozen=True)
class FilmConfig(StyleTransferConfig):
    """How a film is stylised: its first frame as a picture is, the others as said here."""

    temporal_weight: float = setting(
        1.0, "of films: weight of staying like the frame before, moved along; 0 paints every frame by itself", least=0
    )
    frame_iterations: int = setting(60, "of films: optimiser steps of every frame but the first", least=1)


class Expected(NamedTuple):
    """What the frame before tells of a frame.

    Attributes:
      picture: `[H, W, 3]` in [0, 1], the stylised frame before, moved along the flow.
      trust: `[H, W]` in [0, 1], where that counts.
    """

    picture: Any
    trust: Any


class FilmTargets(NamedTuple):
    """All that the objective needs of one frame at one scale; `weight` is of the temporal term."""

    style: Targets
    expected: Expected
    weight: Any


@dataclasses.dataclass(frozen=True)
class FilmObjective:
    """`(picture, targets, network parameters, key) -> (loss, terms)`: the loss of a picture, and a temporal term.

        loss = style transfer + weight · Σ trust |picture - expected|² / (3 Σ trust)

    What is expected and where it counts are arguments, so that all frames are one compiled program.

    Attributes:
      still: The objective of a picture.

    References:
      Ruder, Dosovitskiy & Brox 2016, "Artistic Style Transfer for Videos", eq. 4 and 7.
    """

    still: StyleObjective

    def __call__(
        self, image: jax.Array, targets: FilmTargets, params: Any, key: jax.Array | None = None
    ) -> tuple[jax.Array, dict[str, Any]]:
        """The loss of one frame `[H, W, 3]` and its weighted terms."""
        loss, terms = self.still(image, targets.style, params, key)
        temporal = targets.weight * temporal_distance(image, *targets.expected)
        return loss + temporal, {**terms, "temporal": temporal}


def prepare(config: FilmConfig, features: Features, inputs: Inputs, expected: Expected | None) -> Job:
    """A frame checked and ready to run.

    Args:
      config: The settings.
      features: The network that looks.
      inputs: The frame as the one content, styles and masks.
      expected: What the frame before tells, of the size of the result; None of the first frame, or one by itself,
        which goes through all scales.

    Returns:
      The job of one picture.

    Raises:
      JaxstyleError: As `stylize.prepare`.
    """
    job = stylize.prepare(config, features, inputs)
    problem = job.problem
    stages, start = problem.stages, job.start
    if expected is not None:
        stages, start = [stages[-1]._replace(iterations=config.frame_iterations)], np.asarray(expected.picture)[None]
    weight = np.full(1, config.temporal_weight, np.float32)

    def data(stage: Stage) -> FilmTargets:
        known = expected or nothing(stage)
        return FilmTargets(problem.data(stage), Expected(*(np.asarray(leaf)[None] for leaf in known)), weight)

    assert isinstance(problem.method.objective, StyleObjective)
    method = problem.method._replace(objective=FilmObjective(problem.method.objective))
    return job._replace(problem=problem._replace(method=method, stages=stages, data=data), start=start)


def nothing(stage: Stage) -> Expected:
    """What is known where there is no frame before."""
    shape = (stage.height, stage.width)
    return Expected(np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32))
