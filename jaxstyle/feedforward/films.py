"""A model applied to films: read, stylised and written a few frames at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from tqdm import tqdm

from jaxstyle import images
from jaxstyle.errors import JaxstyleError
from jaxstyle.feedforward.applying import Look, Stylizer, check_photo
from jaxstyle.film_reading import MOVIES, Film, frame_paths, is_film, open_film
from jaxstyle.film_writing import check_film, film_writer, names_film, numbered
from jaxstyle.interrupts import interruptible
from jaxstyle.pixels.files import check_apart, distinct

FPS = 25  # of a folder of frames, which does not tell


@dataclasses.dataclass(frozen=True)
class Reel:
    """A film of a job.

    Attributes:
      film: Where it is read.
      shape: `(height, width)` at which it is stylised, in pixels.
      target: Where the result goes.
      fps: Frames a second of the result.
      sound: The film whose sound the result gets, and the sound's codec; or None.
    """

    film: Film
    shape: tuple[int, int]
    target: pathlib.Path
    fps: Fraction | float
    sound: tuple[pathlib.Path, str] | None


def part_films(contents: Sequence[str], output: str) -> tuple[list[str], list[str]]:
    """Which of the sources are stylised as films, and which as pictures.

    A folder is pictures, unless the output is a film; of an animation whose output is a picture, the first frame is.

    Raises:
      JaxstyleError: Several sources would be written into one film.
    """
    if names_film(output):
        if len(contents) > 1:
            raise JaxstyleError(f"{len(contents)} sources cannot go into the one film {output!r}: name a folder")
        return list(contents), []
    one_picture = pathlib.Path(output).suffix.lower() in images.PICTURE_SUFFIXES and not os.path.isdir(output)
    suffixes = {path: pathlib.Path(path).suffix.lower() for path in contents}
    films = [p for p in contents if suffixes[p] in MOVIES or (not one_picture and is_film(pathlib.Path(p)))]
    return films, [path for path in contents if path not in films]


def open_reels(
    paths: Sequence[str], output: str, look: Look, size: int | None, fps: float | None, bits: int
) -> list[Reel]:
    """Films looked through, whose results can be written.

    Args:
      paths: Of the films.
      output: A folder, or the result of the one film.
      look: How the model is applied.
      size: Longer side of the results, in pixels; None leaves films as large as they are.
      fps: Frames a second of the results; None takes the films' own.
      bits: Bits a channel of the results.

    Raises:
      JaxstyleError: A film cannot be read, is too small or does not fit the masks; or a result cannot be written.
    """
    reels = []
    for path, target in zip(paths, film_targets(paths, output), strict=True):
        check_film(target, bits)
        film = open_film(pathlib.Path(path))
        check_apart(*written_and_read(target, film))
        check_photo(np.broadcast_to(np.float32(0), (*film.shape, 3)), path, look)
        shape = film.shape if size is None else images.fit_size(*film.shape, size)
        heard = film.sound is not None and fps is None and target.suffix.lower() == ".mp4"
        sound = (film.path, film.sound) if heard and film.sound else None
        reels.append(Reel(film, shape, target, fps or film.fps or FPS, sound))
    return reels


def written_and_read(target: pathlib.Path, film: Film) -> tuple[list[pathlib.Path], list[str]]:
    """The files that a result has, and those of the film that it is made from."""
    read = [str(path) for path in frame_paths(film.path)] if film.path.is_dir() else [str(film.path)]
    return [numbered(target, i) for i in range(film.count)] if "%" in target.name else [target], read


def film_targets(paths: Sequence[str], output: str) -> list[pathlib.Path]:
    """Where each film's result goes: in a folder, films that ffmpeg reads become .mp4, others .gif."""
    folder = pathlib.Path(output)
    if not paths or not os.path.isdir(folder):
        return [folder] * len(paths)
    names = distinct([pathlib.Path(os.path.abspath(path)).stem for path in paths])
    suffixes = [".mp4" if pathlib.Path(path).suffix.lower() in MOVIES else ".gif" for path in paths]
    return [folder / f"{name}{suffix}" for name, suffix in zip(names, suffixes, strict=True)]


def stylise_film(stylizer: Stylizer, reel: Reel, bits: int, settings: dict[str, Any], bar: tqdm) -> None:
    """Stylises a film, as many frames at once as are best.

    Raises:
      KeyboardInterrupt: Ctrl-C or SIGTERM; of a film nothing is left then, of numbered frames those that are done.
    """
    note = settings | {"contents": [reel.film.path.name]}
    with (
        interruptible() as stop,
        contextlib.closing(reel.film.frames()) as frames,
        film_writer(reel.target, reel.shape, reel.fps, settings=note, bits=bits, sound=reel.sound) as add,
    ):
        for batch, count in batches(frames, stylizer.batch(*reel.shape)):
            if stop():
                raise KeyboardInterrupt
            photos = [frame if frame.shape[:2] == reel.shape else images.resize(frame, *reel.shape) for frame in batch]
            for made in stylizer(photos)[:count]:
                add(made)
                bar.update()


def batches(frames: Iterator[np.ndarray], size: int) -> Iterator[tuple[list[np.ndarray], int]]:
    """So many frames at once, with how many count: the last batch is filled up, so that no program is made for it."""
    first = True
    while batch := list(itertools.islice(frames, size)):
        yield batch if first else batch + batch[-1:] * (size - len(batch)), len(batch)
        first = False
