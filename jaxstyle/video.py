"""Films in and out: animated GIFs, numbered frames, arrays, and MP4 and the like where ffmpeg is installed.

Whole films in memory are here; one frame at a time they are read by `film_reading.py` and written by `film_writing.py`.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.film_reading import MOVIES, Film, is_film, open_film
from jaxstyle.film_writing import SUFFIXES, check_film, film_writer, names_film
from jaxstyle.image_reading import from_array
from jaxstyle.images import read_picture

__all__ = [
    "MOVIES",
    "SUFFIXES",
    "Film",
    "check_film",
    "film_writer",
    "is_film",
    "names_film",
    "open_film",
    "read_film",
    "write_film",
    "write_frames",
]


def read_film(path: str | os.PathLike) -> np.ndarray:
    """The frames of a film, all in memory.

    Args:
      path: A folder of pictures, in the order of their names, numbers by value; a .npy file of an array `[T, H, W]` or
        `[T, H, W, 1 or 3]`, uint8 or floats in [0, 1]; a film of `MOVIES`; or a GIF or another animated picture.

    Returns:
      `[T, H, W, 3]` float32 in [0, 1].

    Raises:
      JaxstyleError: There is no such film, it is damaged, its frames differ in size, or ffmpeg is missing.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() == ".npy" and path.is_file():
        return read_array(path)
    film = open_film(path)
    if film.bad:
        raise JaxstyleError(film.bad[0])
    return np.stack(list(film.frames()))


def read_array(path: pathlib.Path) -> np.ndarray:
    """A film in a .npy file."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise JaxstyleError(f"{str(path)!r} cannot be read as an array: {error}") from error
    if array.ndim not in (3, 4) or not len(array):
        raise JaxstyleError(f"{str(path)!r} holds an array of shape {array.shape}; a film is [T, H, W] or [T, H, W, C]")
    array = array[..., 0] if array.shape[3:] == (1,) else array
    return np.stack([from_array(frame).rgb for frame in array])


def write_frames(path: str | os.PathLike, frames: np.ndarray, fps: int) -> None:
    """Writes a film that is in memory.

    Args:
      path: Ends in .gif or .mp4, or is a folder, made where it is missing, for a PNG a frame.
      frames: `[T, H, W, 1 or 3]`, clipped to [0, 1].
      fps: Frames a second; a folder has none.

    Raises:
      JaxstyleError: See `check_film` and `film_writer`.
    """
    path = pathlib.Path(path)
    if not names_film(path):
        path.mkdir(exist_ok=True)
        path = path / "%04d.png"
    with film_writer(path, frames.shape[1:3], fps) as add:
        for frame in frames:
            add(np.broadcast_to(frame, (*frame.shape[:2], 3)))


def write_film(
    path: pathlib.Path, frames: Sequence[pathlib.Path], fps: Fraction | float, settings: dict[str, Any] | None = None
) -> None:
    """Writes a film of pictures that are files.

    Args:
      path: Ends in .gif or .mp4.
      frames: Pictures of one size.
      fps: Frames a second.
      settings: Kept in the file as JSON.

    Raises:
      JaxstyleError: See `film_writer`.
    """
    with film_writer(path, read_picture(frames[0]).rgb.shape[:2], fps, settings=settings) as add:
        for frame in frames:
            add(read_picture(frame).rgb)
