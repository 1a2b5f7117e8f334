"""Reads films of every kind, frame by frame: folders of pictures, animations, and videos."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import sys
from collections.abc import Callable, Generator
from fractions import Fraction

import numpy as np

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.media import ffmpeg, video_reading
from jaxstyle.media.alpha import fill_invisible
from jaxstyle.media.animation_reading import Frame, is_animation, read_frames
from jaxstyle.media.image_decoding import Picture, from_array
from jaxstyle.media.image_reading import read_visible
from jaxstyle.media.paths import frame_paths, is_video
from jaxstyle.media.timing import Timing

BAD_FRAMES = ("stop", "skip")


@dataclasses.dataclass(frozen=True)
class Film:
    """A film, scanned once; none of its frames is in memory.

    Attributes:
      path: The film's file or folder.
      shape: `(height, width)` of all frames, in pixels.
      count: Number of frames that can be read.
      fps: Frames a second, on average; None of a folder, which does not tell.
      bad: Sentences that name the frames that cannot be read.
      pictures: Reads the others one by one.
      sound: Codec of the sound, or None.
      durations: Seconds that each frame lasts; None where all last as long, or nothing is told.
      start: Seconds of sound before the first frame.
      pixel_aspect: Width of a pixel over its height.
      transparent: Whether a frame has an alpha channel.
      notes: Sentences to be told before work starts, about what is not read as it should be.
    """

    path: pathlib.Path
    shape: tuple[int, int]
    count: int
    fps: Fraction | None
    bad: tuple[str, ...]
    pictures: Callable[[], Generator[Picture]]
    sound: str | None = None
    durations: tuple[Fraction, ...] | None = None
    start: float = 0.0
    pixel_aspect: Fraction = Fraction(1)
    transparent: bool = False
    notes: tuple[str, ...] = ()

    @property
    def timing(self) -> Timing | None:
        """Frames a second, or how long each frame lasts where they differ; None of a folder."""
        return self.durations or self.fps

    def frames(self) -> Generator[np.ndarray]:
        """Reads the colours of the frames one by one, float32 `[H, W, 3]` in [0, 1]."""
        with contextlib.closing(self.pictures()) as pictures:
            for rgb, _ in pictures:
                yield rgb

    def check(self, bad_frames: str) -> None:
        """Raises `JaxstyleError` for the first frame that cannot be read, where `bad_frames` is `"stop"`."""
        if self.bad and bad_frames == "stop":
            more = f", and {len(self.bad) - 1} more frames cannot" if len(self.bad) > 1 else ""
            raise JaxstyleError(f"{self.bad[0]}{more}; --bad-frames skip goes on without")


def check_bad_frames(bad_frames: str) -> None:
    """Raises `JaxstyleError` for a choice that is none of `BAD_FRAMES`."""
    if bad_frames not in BAD_FRAMES:
        raise JaxstyleError(f"--bad-frames {bad_frames!r} is unknown; {did_you_mean(bad_frames, BAD_FRAMES)}")


def open_film(path: pathlib.Path, square_pixels: bool = False) -> Film:
    """Opens a film and scans it once: its size, its times, and frames that are damaged.

    The film is a folder of pictures, a video (`paths.VIDEO_SUFFIXES`), a GIF or another animated picture. With
    `square_pixels` frames of an anamorphic video are stretched, as a result needs that cannot hold another
    `pixel_aspect`. Raises `JaxstyleError` where there is none, no frame can be read, frames differ in size, or ffmpeg
    is missing.
    """
    if not path.exists():
        raise JaxstyleError(f"film {str(path)!r} does not exist")
    if path.is_dir():
        return open_folder(path)
    if not path.is_file():
        raise JaxstyleError(f"film {str(path)!r} is a pipe or a device; a film is read several times: save it first")
    return open_video(path, square_pixels) if is_video(path) else open_animation(path)


def is_film(path: pathlib.Path) -> bool:
    """Tells whether a file is a video, or a picture of several frames; a file that cannot be opened is neither."""
    return is_video(path) or is_animation(path)


def open_folder(path: pathlib.Path) -> Film:
    """Scans a folder of pictures; see `open_film`."""
    shapes: dict[pathlib.Path, tuple[int, int]] = {}
    bad, transparent = [], False
    for frame in frame_paths(path):
        try:
            rgb, alpha = read_visible(frame)
        except JaxstyleError as error:
            bad.append(str(error))
        else:
            shapes[frame] = rgb.shape[0], rgb.shape[1]
            transparent |= alpha is not None
    if len(set(shapes.values())) != 1:
        problem = "differ in size" if shapes else bad[0] if bad else "are none"
        raise JaxstyleError(f"the pictures in the folder {str(path)!r} {problem}: they make no film")

    def pictures() -> Generator[Picture]:
        for frame in shapes:
            yield read_visible(frame)

    return Film(path, next(iter(shapes.values())), len(shapes), None, tuple(bad), pictures, transparent=transparent)


def open_animation(path: pathlib.Path) -> Film:
    """Scans a GIF, or another file of several pictures; see `open_film`."""
    bad, lasts, transparent, shape = [], [], False, (0, 0)
    for found in read_frames(path):
        if isinstance(found, Frame):
            lasts.append(found.lasts)
            shape, transparent = found.pixels.shape[:2], transparent or found.pixels.shape[-1] == 4
        else:
            bad.append(found)
    if not lasts:
        raise JaxstyleError(bad[0])

    def pictures() -> Generator[Picture]:
        for found in read_frames(path):
            if isinstance(found, Frame):
                yield to_picture(found.pixels)

    fps = (len(lasts) / sum(lasts, Fraction(0))).limit_denominator(1000)
    durations = tuple(lasts) if len(set(lasts)) > 1 else None
    return Film(path, shape, len(lasts), fps, tuple(bad), pictures, durations=durations, transparent=transparent)


def open_video(path: pathlib.Path, square_pixels: bool = False) -> Film:
    """Scans a video, by ffmpeg; see `open_film`."""
    ffmpeg.check_installed(path.name)
    video = video_reading.inspect(path)
    shape, filters, pixel_aspect = video.shape, video.filters, video.pixel_aspect
    if square_pixels and pixel_aspect != 1:
        shape = square_size(shape, pixel_aspect)
        filters, pixel_aspect = (*filters, f"scale={shape[1]}:{shape[0]}"), Fraction(1)

    def pictures() -> Generator[Picture]:
        with contextlib.closing(video_reading.decode(path, shape, 3 + video.transparent, filters)) as frames:
            for frame in frames:
                yield to_picture(frame)

    return Film(
        path,
        shape,
        len(video.times),
        video.fps,
        video.bad,
        pictures,
        sound=video.sound,
        durations=video.durations,
        start=video.times[0] if video.times[0] * video.fps > 0.5 else 0.0,  # codecs of sound begin a little early
        pixel_aspect=pixel_aspect,
        transparent=video.transparent,
        notes=video.notes,
    )


def square_size(shape: tuple[int, int], pixel_aspect: Fraction) -> tuple[int, int]:
    """Computes the size of a frame once its pixels are square: wider or higher, never smaller."""
    height, width = shape
    return (height, round(width * pixel_aspect)) if pixel_aspect > 1 else (round(height / pixel_aspect), width)


def to_picture(frame: np.ndarray) -> Picture:
    """Makes a picture of bytes `[H, W, 3 or 4]`, as `read_visible` does."""
    values = frame.astype(np.float32) / 255
    alpha = values[..., 3] if frame.shape[-1] == 4 else None
    return Picture(fill_invisible(values[..., :3], alpha), alpha)


def read_film(path: str | os.PathLike) -> np.ndarray:
    """Reads the frames of a film, all into memory.

    Args:
      path: A folder of pictures, in the order of their names, numbers by value; a .npy file of an array `[T, H, W]` or
        `[T, H, W, 1 or 3]`, uint8 or floats in [0, 1]; a video (`paths.VIDEO_SUFFIXES`); or a GIF or another
        animated picture.

    Returns:
      `[T, H, W, 3]` float32 in [0, 1], with square pixels.

    Raises:
      JaxstyleError: There is no such film, it is damaged, its frames differ in size, or ffmpeg is missing.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() == ".npy" and path.is_file():
        return read_array(path)
    film = open_film(path, square_pixels=True)
    for note in film.notes:
        print(f"jaxstyle: {note}", file=sys.stderr)
    if film.bad:
        raise JaxstyleError(film.bad[0])
    return np.stack(list(film.frames()))


def read_array(path: pathlib.Path) -> np.ndarray:
    """Reads a film in a .npy file; see `read_film`."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise JaxstyleError(f"{str(path)!r} cannot be read as an array: {error}") from error
    if array.ndim not in (3, 4) or not len(array):
        raise JaxstyleError(f"{str(path)!r} holds an array of shape {array.shape}; a film is [T, H, W] or [T, H, W, C]")
    array = array[..., 0] if array.shape[3:] == (1,) else array
    return np.stack([from_array(frame).rgb for frame in array])
