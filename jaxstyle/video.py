"""Films out: numbered frames on disk become an animated GIF, or an MP4 where ffmpeg is installed."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from collections.abc import Sequence

from PIL import Image

from jaxstyle.errors import JaxstyleError

SUFFIXES = (".gif", ".mp4")


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
    command = [
        *("ffmpeg", "-y", "-loglevel", "error", "-framerate", str(fps), "-i", str(frames[0].parent / "%04d.png")),
        *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p"),
        *("-frames:v", str(len(frames)), "-metadata", f"comment={comment}", str(path)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise JaxstyleError(f"ffmpeg failed: {' '.join(done.stderr.split()) or done.returncode}")
