"""What a trained classifier sees in pictures of any size, or in clips."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.forecast import seen_of
from jaxstyle.media.image_reading import PictureLike, read_picture
from jaxstyle.media.image_resizing import crop_and_resize
from jaxstyle.runtime import compiling
from jaxstyle.training.workdir import Run, open_run

CHUNK = 64  # pictures looked at at once
CLIPS = 8  # clips


class Prediction(NamedTuple):
    """What `predict` returns.

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
    workdir: str | os.PathLike, pictures: PictureLike | Sequence[PictureLike], *, checkpoint: str = "newest"
) -> Prediction:
    """Tells what pictures show.

    Args:
      workdir: Of a classifier's training, finished or running.
      pictures: Paths, PIL images or floats `[H, W, 3]` in [0, 1], one or several, of any size: the middle of each, in
        the shape of the training's, is resized to theirs, and made grey if those are. For a classifier of clips films,
        of each of which the last frames are seen: paths (see `jaxstyle.video.read_film`) or `[T, H, W, 1 or 3]`.
      checkpoint: `"newest"`, `"best"` or a step.

    Raises:
      JaxstyleError: No such run or checkpoint, another task, or a picture that cannot be read.
    """
    return tell(classifier(workdir, checkpoint), list(pictures) if isinstance(pictures, (list, tuple)) else [pictures])


def classifier(workdir: str | os.PathLike, checkpoint: str = "newest") -> Run:
    """Opens a classifier's workdir.

    Raises:
      JaxstyleError: It holds none.
    """
    run = open_run(workdir, checkpoint)
    tells = getattr(run.task, "classes", ()) if sees_clips(run) else hasattr(run.task, "features")
    if not tells or not run.setting.classes:
        raise JaxstyleError(f"the task {run.config.task!r} tells no classes apart; give the workdir of a classifier")
    return run


def sees_clips(run: Run) -> bool:
    """Whether a run's examples are films, not pictures."""
    return "video" in run.setting.spec


def tell(run: Run, several: Sequence[Any]) -> Prediction:
    """Tells what pictures or clips show; see `predict`."""
    task: Any = run.task
    if sees_clips(run):
        logits, chunk, seen = task.class_logits, CLIPS, np.stack([seen_of(run, clip) for clip in several])
    else:
        logits, chunk, shape = lambda *given: task.features(*given)[1], CHUNK, run.setting.spec["image"].shape
        seen = np.stack([crop_and_resize(read_picture(picture).rgb, shape) for picture in several])
    look = compiling.jit(lambda state, seen: jax.nn.softmax(logits(state, seen)))
    state, found = jax.device_put(run.state), []
    for start in range(0, len(seen), chunk):
        places = np.minimum(start + np.arange(min(chunk, len(seen))), len(seen) - 1)  # one shape for all chunks
        found.append(np.asarray(look(state, jnp.asarray(seen[places]))))
    return Prediction(run.setting.classes, np.concatenate(found)[: len(seen)])
