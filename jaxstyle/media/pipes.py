"""Films through a pipe: YUV4MPEG2 (y4m) and Motion JPEG in, y4m out, a frame at a time and without ffmpeg."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Generator
from fractions import Fraction
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from jaxstyle.errors import JaxstyleError

FPS = Fraction(25)  # of Motion JPEG, which does not tell
Y4M, JPEG = b"YUV4MPEG2 ", b"\xff\xd8"
JPEG_END = b"\xff\xd9" + JPEG  # of one, and the beginning of the next
CHROMA = {"420": (2, 2), "422": (1, 2), "444": (1, 1), "mono": (0, 0)}
"""Rows and columns that share a chroma sample, by the beginning of y4m's `C`; 0 is none at all."""
MOST_SIDE = 16_384  # pixels, of a frame: what claims more is damaged
MOST_JPEG = 2**26  # bytes of a frame
CHUNK = 65_536
BT601 = np.array([[1, 1, 1], [0, -0.344136, 1.772], [1.402, -0.714136, 0]], np.float32)
"""RGB of luma and the two chroma differences, ITU-R BT.601, rows: Y, Cb, Cr."""


class Stream(NamedTuple):
    """A film that is read once, while it comes.

    Attributes:
      shape: `(height, width)` of the frames, in pixels.
      fps: Frames a second.
      frames: Yields the frames, float32 `[H, W, 3]` in [0, 1].
    """

    shape: tuple[int, int]
    fps: Fraction
    frames: Generator[np.ndarray]


def open_stream(file: BinaryIO) -> Stream:
    """Begins to read a film from a pipe.

    Raises:
      JaxstyleError: It is neither y4m of 8 bits nor Motion JPEG, or ends before a first frame. While frames are read:
        one is damaged.
    """
    head = file.read(2)
    if head == JPEG:
        return open_jpegs(file)
    if head == Y4M[:2]:
        return open_y4m(file, head + file.readline(CHUNK))
    what = "nothing comes" if not head else "neither y4m nor Motion JPEG comes"
    raise JaxstyleError(f"{what} through the pipe: let ffmpeg write y4m, as in `ffmpeg -i IN -f yuv4mpegpipe -`")


def open_y4m(file: BinaryIO, header: bytes) -> Stream:
    """Reads y4m after its header; see `open_stream`.

    References:
      The YUV4MPEG2 format of mjpegtools, yuv4mpeg(5).
    """
    fields = {word[:1]: word[1:] for word in header.decode("latin-1").split()[1:] if not word.startswith("X")}
    found = re.fullmatch(r"(\d{1,9}):(\d{1,9})", fields.get("F", "25:1"))
    sides = [int(fields[name]) if fields.get(name, "").isdecimal() else 0 for name in "HW"]
    kind = next((name for name in CHROMA if fields.get("C", "420").startswith(name)), None)
    if not header.startswith(Y4M) or not header.endswith(b"\n") or not all(0 < side <= MOST_SIDE for side in sides):
        raise JaxstyleError("the y4m that comes through the pipe has no header that can be read")
    if kind is None or re.search(r"p\d|alpha|mono\d", fields.get("C", "")):
        raise JaxstyleError(f"y4m of the kind C{fields['C']} is not read: let ffmpeg write it by -pix_fmt yuv420p")
    rate = Fraction(int(found[1]), int(found[2])) if found and int(found[1]) and int(found[2]) else FPS
    height, width = sides
    full = b"XCOLORRANGE=FULL" in header

    def frames() -> Generator[np.ndarray]:
        down, across = CHROMA[kind]
        small = (-(-height // down), -(-width // across)) if down else (0, 0)
        size = height * width + 2 * small[0] * small[1]
        while line := file.readline(CHUNK):
            data = file.read(size)
            if not line.startswith(b"FRAME") or len(data) < size:
                raise JaxstyleError("the y4m that comes through the pipe is cut short or damaged")
            planes = np.frombuffer(data, np.uint8)
            luma, chroma = planes[: height * width].reshape(height, width), planes[height * width :].reshape(2, *small)
            if down:
                chroma = chroma.repeat(down, 1).repeat(across, 2)[:, :height, :width]
            else:
                chroma = np.full((2, height, width), 128, np.uint8)
            yield to_rgb(luma, chroma, full)

    return Stream((height, width), rate, frames())


def to_rgb(luma: np.ndarray, chroma: np.ndarray, full: bool) -> np.ndarray:
    """RGB float32 `[H, W, 3]` of luma `[H, W]` and chroma `[2, H, W]`, uint8; `full` is of the range."""
    low, light, color = (0, 255, 255) if full else (16, 219, 224)
    planes = [(luma.astype(np.float32) - low) / light, *((chroma.astype(np.float32) - 128) / color)]
    return np.clip(np.stack(planes, -1) @ BT601, 0, 1)


def open_jpegs(file: BinaryIO) -> Stream:
    """Reads Motion JPEG, pictures one after another, whose first two bytes are read; see `open_stream`."""
    frames = jpegs(file)
    first = next(frames)

    def all_frames() -> Generator[np.ndarray]:
        yield first
        yield from frames

    return Stream(first.shape[:2], FPS, all_frames())


def jpegs(file: BinaryIO) -> Generator[np.ndarray]:
    """The pictures of Motion JPEG of one size; the end of each is the beginning of the next."""
    data, shape = JPEG, None
    while data:
        more, end = JPEG, data.find(JPEG_END, 2)
        while more and end < 0 and len(data) <= MOST_JPEG:
            at = max(2, len(data) - 3)
            more = file.read1(CHUNK) if isinstance(file, io.BufferedReader) else file.read(CHUNK)
            data += more
            end = data.find(JPEG_END, at)
        one, data = (data[: end + 2], data[end + 2 :]) if end >= 0 else (data, b"")
        try:
            with Image.open(io.BytesIO(one), formats=("JPEG",)) as picture:
                frame = np.asarray(picture.convert("RGB"), np.float32) / 255
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise JaxstyleError("a picture of the Motion JPEG that comes through the pipe is damaged") from error
        if frame.shape != (shape := shape or frame.shape):
            raise JaxstyleError("the pictures that come through the pipe differ in size: they make no film")
        yield frame


def y4m_writer(file: BinaryIO, shape: tuple[int, int], fps: Fraction) -> Callable[[np.ndarray], None]:
    """Begins to write y4m with a chroma sample a pixel.

    Args:
      file: Where to, such as `sys.stdout.buffer`.
      shape: `(height, width)` of the frames, in pixels.
      fps: Frames a second.

    Returns:
      A function that writes the next frame `[H, W, 3]`, clipped to [0, 1], at once.
    """
    file.write(b"YUV4MPEG2 W%d H%d F%d:%d Ip A1:1 C444\n" % (shape[1], shape[0], fps.numerator, fps.denominator))
    matrix, scale = np.linalg.inv(BT601), np.array([219, 224, 224], np.float32)
    offset = np.array([16, 128, 128], np.float32)

    def add(frame: np.ndarray) -> None:
        planes = np.rint(np.clip(frame, 0, 1) @ matrix * scale + offset).astype(np.uint8)
        file.write(b"FRAME\n" + planes.transpose(2, 0, 1).tobytes())
        file.flush()

    return add
