"""Writes films frame by frame, there whole or not at all: GIF, APNG, WebP, MP4, and numbered frames."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.media import animation_writing, ffmpeg
from jaxstyle.media.alpha import on_white
from jaxstyle.media.animation_writing import Add
from jaxstyle.media.image_writing import check_writable, write_picture
from jaxstyle.media.paths import FILM_SUFFIXES, frame_path, is_film_name, is_frame_pattern
from jaxstyle.media.timing import Timing
from jaxstyle.media.video_writing import video_writer
from jaxstyle.runtime import atomic


def check_film(path: pathlib.Path, bits: int = 8) -> None:
    """Checks before a long run that a film, or numbered frames by their pattern, can be written.

    Raises `JaxstyleError` where the name is none of a film, ffmpeg or the folder is missing, or a film cannot hold
    `bits` bits a channel.
    """
    if is_frame_pattern(path):
        check_writable(frame_path(path, 0), bits)
        return
    suffix = path.suffix.lower()
    if suffix not in (*FILM_SUFFIXES, *animation_writing.WRITERS):
        raise JaxstyleError(
            "a film goes into a folder, a file ending in .gif, .apng, .webp or .mp4, or numbered frames such as "
            f"'frames/%04d.png', not {path.name!r}"
        )
    if suffix == ".mp4":
        ffmpeg.check_installed(path.name)
    if bits != 8:
        raise JaxstyleError(f"{path.name!r} cannot hold {bits} bits a channel: ask for 8, or numbered .png frames")
    if not os.path.isdir(path.parent):
        raise JaxstyleError(f"output folder {str(path.parent)!r} does not exist: make it first, or name another")
    if not os.access(path.parent, os.W_OK):
        raise JaxstyleError(f"output folder {str(path.parent)!r} cannot be written")


def holds_pixel_aspect(path: pathlib.Path) -> bool:
    """Tells whether a film of that name can hold pixels that are not square, which all players honour."""
    return path.suffix.lower() == ".mp4"


@contextlib.contextmanager
def film_writer(
    path: pathlib.Path,
    shape: tuple[int, int],
    timing: Timing,
    *,
    settings: dict[str, Any] | None = None,
    bits: int = 8,
    sound: tuple[pathlib.Path, str] | None = None,
    start: float = 0.0,
    pixel_aspect: Fraction = Fraction(1),
) -> Iterator[Add]:
    """Writes a film frame by frame; the film appears when the block ends well.

    Numbered frames each appear as soon as they are whole.

    Args:
      path: Ends in .gif, .apng, .webp or .mp4, or is a pattern such as `frames/%04d.png`.
      shape: Height and width of the frames, in pixels.
      timing: Frames a second, or how long each frame lasts, in seconds; numbered frames tell neither. For GIF see
        `animation_writing.gif_writer`.
      settings: Kept in the file as JSON; of numbered frames, in every one.
      bits: Bits a channel of numbered frames.
      sound: A film whose sound an .mp4 gets, and the sound's codec; or None.
      start: Seconds of sound before the first frame.
      pixel_aspect: Width of a pixel over its height, which an .mp4 holds (see `holds_pixel_aspect`).

    Yields:
      A function that takes the next frame, `[H, W, 3]`, or all frames as `[H, W, 4]` with alpha, clipped to [0, 1]. An
      .mp4 has no alpha and gets the frames on white.

    Raises:
      JaxstyleError: ffmpeg or the disk refuses.
    """
    if is_frame_pattern(path):
        yield _frame_writer(path, bits, settings)
        return
    comment = "" if settings is None else json.dumps(settings, sort_keys=True)
    try:
        with atomic.replacing(path) as temporary, contextlib.ExitStack() as stack:
            if path.suffix.lower() == ".mp4":
                options: Any = {"sound": sound, "start": start, "pixel_aspect": pixel_aspect}
                write = stack.enter_context(video_writer(temporary, shape, timing, comment, **options))
                yield lambda frame: write(to_bytes(_opaque(frame)))
            else:
                file = stack.enter_context(temporary.open("wb"))
                writer = animation_writing.WRITERS[path.suffix.lower()]
                write = stack.enter_context(writer(file, shape, timing, comment))
                yield lambda frame: write(to_bytes(frame))
    except OSError as error:
        raise JaxstyleError(f"cannot write the film {str(path)!r}: {error.strerror or error}") from error


def to_bytes(frame: np.ndarray) -> np.ndarray:
    """Quantises a frame to 8 bits."""
    return np.rint(255 * np.clip(frame, 0, 1)).astype(np.uint8)


def _opaque(frame: np.ndarray) -> np.ndarray:
    return on_white(frame[..., :3], frame[..., 3]) if frame.shape[-1] == 4 else frame


def _frame_writer(pattern: pathlib.Path, bits: int, settings: dict[str, Any] | None) -> Add:
    """Writes every frame into a file of its own."""
    count = 0

    def add(frame: np.ndarray) -> None:
        nonlocal count
        alpha = frame[..., 3] if frame.shape[-1] == 4 else None
        write_picture(frame_path(pattern, count), frame[..., :3], alpha=alpha, bits=bits, settings=settings)
        count += 1

    return add


def write_frames(path: str | os.PathLike, frames: np.ndarray, fps: int) -> None:
    """Writes a film that is in memory.

    Args:
      path: Ends in .gif, .apng, .webp or .mp4, or is a folder, made where it is missing, for a PNG a frame.
      frames: `[T, H, W, 1 or 3]`, clipped to [0, 1].
      fps: Frames a second; a folder has none.

    Raises:
      JaxstyleError: See `check_film` and `film_writer`.
    """
    path = pathlib.Path(path)
    if not is_film_name(path) and path.suffix.lower() not in animation_writing.WRITERS:
        path.mkdir(exist_ok=True)
        path = path / "%04d.png"
    with film_writer(path, frames.shape[1:3], fps) as add:
        for frame in frames:
            add(np.broadcast_to(frame, (*frame.shape[:2], 3)))
