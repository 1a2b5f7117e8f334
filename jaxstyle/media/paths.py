"""Names of pictures and films: suffixes, hidden names, numbered frames, and the pictures of a folder."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator, Sequence

from jaxstyle.errors import JaxstyleError

PICTURE_SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif", ".tga", ".qoi"}
)
"""Suffixes, in lower case, of the files of a folder that are taken for pictures."""
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
"""Suffixes, in lower case, of the films that ffmpeg decodes."""
FILM_SUFFIXES = (".gif", ".apng", ".mp4")
"""Suffixes, in lower case, of the files into which films are written."""
SYSTEM_FOLDERS = ("__MACOSX", "@eaDir")
"""Folders of thumbnails and resource forks, which archives of macOS and Synology's disks put beside the pictures."""

DEPTH = 64
"""Folders in each other that are searched for pictures."""

_NUMBER = re.compile(r"%\d*d")


def is_hidden(path: str | os.PathLike) -> bool:
    """Tells whether listings leave a name out: it begins with a dot, as `._a.png` does, or is a system's folder."""
    name = pathlib.Path(path).name
    return name.startswith(".") or name in SYSTEM_FOLDERS


def is_picture(path: str | os.PathLike) -> bool:
    """Tells whether a name is a picture's: its suffix is one of `PICTURE_SUFFIXES`, and it is not hidden."""
    return pathlib.Path(path).suffix.lower() in PICTURE_SUFFIXES and not is_hidden(path)


def is_video(path: str | os.PathLike) -> bool:
    """Tells whether a name is that of a film which ffmpeg decodes: its suffix is one of `VIDEO_SUFFIXES`."""
    return pathlib.Path(path).suffix.lower() in VIDEO_SUFFIXES


def picture_paths(folder: str | os.PathLike, recursive: bool = False) -> list[pathlib.Path]:
    """Lists the pictures of a folder, by their names alone.

    Args:
      folder: The folder.
      recursive: Whether to search its folders too; hidden ones are left out, links are followed, and a folder that
        links lead to more than once is listed once.

    Returns:
      The paths, each beginning with `folder`, in the order of their names.

    Raises:
      JaxstyleError: `folder` is none, a folder cannot be listed, or one lies deeper than `DEPTH`.
    """
    return sorted(_pictures(pathlib.Path(folder), DEPTH if recursive else 0, set()))


def _pictures(folder: pathlib.Path, depth: int, listed: set[str]) -> Iterator[pathlib.Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise JaxstyleError(f"the folder {str(folder)!r} cannot be listed: {error.strerror}") from error
    listed.add(os.path.realpath(folder))
    for path in entries:
        if not path.is_dir():
            if is_picture(path):
                yield path
        elif depth and not is_hidden(path) and os.path.realpath(path) not in listed:
            if depth == 1:
                raise JaxstyleError(f"{str(path)!r} lies {DEPTH} folders deep; only pictures in fewer are looked for")
            yield from _pictures(path, depth - 1, listed)


def list_pictures(sources: Sequence[str]) -> list[str]:
    """Lists the pictures named, folders replaced by the pictures in them, sorted by name.

    Raises:
      JaxstyleError: A folder holds a film, or no pictures.
    """
    paths = []
    for source in sources:
        if os.path.isdir(source):
            films = sorted(path for path in pathlib.Path(source).iterdir() if is_video(path))
            if films:
                raise JaxstyleError(f"the folder {source!r} holds a film, {films[0].name!r}: name films one by one")
            found = picture_paths(source)
            if not found:
                raise JaxstyleError(f"the folder {source!r} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
            paths += [str(path) for path in found]
        else:
            paths.append(source)
    return paths


def frame_paths(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Lists the frames in a folder, in the order of their names, numbers in them by value.

    Raises:
      JaxstyleError: See `picture_paths`.
    """

    def key(path: pathlib.Path) -> tuple[list[tuple[int, str]], str]:
        parts = re.split(r"(\d+)", path.name)
        return [(int(part), "") if part.isdecimal() else (0, part) for part in parts], path.name

    return sorted(picture_paths(folder), key=key)


def is_film_name(path: str | os.PathLike) -> bool:
    """Tells whether a name is a film's: .gif, .apng, .mp4, or numbered frames such as `frames/%04d.png`."""
    return pathlib.Path(path).suffix.lower() in FILM_SUFFIXES or is_frame_pattern(path)


def is_frame_pattern(path: str | os.PathLike) -> bool:
    """Tells whether a name stands for numbered frames: it holds `%d`, or `%04d` and the like, and is no film's name.

    Any other `%` is a character like all others.
    """
    path = pathlib.Path(path)
    return path.suffix.lower() not in FILM_SUFFIXES and _NUMBER.search(path.name) is not None


def frame_path(pattern: pathlib.Path, number: int) -> pathlib.Path:
    """Names a frame of a pattern such as `frames/%04d.png`.

    Raises `JaxstyleError` where the pattern has no number, more than one, or one of another form, such as `%4d`.
    """
    found = _NUMBER.findall(pattern.name)
    if len(found) != 1 or not re.fullmatch(r"%(0\d+)?d", found[0]):
        raise JaxstyleError(f"{str(pattern)!r} is no name of numbered frames; write one such as 'frames/%04d.png'")
    return pattern.with_name(pattern.name.replace(found[0], found[0] % number))
