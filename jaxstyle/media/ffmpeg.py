"""ffmpeg as a process: asked what a film is, for its frames, and to write one."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from jaxstyle.errors import JaxstyleError

QUIET = ("-v", "error", "-nostdin")
STRICT = ("-err_detect", "explode")  # a damaged frame is left out, not guessed at
COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus")  # sound that an .mp4 holds as it is
BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")


class Movie(NamedTuple):
    """What ffmpeg says of a film.

    Attributes:
      fps: Frames a second; of a film of no even rate, on average.
      count: Frames that it gives at that rate.
      bad: Times in seconds of the frames that are stored and cannot be decoded.
      sound: The codec of its sound, or None.
    """

    fps: Fraction
    count: int  # type: ignore[assignment]  # shadows tuple.count on purpose
    bad: tuple[float, ...]
    sound: str | None


def check_installed(name: str) -> None:
    """Raises `JaxstyleError` where the film of that name cannot be read or written for want of ffmpeg."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        raise JaxstyleError(
            f"{name!r} needs ffmpeg, which is not installed: install it, or use a .gif or a folder of numbered frames"
        )


def inspect(path: pathlib.Path) -> Movie:
    """Looks through a whole film, decoding it once.

    Raises:
      JaxstyleError: It is none.
    """
    wanted = "stream=avg_frame_rate,r_frame_rate:packet=pts_time,flags:frame=best_effort_timestamp_time"
    said, problems = ask(path, "-select_streams", "v:0", *STRICT, "-show_entries", wanted)
    rows = [entries(line) for line in said.splitlines()]
    rate = next((row for row in rows if "avg_frame_rate" in row), None)
    frames = sorted({seconds(row["best_effort_timestamp_time"]) for row in rows if "best_effort_timestamp_time" in row})
    if rate is None or not frames:
        raise JaxstyleError(
            f"ffmpeg failed: {str(path)!r} has no frame that can be read; {problems or 'is it a film?'}"
        )
    stored = {seconds(row["pts_time"]) for row in rows if "pts_time" in row and "D" not in row.get("flags", "")}
    bad = sorted(stored - set(frames)) if problems else []
    fps = frame_rate(rate["avg_frame_rate"]) or frame_rate(rate["r_frame_rate"]) or Fraction(25)
    count = max(1, round((frames[-1] - frames[0]) * float(fps)) + 1)
    sound, _ = ask(path, "-select_streams", "a:0", "-show_entries", "stream=codec_name")
    return Movie(fps, count, tuple(bad), entries(sound).get("codec_name"))


def ask(path: pathlib.Path, *arguments: str) -> tuple[str, str]:
    """What ffprobe answers, in lines `section|name=value|…`, and what it complains of."""
    command = ["ffprobe", "-v", "error", *arguments, "-of", "compact", local(path)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return done.stdout.strip(), " ".join(done.stderr.split())


def local(path: pathlib.Path) -> str:
    """A path that is not taken for an option or a protocol."""
    return f"file:{path}"


def entries(line: str) -> dict[str, str]:
    """The values that a line of `ask` names."""
    pairs = (part.partition("=") for part in line.split("|"))
    return {name: value for name, equals, value in pairs if equals}


def seconds(text: str) -> float:
    """A time, to microseconds; 0 where it is not told."""
    return 0.0 if text == "N/A" else round(float(text), 6)


def frame_rate(text: str) -> Fraction | None:
    """`30000/1001` as a number, or None for `0/0`."""
    top, _, below = text.partition("/")
    return Fraction(int(top), int(below)) if int(top) and int(below) else None


def frames(path: pathlib.Path, shape: tuple[int, int], fps: Fraction) -> Iterator[np.ndarray]:
    """The frames of a film as ffmpeg decodes them, one by one, evenly timed; where one is bad, the one before lasts.

    Args:
      path: Of the film.
      shape: Its height and width, in pixels.
      fps: Frames a second.

    Yields:
      `[H, W, 3]` uint8.

    Raises:
      JaxstyleError: ffmpeg fails.
    """
    height, width = shape
    size = 3 * height * width
    where = ("-map", "0:v:0", "-vf", f"fps={fps}", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    count = 0
    with running([*STRICT, "-i", local(path), *where], stdout=subprocess.PIPE) as (process, complaints):
        while len(data := process.stdout.read(size)) == size:
            count += 1
            yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
        if process.wait() or data or not count:
            raise JaxstyleError(f"ffmpeg failed after {count} frames: {complaints() or 'a frame was cut short'}")


def first_frame(path: pathlib.Path) -> bytes:
    """The first frame of a film as a PNG file, turned upright.

    Raises:
      JaxstyleError: ffmpeg fails.
    """
    command = ["ffmpeg", *QUIET, *STRICT, "-i", local(path), "-map", "0:v:0", "-frames:v", "1"]
    done = subprocess.run([*command, "-f", "image2pipe", "-c:v", "png", "-"], capture_output=True, check=False)
    if done.returncode or not done.stdout:
        raise JaxstyleError(f"ffmpeg failed: {' '.join(done.stderr.decode(errors='replace').split())}")
    return done.stdout


@contextlib.contextmanager
def encoder(
    path: pathlib.Path, shape: tuple[int, int], fps: Fraction, comment: str, sound: tuple[pathlib.Path, str] | None
) -> Iterator[Callable[[np.ndarray], None]]:
    """Writes H.264 that every player plays; odd sides get one more pixel, as 4:2:0 needs, the last again.

    Args:
      path: Ends in .mp4.
      shape: Height and width of the frames, in pixels.
      fps: Frames a second.
      comment: Kept in the file.
      sound: A film whose sound this one gets, and the sound's codec; or None.

    Yields:
      A function that takes the next frame `[H, W, 3]` uint8.

    Raises:
      JaxstyleError: ffmpeg fails.
    """
    more = [(0, side % 2) for side in shape] + [(0, 0)]
    size = f"{shape[1] + shape[1] % 2}x{shape[0] + shape[0] % 2}"
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-framerate", str(fps), "-i", "-"]
    made = ["-vf", "scale=out_color_matrix=bt709,format=yuv420p", "-c:v", "libx264"]
    if sound is not None:
        given += ["-i", local(sound[0]), "-map", "0:v", "-map", "1:a:0"]
        made += ["-c:a", "copy" if sound[1] in COPIED else "aac"]
    about = ["-crf", "18", *BT709, "-movflags", "+faststart", "-metadata", f"comment={comment}"]
    command = ["-y", *given, *made, *about, local(path)]
    with running(command, stdin=subprocess.PIPE) as (process, complaints):
        try:
            yield lambda frame: process.stdin.write(np.ascontiguousarray(np.pad(frame, more, mode="edge")).data)
            process.stdin.close()
        except BrokenPipeError:
            process.wait()
        if process.wait():
            raise JaxstyleError(f"ffmpeg failed: {complaints() or process.returncode}")


@contextlib.contextmanager
def running(arguments: list[str], **pipes: Any) -> Iterator[tuple[Any, Callable[[], str]]]:
    """ffmpeg under way, and what it has complained of; it ends with the block, and Ctrl-C does not reach it."""
    quiet = QUIET if "stdin" not in pipes else QUIET[:2]
    with tempfile.TemporaryFile() as said:

        def complaints() -> str:
            said.seek(0)
            return " ".join(said.read().decode(errors="replace").split())

        process = subprocess.Popen(["ffmpeg", *quiet, *arguments], stderr=said, start_new_session=True, **pipes)
        try:
            yield process, complaints
        finally:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    if pipe is not None:
                        pipe.close()
            process.wait()
