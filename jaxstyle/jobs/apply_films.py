"""A model applied to films: read, stylised and written a few frames at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from jaxstyle.inference.apply import StyleOptions, Stylizer, check_photo
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.film_files import film_targets, kept_of, layered, open_source, rate_of
from jaxstyle.media.film_reading import Film
from jaxstyle.media.film_writing import film_writer
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_resizing import check_size, fit_size, resize
from jaxstyle.media.timing import Timing
from jaxstyle.runtime.interrupts import interruptible


@dataclasses.dataclass(frozen=True)
class Reel:
    """A film of a job.

    Attributes:
      film: Where it is read.
      shape: `(height, width)` at which it is stylised, in pixels.
      target: Where the result goes.
      fps: Frames a second of the result, or how long each frame lasts.
      kept: What the result keeps of the film; see `kept_of`.
    """

    film: Film
    shape: tuple[int, int]
    target: pathlib.Path
    fps: Timing
    kept: dict[str, Any]


def open_reels(
    paths: Sequence[str], files: Files, options: StyleOptions, size: int | None, fps: float | None
) -> list[Reel]:
    """Looks films through whose results go into `files.output`, a folder or the result of the one film.

    Raises `JaxstyleError` where a film cannot be read, is too small or does not fit the masks; or a result cannot be
    written.
    """
    reels = []
    for path, target in zip(paths, film_targets(paths, files), strict=True):
        film = open_source(path, target, files)
        check_photo(np.broadcast_to(np.float32(0), (*film.shape, 3)), path, options)
        shape = film.shape if size is None else fit_size(*film.shape, size)
        check_size(*shape, path if size is None else f"{path} at --size {size}")
        reels.append(Reel(film, shape, target, rate_of(film, fps), kept_of(film, target, fps)))
    return reels


def stylise_film(stylizer: Stylizer, reel: Reel, bits: int, settings: dict[str, Any], bar: tqdm) -> None:
    """Stylises a film, as many frames at once as are best.

    Ctrl-C or SIGTERM raises `KeyboardInterrupt`; of a film nothing is left then, of numbered frames those that are
    done.
    """
    note = settings | {"contents": [reel.film.path.name]}
    with (
        interruptible() as stop,
        contextlib.closing(reel.film.pictures()) as pictures,
        film_writer(reel.target, reel.shape, reel.fps, settings=note, bits=bits, **reel.kept) as add,
    ):
        for batch, count in batches(pictures, stylizer.batch(*reel.shape)):
            if stop():
                raise KeyboardInterrupt
            frames = [resized(picture, reel.shape) for picture in batch]
            for made, frame in zip(stylizer(*zip(*frames, strict=True))[:count], frames, strict=False):
                add(layered(Picture(made, frame.alpha), reel.film.transparent))
                bar.update()


def resized(picture: Picture, shape: tuple[int, int]) -> Picture:
    """A picture at a height and width."""
    if picture.rgb.shape[:2] == shape:
        return picture
    return Picture(resize(picture.rgb, *shape), None if picture.alpha is None else resize(picture.alpha, *shape))


def batches(frames: Iterator[Picture], size: int) -> Iterator[tuple[list[Picture], int]]:
    """So many frames at once, with how many count: the last batch is filled up, so that no program is made for it."""
    first = True
    while batch := list(itertools.islice(frames, size)):
        yield batch if first else batch + batch[-1:] * (size - len(batch)), len(batch)
        first = False
