"""Films among the sources of a job, and the names of their results."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs.files import Files, check_apart, check_new_folder, distinct, names_folder
from jaxstyle.media.film_reading import Film, is_film, open_film
from jaxstyle.media.film_writing import check_film, holds_pixel_aspect
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.paths import (
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    frame_path,
    frame_paths,
    is_film_name,
    is_frame_pattern,
)
from jaxstyle.media.timing import Timing

FPS = 25  # of a folder of frames, which does not tell
KEPT = {".png": ".apng", ".apng": ".apng", ".webp": ".webp"} | dict.fromkeys(VIDEO_SUFFIXES, ".mp4")
"""Suffix of a film -> suffix of its result in a folder; of all others it is .gif."""


def part_films(contents: Sequence[str], output: str) -> tuple[list[str], list[str]]:
    """Sorts sources into those stylised as films, and those stylised as pictures.

    Animations and what ffmpeg reads are films, and so is a folder whose result is one file that holds a film; of an
    animation whose result is a picture, the first frame is stylised.

    Raises:
      JaxstyleError: Several sources would be written into one film.
    """
    is_folder = names_folder(output)
    into_film = is_film_name(output) and not is_folder
    suffix = pathlib.Path(output).suffix.lower()
    into_either = suffix == ".webp" and not is_folder
    into_picture = suffix in PICTURE_SUFFIXES and not (is_folder or into_film or into_either)

    def moves(path: str) -> bool:
        if os.path.isdir(path):
            return into_film or into_either
        if not os.path.exists(path):
            return into_film
        return pathlib.Path(path).suffix.lower() in VIDEO_SUFFIXES or (not into_picture and is_film(pathlib.Path(path)))

    films = [path for path in contents if moves(path)]
    if (films or into_film) and len(contents) > 1 and not is_folder:
        raise JaxstyleError(f"{len(contents)} sources cannot go into the one film {output!r}: name a folder")
    return films, [path for path in contents if path not in films]


def open_source(path: str, target: pathlib.Path, files: Files) -> Film:
    """A film looked through, whose result can be written and overwrites nothing of it.

    Raises:
      JaxstyleError: One of these is not so.
    """
    above = check_new_folder(target.parent) if files.into_folder and not target.parent.exists() else target.parent
    check_film(above / target.name, files.bits)
    film = open_film(pathlib.Path(path), square_pixels=not holds_pixel_aspect(target))
    for note in film.notes:
        tqdm.write(f"jaxstyle: {note}", file=sys.stderr)
    read = [str(path) for path in frame_paths(film.path)] if film.path.is_dir() else [path]
    check_apart([frame_path(target, i) for i in range(film.count)] if is_frame_pattern(target) else [target], read)
    return film


def film_targets(paths: Sequence[str], files: Files) -> list[pathlib.Path]:
    """Where each film's result goes: in a folder, animations keep their kind and videos become .mp4."""
    folder = pathlib.Path(files.output)
    if not files.into_folder:
        return [folder] * len(paths)
    names = distinct([pathlib.Path(os.path.abspath(path)).stem for path in paths])
    suffixes = [KEPT.get(pathlib.Path(path).suffix.lower(), ".gif") for path in paths]
    return [folder / f"{name}{suffix}" for name, suffix in zip(names, suffixes, strict=True)]


def check_fps(fps: float | None) -> None:
    """Raises `JaxstyleError` for frames a second that cannot be."""
    if fps is not None and not 0 < fps <= 1000:
        raise JaxstyleError(f"--fps is {fps:g}; it must be above 0 and at most 1000")


def rate_of(film: Film, fps: float | None) -> Timing:
    """Frames a second of a film's result, `fps` where that is set, or how long each frame lasts."""
    return fps or film.timing or FPS


def kept_of(film: Film, target: pathlib.Path, fps: float | None) -> dict[str, Any]:
    """Properties of a film that its result keeps, for `film_writer`; no sound where it would not keep step."""
    sound = film.sound if fps is None and target.suffix.lower() == ".mp4" else None
    return {
        "sound": None if sound is None else (film.path, sound),
        "start": film.start,
        "pixel_aspect": film.pixel_aspect,
    }


def layered(picture: Picture, transparent: bool) -> np.ndarray:
    """A frame for `film_writer`: `[H, W, 3]`, or of a film in which something is transparent `[H, W, 4]`."""
    if not transparent:
        return picture.rgb
    alpha = np.ones(picture.rgb.shape[:2], np.float32) if picture.alpha is None else picture.alpha
    return np.dstack([picture.rgb, alpha])
