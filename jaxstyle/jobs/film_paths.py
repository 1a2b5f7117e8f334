"""Which of the sources of a job are films, and where their results go."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Sequence
from fractions import Fraction

from tqdm import tqdm

from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs.files import check_apart, distinct
from jaxstyle.media.film_reading import Film, is_film, open_film
from jaxstyle.media.film_writing import check_film
from jaxstyle.media.paths import (
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    frame_path,
    frame_paths,
    is_film_name,
    is_frame_pattern,
)

FPS = 25  # of a folder of frames, which does not tell


def part_films(contents: Sequence[str], output: str) -> tuple[list[str], list[str]]:
    """Which of the sources are stylised as films, and which as pictures.

    Animations and what ffmpeg reads are films, and so is a folder whose result is a film; of an animation whose result
    is a picture, the first frame is stylised.

    Raises:
      JaxstyleError: Several sources would be written into one film.
    """
    is_folder = os.path.isdir(output)
    into_film = is_film_name(output) and not is_folder
    into_picture = pathlib.Path(output).suffix.lower() in PICTURE_SUFFIXES and not is_folder and not into_film

    def moves(path: str) -> bool:
        if os.path.isdir(path) or not os.path.exists(path):
            return into_film
        return pathlib.Path(path).suffix.lower() in VIDEO_SUFFIXES or (not into_picture and is_film(pathlib.Path(path)))

    if into_film and len(contents) > 1:
        raise JaxstyleError(f"{len(contents)} sources cannot go into the one film {output!r}: name a folder")
    films = [path for path in contents if moves(path)]
    return films, [path for path in contents if path not in films]


def open_source(path: str, target: pathlib.Path, bits: int) -> Film:
    """A film looked through, whose result can be written and overwrites nothing of it.

    Raises:
      JaxstyleError: One of these is not so.
    """
    check_film(target, bits)
    film = open_film(pathlib.Path(path))
    read = [str(path) for path in frame_paths(film.path)] if film.path.is_dir() else [path]
    check_apart([frame_path(target, i) for i in range(film.count)] if is_frame_pattern(target) else [target], read)
    return film


def film_targets(paths: Sequence[str], output: str) -> list[pathlib.Path]:
    """Where each film's result goes: in a folder, films that ffmpeg reads become .mp4, others .gif."""
    folder = pathlib.Path(output)
    if not paths or not os.path.isdir(folder):
        return [folder] * len(paths)
    names = distinct([pathlib.Path(os.path.abspath(path)).stem for path in paths])
    suffixes = [".mp4" if pathlib.Path(path).suffix.lower() in VIDEO_SUFFIXES else ".gif" for path in paths]
    return [folder / f"{name}{suffix}" for name, suffix in zip(names, suffixes, strict=True)]


def check_fps(fps: float | None) -> None:
    """Raises `JaxstyleError` for frames a second that cannot be."""
    if fps is not None and not 0 < fps <= 1000:
        raise JaxstyleError(f"--fps is {fps:g}; it must be above 0 and at most 1000")


def rate_of(film: Film, fps: float | None) -> Fraction | float:
    """Frames a second of a film's result, `fps` where that is set."""
    return fps or film.fps or FPS


def sound_of(film: Film, target: pathlib.Path, fps: float | None) -> tuple[pathlib.Path, str] | None:
    """Whose sound a film's result gets, and the sound's codec: none where it would run apart from the frames."""
    if film.sound is None or fps is not None or target.suffix.lower() != ".mp4":
        return None
    return film.path, film.sound


def skipped(problem: str) -> None:
    """Names what is left out, above the progress bar."""
    tqdm.write(f"jaxstyle: {problem}; skipped", file=sys.stderr)
