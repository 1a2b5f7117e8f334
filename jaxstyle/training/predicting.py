"""What a trained classifier sees in pictures of any size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle import compiling, images
from jaxstyle.errors import JaxstyleError
from jaxstyle.images import Source
from jaxstyle.training.workdir import open_run

CHUNK = 64  # pictures looked at at once


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
    workdir: str | os.PathLike, pictures: Source | Sequence[Source], *, checkpoint: str = "newest"
) -> Prediction:
    """Tells what pictures show.

    Args:
      workdir: Of a classifier's training, finished or running.
      pictures: Paths, PIL images or floats `[H, W, 3]` in [0, 1], one or several, of any size: the middle of each, in
        the shape of the training's, is resized to theirs, and made grey if those are.
      checkpoint: `"newest"`, `"best"` or a step.

    Raises:
      JaxstyleError: No such run or checkpoint, another task, or a picture that cannot be read.
    """
    run = open_run(workdir, checkpoint)
    if not hasattr(run.task, "features") or not run.setting.classes:
        raise JaxstyleError(f"the task {run.config.task!r} tells no classes apart; give the workdir of a classifier")
    several: Any = list(pictures) if isinstance(pictures, (list, tuple)) else [pictures]
    shape = run.setting.spec["image"].shape
    seen = np.stack([images.fitted(images.read_picture(picture).rgb, shape) for picture in several])
    look = compiling.jit(lambda state, images: jax.nn.softmax(run.task.features(state, images)[1]))
    state, found = jax.device_put(run.state), []
    for start in range(0, len(seen), CHUNK):
        places = np.minimum(start + np.arange(min(CHUNK, len(seen))), len(seen) - 1)  # one shape for all chunks
        found.append(np.asarray(look(state, jnp.asarray(seen[places]))))
    return Prediction(run.setting.classes, np.concatenate(found)[: len(seen)])
