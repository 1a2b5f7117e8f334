"""What is behind `video.read_film`: films of every kind, looked through once, then given frame by frame."""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
import pathlib
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction

import numpy as np
from PIL import Image

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.media import ffmpeg
from jaxstyle.media.image_decoding import from_array, open_image
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.paths import frame_paths, is_video

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
STILL = 100  # milliseconds that a frame of an animation lasts which tells no time, as browsers have it
BAD_FRAMES = ("stop", "skip")


@dataclasses.dataclass(frozen=True)
class Film:
    """A film that has been looked through, none of whose frames is in memory.

    Attributes:
      path: Of its file or folder.
      shape: `(height, width)` of all frames, in pixels.
      count: Frames that can be read.
      fps: Frames a second, on average; None of a folder, which does not tell.
      bad: One sentence a frame that cannot be read, which names it.
      frames: Reads the others one by one, float32 `[H, W, 3]` in [0, 1].
      sound: The codec of its sound, or None.
    """

    path: pathlib.Path
    shape: tuple[int, int]
    count: int
    fps: Fraction | None
    bad: tuple[str, ...]
    frames: Callable[[], Generator[np.ndarray]]
    sound: str | None = None

    def check(self, bad_frames: str) -> None:
        """Raises `JaxstyleError` for the first frame that cannot be read, where `bad_frames` is `"stop"`."""
        if self.bad and bad_frames == "stop":
            more = f", and {len(self.bad) - 1} more frames cannot" if len(self.bad) > 1 else ""
            raise JaxstyleError(f"{self.bad[0]}{more}; --bad-frames skip goes on without")


def check_bad_frames(bad_frames: str) -> None:
    """Raises `JaxstyleError` for what is none of `BAD_FRAMES`."""
    if bad_frames not in BAD_FRAMES:
        raise JaxstyleError(f"--bad-frames {bad_frames!r} is unknown; {did_you_mean(bad_frames, BAD_FRAMES)}")


def open_film(path: pathlib.Path) -> Film:
    """Looks a film through.

    Args:
      path: A folder of pictures, a video (`paths.VIDEO_SUFFIXES`), a GIF or another animated picture.

    Raises:
      JaxstyleError: There is no such film, none of its frames can be read, they differ in size, or ffmpeg is missing.
    """
    if not path.exists():
        raise JaxstyleError(f"film {str(path)!r} does not exist")
    if path.is_dir():
        return folder(path)
    return movie(path) if is_video(path) else animation(path)


def is_film(path: pathlib.Path) -> bool:
    """Whether a file is a video, or a picture of several frames; a file that cannot be open_image is neither."""
    if is_video(path):
        return True
    try:
        with open_image(path, repr(str(path))) as picture:
            return picture.format in ANIMATED and goes_on(picture)
    except JaxstyleError:
        return False


def goes_on(picture: Image.Image) -> bool:
    """Whether an open_image picture has a second frame, a damaged one included."""
    try:
        picture.seek(1)
    except EOFError:
        return False
    except Exception:  # decoders raise anything for damaged files
        return True
    return True


def folder(path: pathlib.Path) -> Film:
    """A folder of pictures."""
    shapes: dict[pathlib.Path, tuple[int, int]] = {}
    bad = []
    for frame in frame_paths(path):
        try:
            height, width, _ = read_picture(frame).rgb.shape
            shapes[frame] = height, width
        except JaxstyleError as error:
            bad.append(str(error))
    if len(set(shapes.values())) != 1:
        problem = "differ in size" if shapes else bad[0] if bad else "are none"
        raise JaxstyleError(f"the pictures in the folder {str(path)!r} {problem}: they make no film")

    def frames() -> Generator[np.ndarray]:
        for frame in shapes:
            yield read_picture(frame).rgb

    return Film(path, next(iter(shapes.values())), len(shapes), None, tuple(bad), frames)


def animation(path: pathlib.Path) -> Film:
    """A GIF, or another file of several pictures."""
    count, bad, lasting, shape = 0, [], 0.0, (0, 0)
    for found in animated(path):
        if isinstance(found, str):
            bad.append(found)
        else:
            frame, lasts = found
            count, lasting, shape = count + 1, lasting + lasts, (frame.shape[0], frame.shape[1])
    if not count:
        raise JaxstyleError(bad[0])

    def frames() -> Generator[np.ndarray]:
        for found in animated(path):
            if not isinstance(found, str):
                yield unit(found[0])

    fps = Fraction(1000 * count / lasting).limit_denominator(1000)
    return Film(path, shape, count, fps, tuple(bad), frames)


def animated(path: pathlib.Path) -> Iterator[tuple[np.ndarray, float] | str]:
    """Each frame `[H, W, 3]` uint8 of an animation with the milliseconds that it lasts, or why it cannot be read."""
    name = repr(str(path))
    with open_image(path, name) as film:
        for index in itertools.count():
            try:
                film.seek(index)
            except EOFError:
                return
            except Exception as error:  # of a file cut short; nothing behind it can be found
                yield f"frame {index + 1} of {name} and what follows cannot be read, it may be cut short: {error}"
                return
            try:
                frame = np.asarray(film.convert("RGB"))
            except Exception as error:  # decoders raise anything for damaged files
                yield f"frame {index + 1} of {name} cannot be read, it may be damaged: {error}"
            else:
                yield frame, film.info.get("duration") or STILL


def movie(path: pathlib.Path) -> Film:
    """A film that ffmpeg decodes."""
    ffmpeg.check_installed(path.name)
    seen = ffmpeg.inspect(path)
    with Image.open(io.BytesIO(ffmpeg.first_frame(path))) as first:
        shape = first.size[1], first.size[0]
    bad = [f"the frame {at:.3f} seconds into {str(path)!r} is damaged" for at in seen.bad]

    def frames() -> Generator[np.ndarray]:
        for frame in ffmpeg.frames(path, shape, seen.fps):
            yield unit(frame)

    return Film(path, shape, seen.count, seen.fps, tuple(bad), frames, seen.sound)


def unit(frame: np.ndarray) -> np.ndarray:
    """Bytes as float32 in [0, 1]."""
    return frame.astype(np.float32) / 255


def read_film(path: str | os.PathLike) -> np.ndarray:
    """The frames of a film, all in memory.

    Args:
      path: A folder of pictures, in the order of their names, numbers by value; a .npy file of an array `[T, H, W]` or
        `[T, H, W, 1 or 3]`, uint8 or floats in [0, 1]; a video (`paths.VIDEO_SUFFIXES`); or a GIF or another
        animated picture.

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
