"""Classification of pictures of any size, or of clips, by a trained classifier."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.forecast import input_frames
from jaxstyle.inference.run import Run, open_run
from jaxstyle.media.channels import read_channels
from jaxstyle.media.image_reading import PictureLike
from jaxstyle.media.image_resizing import fitted
from jaxstyle.runtime import compiling
from jaxstyle.training.task import Classifies, Forecasts

CHUNK = 64  # pictures in a batch
CLIPS = 8  # clips in a batch


class Prediction(NamedTuple):
    """The result of `predict`.

    Attributes:
      classes: The C names.
      probabilities: `[N, C]` float32, each row of sum 1.
    """

    classes: tuple[str, ...]
    probabilities: np.ndarray

    @property
    def labels(self) -> list[str]:
        """The likeliest class of each picture."""
        return [self.classes[place] for place in self.probabilities.argmax(-1)]


def predict(
    workdir: str | os.PathLike, pictures: PictureLike | Sequence[PictureLike], *, checkpoint: str | int = "newest"
) -> Prediction:
    """Classifies pictures or clips.

    Args:
      workdir: Of a classifier's training, finished or running.
      pictures: Paths, PIL images or floats `[H, W, 3]` in [0, 1], one or several, of any size: each is brought
        to the size and the channels of the training's as they were. For a classifier of clips films, whose last frames
        count: paths (see `jaxstyle.media.film_reading.read_film`) or `[T, H, W, 1 or 3]`.
      checkpoint: `"newest"`, `"best"` or a step.

    Raises:
      JaxstyleError: No such run or checkpoint, another task, or a picture that cannot be read.
    """
    return predict_by(
        open_classifier(workdir, checkpoint), list(pictures) if isinstance(pictures, (list, tuple)) else [pictures]
    )


def open_classifier(workdir: str | os.PathLike, checkpoint: str | int = "newest") -> Run:
    """Opens a classifier's workdir; raises `JaxstyleError` where it holds none."""
    run = open_run(workdir, checkpoint)
    clips = isinstance(run.task, Forecasts) and bool(run.task.classes)
    if not (clips if takes_clips(run) else isinstance(run.task, Classifies)) or not run.info.classes:
        raise JaxstyleError(f"the task {run.config.task!r} classifies nothing; give the workdir of a classifier")
    return run


def takes_clips(run: Run) -> bool:
    """True where a run's examples are clips, not pictures."""
    return "video" in run.info.spec


def predict_by(run: Run, several: Sequence[Any]) -> Prediction:
    """Classifies pictures or clips; see `predict`."""
    task: Any = run.task
    if takes_clips(run):
        logits, chunk, inputs = task.class_logits, CLIPS, np.stack([input_frames(run, clip) for clip in several])
    else:
        logits, chunk, shape = lambda *given: task.features(*given)[1], CHUNK, run.info.spec["image"].shape
        height, width, channels = shape
        pixels = (read_channels(picture, channels, run.config.data.white) for picture in several)
        inputs = np.stack([fitted(one, height, width, run.config.data.fit) for one in pixels])
    probabilities = compiling.jit(lambda state, inputs: jax.nn.softmax(logits(state, inputs)))
    state, found = jax.device_put(run.state), []
    for start in range(0, len(inputs), chunk):
        places = np.minimum(start + np.arange(min(chunk, len(inputs))), len(inputs) - 1)  # one shape for all chunks
        found.append(np.asarray(probabilities(state, jnp.asarray(inputs[places]))))
    return Prediction(run.info.classes, np.concatenate(found)[: len(inputs)])
