"""What is behind `video.write_film`: films written frame by frame, there whole or not at all."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media import ffmpeg
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_writing import check_writable, write_picture
from jaxstyle.media.paths import FILM_SUFFIXES, frame_path, is_film_name, is_frame_pattern

LEAST_DELAY = 2  # hundredths of a second; what a GIF asks for below that, viewers play slowly
Add = Callable[[np.ndarray], None]


def check_film(path: pathlib.Path, bits: int = 8) -> None:
    """Finds out before a long run whether such a film can be written.

    Raises:
      JaxstyleError: The name is none of a film, ffmpeg is missing, or the folder is; or it cannot hold so many bits.
    """
    if is_frame_pattern(path):
        check_writable(frame_path(path, 0), bits)
        return
    if path.suffix.lower() not in FILM_SUFFIXES:
        raise JaxstyleError(
            f"a film goes into a folder, a file ending in .gif or .mp4, or numbered frames such as 'frames/%04d.png', "
            f"not {path.name!r}"
        )
    if path.suffix.lower() == ".mp4":
        ffmpeg.check_installed(path.name)
    if bits != 8:
        raise JaxstyleError(f"{path.name!r} cannot hold {bits} bits a channel: ask for 8, or numbered .png frames")
    if not os.path.isdir(path.parent):
        raise JaxstyleError(f"output folder {str(path.parent)!r} does not exist: make it first, or name another")
    if not os.access(path.parent, os.W_OK):
        raise JaxstyleError(f"output folder {str(path.parent)!r} cannot be written")


@contextlib.contextmanager
def film_writer(
    path: pathlib.Path,
    shape: tuple[int, int],
    fps: Fraction | float,
    *,
    settings: dict[str, Any] | None = None,
    bits: int = 8,
    sound: tuple[pathlib.Path, str] | None = None,
) -> Iterator[Add]:
    """A film written frame by frame, under a temporary name that is its own when the block ends well.

    Numbered frames are each there as soon as they are whole.

    Args:
      path: Ends in .gif or .mp4, or is a pattern such as `frames/%04d.png`.
      shape: Height and width of the frames, in pixels.
      fps: Frames a second. A GIF's last whole hundredths of a second, right on average, and two at least: above 50 a
        second some are left out.
      settings: Kept in the file as JSON; of numbered frames, in every one.
      bits: Bits a channel of numbered frames.
      sound: A film whose sound an .mp4 gets, and the sound's codec; or None.

    Yields:
      A function that takes the next frame, `[H, W, 3]` clipped to [0, 1].

    Raises:
      JaxstyleError: ffmpeg or the disk refuses.
    """
    if is_frame_pattern(path):
        yield numbered_frames(path, bits, settings)
        return
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    comment = "" if settings is None else json.dumps(settings, sort_keys=True)
    try:
        with contextlib.ExitStack() as stack:
            if path.suffix.lower() == ".gif":
                file = stack.enter_context(temporary.open("wb"))
                write = gif_frames(file, shape, fps, comment)
                stack.callback(file.write, b";")
            else:
                write = stack.enter_context(ffmpeg.encoder(temporary, shape, Fraction(fps), comment, sound))
            yield lambda frame: write(levels(frame))
        os.replace(temporary, path)
    except OSError as error:
        raise JaxstyleError(f"cannot write the film {str(path)!r}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def levels(frame: np.ndarray) -> np.ndarray:
    """A frame in 8 bits."""
    return np.rint(255 * np.clip(frame, 0, 1)).astype(np.uint8)


def numbered_frames(path: pathlib.Path, bits: int, settings: dict[str, Any] | None) -> Add:
    """Writes every frame into a file of its own."""
    count = 0

    def add(frame: np.ndarray) -> None:
        nonlocal count
        write_picture(frame_path(path, count), frame, bits=bits, settings=settings)
        count += 1

    return add


def gif_frames(file: Any, shape: tuple[int, int], fps: Fraction | float, comment: str) -> Add:
    """Writes an animated GIF that repeats, every frame with its own 256 colours; the last byte is the caller's.

    References:
      CompuServe 1990, "Graphics Interchange Format, Version 89a".
    """
    height, width = shape
    if max(shape) > 65535:
        raise JaxstyleError(f"a GIF holds at most 65535 pixels a side, not {max(shape)}: write numbered frames")
    file.write(b"GIF89a" + struct.pack("<2H3B", width, height, 0x70, 0, 0))
    file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")  # repeat for ever
    if comment:
        file.write(b"!\xfe" + blocks(comment.encode()) + b"\0")
    count = clock = 0  # frames so far; hundredths of a second that those written last

    def add(frame: np.ndarray) -> None:
        nonlocal count, clock
        count += 1
        delay = round(100 * count / fps) - clock
        if delay < LEAST_DELAY and clock:
            return
        delay = max(LEAST_DELAY, delay)
        clock += delay
        file.write(b"!\xf9\x04" + struct.pack("<BHBB", 0x04, min(delay, 65535), 0, 0) + gif_picture(frame))

    return add


def blocks(data: bytes) -> bytes:
    """Data in GIF's blocks of at most 255 bytes, each after its length."""
    parts = (data[i : i + 255] for i in range(0, len(data), 255))
    return b"".join(bytes([len(part)]) + part for part in parts)


def gif_picture(frame: np.ndarray) -> bytes:
    """What a GIF has of one picture `[H, W, 3]` uint8: Pillow's file of it, its colours made its own."""
    buffer = io.BytesIO()
    picture = Image.fromarray(frame).quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    picture.save(buffer, "GIF", interlace=0)
    data = buffer.getvalue()
    bits = data[10] & 7  # of the screen's flags: its table has 2 ** (bits + 1) colours
    start = 13 + 3 * 2 ** (bits + 1)
    assert data[10] & 0x80 and data[start] == 0x2C, "Pillow wrote something between colours and picture"
    return data[start : start + 9] + bytes([0x80 | bits]) + data[13:start] + data[start + 10 : -1]


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
    if not is_film_name(path):
        path.mkdir(exist_ok=True)
        path = path / "%04d.png"
    with film_writer(path, frames.shape[1:3], fps) as add:
        for frame in frames:
            add(np.broadcast_to(frame, (*frame.shape[:2], 3)))


def assemble_film(
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
