"""Writes H.264 videos by ffmpeg, which gets even frames as raw video, others as raw video in Matroska with times."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.media import ffmpeg
from jaxstyle.media.timing import Clock, Timing, is_even

COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus")  # sound that an .mp4 holds as it is
BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
TICKS = 90_000  # a second, of the times in an .mp4 of uneven frames
MICROSECONDS = 1_000_000


@contextlib.contextmanager
def video_writer(
    path: pathlib.Path,
    shape: tuple[int, int],
    timing: Timing,
    comment: str,
    *,
    sound: tuple[pathlib.Path, str] | None = None,
    start: float = 0.0,
    pixel_aspect: Fraction = Fraction(1),
) -> Iterator[Callable[[np.ndarray], None]]:
    """Writes H.264 that every player plays; odd sides get one more pixel, as 4:2:0 needs, the last again.

    Arguments are those of `film_writing.film_writer`; `comment` is kept in the file. Yields a function that takes the
    next frame `[H, W, 3]` uint8. Raises `JaxstyleError` where ffmpeg fails.
    """
    size = shape[0] + shape[0] % 2, shape[1] + shape[1] % 2
    more = [(0, side % 2) for side in shape] + [(0, 0)]
    command = ["-y", *_options(size, timing, sound, start, pixel_aspect), "-metadata", f"comment={comment}"]
    with ffmpeg.running([*command, ffmpeg.file_url(path)], stdin=subprocess.PIPE) as (process, complaints):
        try:
            write = process.stdin.write
            if not _is_raw(timing, sound, start):
                write = matroska_writer(write, size, timing)
            yield lambda frame: write(np.ascontiguousarray(np.pad(frame, more, mode="edge")).data)
            process.stdin.close()
        except BrokenPipeError:
            process.wait()
        if process.wait():
            raise JaxstyleError(f"ffmpeg failed: {complaints() or process.returncode}")


def _options(
    size: tuple[int, int], timing: Timing, sound: tuple[pathlib.Path, str] | None, start: float, pixel_aspect: Fraction
) -> list[str]:
    """Lists ffmpeg's options but for the comment and the path."""
    square = pixel_aspect == 1
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[1]}x{size[0]}", "-framerate", str(timing)]
    given = [*(raw if _is_raw(timing, sound, start) else ["-f", "matroska"]), "-i", "-"]
    made = ["-vf", f"scale=out_color_matrix=bt709,format=yuv420p{'' if square else f',setsar={pixel_aspect}'}"]
    made += ["-c:v", "libx264"]
    if sound is not None:
        delay = ["-itsoffset", f"{start:.6f}"] if start else []
        given = [*delay, *given, *ffmpeg.source(sound[0]), "-map", "0:v", "-map", "1:a:0"]
        made += ["-c:a", "copy" if sound[1] in COPIED else "aac"]
    if not _is_raw(timing, sound, start):
        made += [*ffmpeg.passthrough(), "-enc_time_base", f"1:{TICKS}", "-video_track_timescale", str(TICKS)]
    if not is_even(timing):
        made += _last_duration(timing)
    return [*given, *made, "-crf", "18", *BT709, "-movflags", "+faststart"]


def _is_raw(timing: Timing, sound: tuple[pathlib.Path, str] | None, start: float) -> bool:
    """Tells whether frames need no times of their own; raw video would also round `start` to whole frames."""
    return is_even(timing) and (sound is None or not start)


def _last_duration(durations: Sequence[Fraction]) -> list[str]:
    """Keeps how long the last frame lasts, for which ffmpeg would take the mean; frames must then be in order."""
    if not ffmpeg.has("bsfs", "setts"):
        return []
    last = round(durations[-1] * TICKS)
    return ["-bf", "0", "-bsf:v", f"setts=duration=if(eq(N\\,{len(durations) - 1})\\,{last}\\,DURATION)"]


def matroska_writer(
    write: Callable[[bytes | memoryview], object], size: tuple[int, int], timing: Timing
) -> Callable[[memoryview], None]:
    """Writes a stream of raw frames with their times, which plain raw video does not have.

    `write` takes the stream's next bytes, the function that is returned those of the next frame, RGB of `size` `(H,
    W)`.

    References:
      RFC 8794, "Extensible Binary Meta Language"; RFC 9559, "Matroska Media Container Format Specification".
    """
    video = element("B0", number(size[1])) + element("BA", number(size[0])) + element("2EB524", b"RGB\x18")
    track = element("D7", number(1)) + element("73C5", number(1)) + element("83", number(1))
    track += element("86", b"V_UNCOMPRESSED") + element("E0", video)
    write(element("1A45DFA3", element("4282", b"matroska")) + bytes.fromhex("18538067") + b"\x01" + 7 * b"\xff")
    write(element("1549A966", element("2AD7B1", number(10**9 // MICROSECONDS))))
    write(element("1654AE6B", element("AE", track)))
    clock, begin = Clock(timing, MICROSECONDS), 0

    def add(frame: memoryview) -> None:
        nonlocal begin
        end = clock.next()
        block, length = b"\x81\0\0\0", element("9B", number(end - begin))  # track 1, at its cluster's time
        block = bytes.fromhex("A1") + size_of(len(block) + frame.nbytes) + block
        group = bytes.fromhex("A0") + size_of(len(length) + len(block) + frame.nbytes) + length + block
        time = element("E7", number(begin))
        write(bytes.fromhex("1F43B675") + size_of(len(time) + len(group) + frame.nbytes) + time + group)
        write(frame)
        begin = end

    return add


def element(identifier: str, data: bytes) -> bytes:
    """Makes an element of EBML; the identifier is hexadecimal."""
    return bytes.fromhex(identifier) + size_of(len(data)) + data


def size_of(length: int) -> bytes:
    """Encodes an element's length, in eight bytes."""
    return (length | 1 << 56).to_bytes(8, "big")


def number(value: int) -> bytes:
    """Encodes an unsigned integer, in eight bytes."""
    return value.to_bytes(8, "big")
