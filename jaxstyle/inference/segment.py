"""Segmentation of pictures of any size by a trained network; large ones by overlapping tiles."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.run import Run, open_run
from jaxstyle.media.channels import read_channels
from jaxstyle.media.colors import luma
from jaxstyle.media.image_reading import PictureLike
from jaxstyle.media.overlay import overlay
from jaxstyle.runtime import compiling
from jaxstyle.training.task import Segments

WHOLE = 1536**2
"""Pixels up to which a picture is segmented in one piece: about a gigabyte at 16 channels."""
TILE = 1024


def segment(
    workdir: str | os.PathLike, picture: PictureLike, *, tile: int = 0, checkpoint: str | int = "newest"
) -> np.ndarray:
    """Classifies every pixel of a picture.

    Args:
      workdir: Of a finished or running training of `jaxstyle.tasks.segment`.
      picture: A path, PIL image or array, as for `jaxstyle.read_picture`; at the scale of the training's pictures.
      tile: As for `Segmenter.mask`.
      checkpoint: `"newest"`, `"best"` or a step.

    Returns:
      uint8 `[H, W]`, numbers of the classes in the run's `config.data.mask_classes`.

    Raises:
      JaxstyleError: No such run or checkpoint, a task that segments nothing, or bad input.
    """
    segmenter = Segmenter(open_run(workdir, checkpoint))
    return segmenter.mask(segmenter.read(picture), tile)


class Segmenter:
    """A trained segmentation on the first device; its program is compiled once a size of pictures.

    Args:
      run: Of a segmentation.

    Raises:
      JaxstyleError: It is of another task.
    """

    def __init__(self, run: Run):
        if not isinstance(run.task, Segments):
            raise JaxstyleError(f"the task {run.config.task!r} segments nothing; give the workdir of a segmentation")
        self.classes = tuple(run.config.data.mask_classes)
        self.channels, self.white, self.model = run.task.channels, run.config.data.white, run.task.model
        self.state = jax.device_put(run.state, jax.local_devices()[0])
        self.paint = jax.jit(partial(overlay, classes=len(self.classes)))
        self.program = compiling.jit(lambda state, x: jnp.argmax(run.task.logits(state, x), -1).astype(jnp.uint8))

    def read(self, picture: PictureLike) -> np.ndarray:
        """Reads a picture as the network takes it, `[H, W, C]` in [0, 1]."""
        return read_channels(picture, self.channels, self.white)

    def mask(self, pixels: np.ndarray, tile: int = 0, progress: bool | None = False) -> np.ndarray:
        """The class of every pixel.

        Args:
          pixels: As `read` gives them; of a network that takes grey pictures also `[H, W, 3]`.
          tile: Side in pixels of the squares that are segmented one after the other, each with the network's whole
            receptive field around it; rounded up to a multiple that the network can halve. 0 chooses: all at once, or
            `TILE` for more than `WHOLE` pixels.
          progress: Whether a bar counts the tiles; None where there is a terminal.

        Returns:
          uint8 `[H, W]`.

        Raises:
          JaxstyleError: `tile` is negative.
        """
        if tile < 0:
            raise JaxstyleError(f"tile is {tile}; it must be at least 1 pixel, or 0 to choose by the picture's size")
        height, width, channels = pixels.shape
        factor = self.model.factor
        inputs = luma(pixels)[..., None] if (channels, self.channels) == (3, 1) else pixels
        inputs = np.pad(inputs, ((0, -height % factor), (0, -width % factor), (0, 0)), "edge")
        tile = tile or (TILE if height * width > WHOLE else max(inputs.shape))
        halo = up_to(self.model.radius, factor)
        return tiled(self.classes_of, inputs, up_to(tile, factor), halo, progress)[:height, :width]

    def overlay(self, pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """A picture `[H, W, C]` with its mask `[H, W]` laid over it: `[H, W, 3]` in [0, 1]."""
        return np.asarray(self.paint(pixels[None], mask[None])[0])

    def classes_of(self, window: np.ndarray) -> np.ndarray:
        """The classes `[h, w]` of a part `[h, w, C]` of a picture."""
        return np.asarray(self.program(self.state, window[None].astype(np.float32))[0])


def up_to(number: int, factor: int) -> int:
    """The next multiple."""
    return -(-number // factor) * factor


def tiled(
    function: Callable[[np.ndarray], np.ndarray],
    picture: np.ndarray,
    tile: int,
    halo: int,
    progress: bool | None = False,
) -> np.ndarray:
    """A network's output for a picture, put together of its outputs for parts of it.

    All parts have one size, so there is one program; at the picture's edges they lie further inside. A network that
    halves its input gives the same for a part as for the whole where parts begin at multiples of its factor.

    Args:
      function: `[h, w, C]` -> `[h, w, …]`.
      picture: `[H, W, C]`.
      tile: Side of a part's output that is kept, pixels.
      halo: Input around it, pixels; at least the network's radius.
      progress: As for `Segmenter.mask`.

    Returns:
      `[H, W, …]`.
    """
    rows, columns = (list(spans(length, tile, halo)) for length in picture.shape[:2])
    whole: Any = None
    with tqdm(total=len(rows) * len(columns), unit="tile", leave=False, disable=progress_off(progress)) as bar:
        for row, row_part, row_place in rows:
            for column, column_part, column_place in columns:
                part = function(picture[row, column])[row_part, column_part]
                whole = np.empty((*picture.shape[:2], *part.shape[2:]), part.dtype) if whole is None else whole
                whole[row_place, column_place] = part
                bar.update()
    return whole


def progress_off(progress: bool | None) -> bool | None:
    """tqdm's `disable`."""
    return None if progress is None else not progress


def spans(length: int, tile: int, halo: int) -> Iterator[tuple[slice, slice, slice]]:
    """The parts of a side: the input, the part of its output that is kept, and the place where that belongs."""
    window = min(length, tile + 2 * halo)
    for first in range(0, length, tile):
        start, last = min(max(0, first - halo), length - window), min(first + tile, length)
        yield slice(start, start + window), slice(first - start, last - start), slice(first, last)
