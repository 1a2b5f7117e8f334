"""A film stylised frame by frame: each goes on from the one before, moved along the flow, and is held to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.features import Features
from jaxstyle.losses.temporal import temporal_distance
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.optical_flow import FlowSource, resize_motion
from jaxstyle.ops.warping import warp_to_next
from jaxstyle.perceptual.objective import Activations, Objective, term
from jaxstyle.pixels import schedule, stylize
from jaxstyle.pixels.job import Inputs, PixelJob, Point
from jaxstyle.pixels.loop import Problem
from jaxstyle.pixels.objectives import StageObjective
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.stylize import StyleTransferConfig
from jaxstyle.runtime.settings import setting


@dataclasses.dataclass(frozen=True)
class FilmConfig(StyleTransferConfig):
    """Settings of films: the first frame is stylised as a picture is, the others with these."""

    temporal_weight: float = setting(
        1.0, "of films: weight of staying like the frame before, moved along; 0 paints every frame by itself", least=0
    )
    frame_iterations: int = setting(60, "of films: optimiser steps of every frame but the first", least=1)


class Expected(NamedTuple):
    """The frame before, as far as it tells of a frame.

    Attributes:
      picture: `[H, W, 3]` in [0, 1], the stylised frame before, moved along the flow.
      trust: `[H, W]` in [0, 1], where that counts.
    """

    picture: Any
    trust: Any


def temporal(expected: Expected) -> Objective:
    """The distance `Σ trust |picture - expected|² / (3 Σ trust)`; subtract it to hold a frame to the one before.

    References:
      Ruder, Dosovitskiy & Brox 2016, "Artistic Style Transfer for Videos", eq. 4 and 7.
    """
    return term("temporal", _temporal, numbers=expected)


def _temporal(activations: Activations, layer: str, expected: Expected) -> jax.Array:
    return jnp.mean(temporal_distance(activations.pictures, *expected))


def prepare(
    config: FilmConfig, features: Features, inputs: Inputs, points: Sequence[Point] = ({},), **ingredients: Any
) -> Problem:
    """Checks everything and sets a frame's problem up.

    Args:
      config: The settings.
      features: The feature extractor.
      inputs: As of `stylize.prepare`, with the frame as the one content; and `expected`, an `Expected` of the size of
        the result. Without it, as for the first frame, the frame goes through all scales.
      points: As there.
      **ingredients: As there.

    Raises:
      JaxstyleError: As there.
    """
    problem = stylize.prepare(config, features, inputs, points, **ingredients)
    expected, weight = inputs.first("expected"), np.full(1, config.temporal_weight, np.float32)
    if expected is not None:
        stage = schedule.with_release(problem.stages[-1], config.release, config.frame_iterations)
        problem = problem._replace(stages=[stage], start=np.asarray(expected.picture)[None])

    def data(stage: Stage) -> StageObjective:
        known = jax.tree.map(lambda leaf: np.asarray(leaf)[None], expected or nothing(stage))
        found: StageObjective = problem.data(stage)
        return found._replace(objective=found.objective + temporal(known) * weight)

    return problem._replace(data=data)


def nothing(stage: Stage) -> Expected:
    """The expectation where there is no frame before."""
    shape = (stage.height, stage.width)
    return Expected(np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32))


def frames(
    config: FilmConfig, inputs: Inputs, pictures: Iterator[Picture], flow: FlowSource | None
) -> Generator[Inputs, np.ndarray, None]:
    """The inputs of every frame.

    Args:
      config: The settings.
      inputs: Paintings and masks.
      pictures: The film's frames.
      flow: Their optical flow; None lets each frame be by itself.

    Yields:
      A frame's inputs; what is sent back is the frame as painted, `[H, W, 3]`, to the bits of its file: so a resumed
      film goes on from the same numbers.
    """
    before, painted = None, None
    for index, frame in enumerate(pictures):
        expected: list[Expected] = []
        if before is not None and painted is not None and flow is not None:
            motion = resize_motion(flow(index, before, frame.rgb), *painted.shape[:2])
            expected = [Expected(*warp_to_next(painted, *motion))]
        painted = yield inputs.having("contents", [frame]).having("expected", expected)
        before = frame.rgb


JOB = PixelJob(
    "stylize",
    stylize.JOB.help,
    FilmConfig,
    prepare,
    (stylize.READS[0]._replace(film=True), *stylize.READS[1:]),
    finish=stylize.finish,
    frames=frames,
    films=lambda config: True,
)
