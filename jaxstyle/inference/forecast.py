"""Video prediction: the frames that follow a film, by a trained forecaster."""

from __future__ import annotations

import os
from typing import Any

import jax
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.run import Run, open_run
from jaxstyle.media.channels import brightened
from jaxstyle.media.colors import luma
from jaxstyle.media.film_reading import read_film
from jaxstyle.media.image_resizing import fitted
from jaxstyle.runtime import compiling
from jaxstyle.training.task import Forecasts


def forecast(workdir: str | os.PathLike, clip: Any, count: int = 0, *, checkpoint: str | int = "newest") -> np.ndarray:
    """Forecasts the frames after a film's last ones.

    Args:
      workdir: Of a finished or running training of a forecaster.
      clip: A film's path (see `jaxstyle.media.film_reading.read_film`), or an array `[T, H, W, 1 or 3]` in [0, 1].
      count: How many frames; 0 for as many as in the training.
      checkpoint: `"newest"`, `"best"` or a step.

    Returns:
      float32 `[count, H, W, C]` in [0, 1], in size and channels as the run was trained.

    Raises:
      JaxstyleError: No such run or checkpoint, it is no forecaster's, or the film is too short or none.
    """
    run = open_forecaster(workdir, checkpoint)
    return forecast_frames(run, input_frames(run, clip), count)


def open_forecaster(workdir: str | os.PathLike, checkpoint: str | int = "newest") -> Run:
    """Opens a forecaster's workdir; raises `JaxstyleError` where it holds none."""
    run = open_run(workdir, checkpoint)
    if not isinstance(run.task, Forecasts):
        raise JaxstyleError(f"the task {run.config.task!r} forecasts nothing; give the workdir of a forecaster")
    return run


def input_frames(run: Run, clip: Any) -> np.ndarray:
    """The last frames of a film, as many as a run's forecaster takes, `[T, H, W, C]` as it was trained on.

    Frames of another shape are brought to it as those of the training (`data.fit`); colours become grey where it knows
    only grey.

    Raises:
      JaxstyleError: The film is none, or too short.
    """
    film = np.asarray(read_film(clip) if isinstance(clip, (str, os.PathLike)) else clip, np.float32)
    inputs, (height, width, channels) = run.task.inputs, run.info.spec["video"].shape[1:]
    if film.ndim != 4 or film.shape[-1] not in (1, 3):
        raise JaxstyleError(f"an array of shape {film.shape} is no film; give [T, H, W, 1 or 3] in [0, 1]")
    if len(film) < inputs:
        raise JaxstyleError(f"the film has {len(film)} frames, and this forecaster takes {inputs}; give a longer one")
    frames = brightened(np.broadcast_to(film[-inputs:], (inputs, *film.shape[1:3], 3)), run.config.data.white)
    frames = luma(frames)[..., None] if channels == 1 else frames
    return np.clip([fitted(frame, height, width, run.config.data.fit) for frame in frames], 0, 1)


def forecast_frames(run: Run, inputs: np.ndarray, count: int = 0) -> np.ndarray:
    """The frames `[count, H, W, C]` after `inputs` `[T, H, W, C]`; see `forecast`.

    Raises:
      JaxstyleError: A count that cannot be.
    """
    if count < 0:
        raise JaxstyleError(f"{count} frames cannot be forecast; at least 1, or 0 for as many as in the training")
    program = compiling.jit(run.task.forecast, static_argnums=2)
    return np.asarray(jax.device_get(program(run.state, inputs[None], count or run.task.outputs)))[0]
