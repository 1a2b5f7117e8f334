"""Films in and out: animated GIFs, folders of frames, arrays, and MP4 where ffmpeg is installed."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageSequence

from jaxstyle.errors import JaxstyleError
from jaxstyle.image_files import write_picture
from jaxstyle.image_reading import from_array, opened
from jaxstyle.images import PICTURE_SUFFIXES, read_picture

SUFFIXES = (".gif", ".mp4")
MOVIES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
"""Films that ffmpeg reads."""


def read_film(path: str | os.PathLike) -> np.ndarray:
    """The frames of a film.

    Args:
      path: A folder of pictures, in the order of their names; a .npy file of an array `[T, H, W]` or `[T, H, W, 1 or
        3]`, uint8 or floats in [0, 1]; a film of `MOVIES`; or a GIF or another animated picture.

    Returns:
      `[T, H, W, 3]` float32 in [0, 1].

    Raises:
      JaxstyleError: There is no such film, it is damaged, its frames differ in size, or ffmpeg is missing.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise JaxstyleError(f"film {str(path)!r} does not exist")
    if path.is_dir():
        return read_frames(path)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return read_array(path)
    if suffix in MOVIES:
        return read_movie(path)
    with opened(path, repr(str(path))) as film:
        return np.stack([np.asarray(frame.convert("RGB"), np.float32) / 255 for frame in ImageSequence.Iterator(film)])


def read_frames(folder: pathlib.Path) -> np.ndarray:
    """The pictures of a folder as a film."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    frames = [read_picture(path).rgb for path in paths]
    if len({frame.shape for frame in frames}) != 1:
        problem = "differ in size" if frames else "are none"
        raise JaxstyleError(f"the pictures in the folder {str(folder)!r} {problem}: they make no film")
    return np.stack(frames)


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


def read_movie(path: pathlib.Path) -> np.ndarray:
    """A film as ffmpeg decodes it."""
    if shutil.which("ffmpeg") is None:
        raise JaxstyleError(
            f"{path.name!r} needs ffmpeg, which is not installed: install it, or give a .gif or a folder of frames"
        )
    with tempfile.TemporaryDirectory() as folder:
        ffmpeg("-i", str(path), "-vsync", "0", f"{folder}/%06d.png")
        return read_frames(pathlib.Path(folder))


def write_frames(path: str | os.PathLike, frames: np.ndarray, fps: int) -> None:
    """Writes a film that is in memory.

    Args:
      path: Ends in .gif or .mp4, or is a folder, made where it is missing, for a PNG a frame.
      frames: `[T, H, W, 1 or 3]`, clipped to [0, 1].
      fps: Frames a second; a folder has none.

    Raises:
      JaxstyleError: See `check_film` and `write_film`.
    """
    path = pathlib.Path(path)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) if path.suffix.lower() in SUFFIXES else path
        folder.mkdir(exist_ok=True)
        paths = [folder / f"{i:04d}.png" for i in range(len(frames))]
        for name, frame in zip(paths, frames, strict=True):
            write_picture(name, np.broadcast_to(frame, (*frame.shape[:2], 3)))
        if folder != path:
            write_film(path, paths, fps)


def check_film(path: pathlib.Path) -> None:
    """Finds out before a long run whether `write_film` can write such a film.

    Raises:
      JaxstyleError: The suffix is none of a film, ffmpeg is missing, or the folder is.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise JaxstyleError(f"a film goes into a folder of frames, or a file ending in .gif or .mp4, not {path.name!r}")
    if path.suffix.lower() == ".mp4" and shutil.which("ffmpeg") is None:
        raise JaxstyleError(
            f"{path.name!r} needs ffmpeg, which is not installed: install it, or name a .gif or a folder for the frames"
        )
    if not os.path.isdir(path.parent):
        raise JaxstyleError(f"output folder {str(path.parent)!r} does not exist: make it first, or name another")
    if not os.access(path.parent, os.W_OK):
        raise JaxstyleError(f"output folder {str(path.parent)!r} cannot be written")


def write_film(path: pathlib.Path, frames: Sequence[pathlib.Path], fps: int, comment: str = "") -> None:
    """Writes a film, under a temporary name that is then its own.

    Args:
      path: Ends in .gif or .mp4.
      frames: PNG files of one size; for .mp4 they must be named by consecutive numbers, `0000.png` first.
      fps: Frames a second; a GIF's are rounded to hundredths of a second.
      comment: Kept in the file.

    Raises:
      JaxstyleError: ffmpeg or the disk refuses.
    """
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        if path.suffix.lower() == ".gif":
            write_gif(temporary, frames, fps, comment)
        else:
            write_mp4(temporary, frames, fps, comment)
        os.replace(temporary, path)
    except OSError as error:
        raise JaxstyleError(f"cannot write the film {str(path)!r}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_gif(path: pathlib.Path, frames: Sequence[pathlib.Path], fps: int, comment: str) -> None:
    """An animated GIF that repeats, every frame with its own 256 colours."""
    pictures = []
    for frame in frames:
        with Image.open(frame) as picture:
            pictures.append(picture.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG))
    duration = max(20, round(100 / fps) * 10)
    first, *rest = pictures
    first.save(path, save_all=True, append_images=rest, duration=duration, loop=0, comment=comment.encode())


def write_mp4(path: pathlib.Path, frames: Sequence[pathlib.Path], fps: int, comment: str) -> None:
    """H.264 that every player plays; odd sides get one more pixel, which 4:2:0 needs."""
    ffmpeg(
        *("-framerate", str(fps), "-i", str(frames[0].parent / "%04d.png")),
        *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p"),
        *("-frames:v", str(len(frames)), "-metadata", f"comment={comment}", str(path)),
    )


def ffmpeg(*arguments: str) -> None:
    """Runs ffmpeg.

    Raises:
      JaxstyleError: It fails, with what it says.
    """
    command = ["ffmpeg", "-y", "-loglevel", "error", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise JaxstyleError(f"ffmpeg failed: {' '.join(done.stderr.split()) or done.returncode}")
