"""Reads videos by ffmpeg: their properties by one scan, then their frames as they are stored."""

from __future__ import annotations

import io
import pathlib
import subprocess
from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media import ffmpeg, timing

HD = (1280, 720)  # pixels a side from which an untagged video is BT.709, as players have it, and not BT.601
HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
TONE_MAPPING = (  # to a display of 100 cd/m², after Hable; the peak is 1000 cd/m²
    "zscale={given}t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=gbr:r=pc,"
    "format=gbrp"
)
GAMUT_MAPPING = "zscale={given}p=bt709:t=bt709:m=gbr:r=pc,format=gbrp"


class Video(NamedTuple):
    """Properties of a video.

    Attributes:
      shape: `(height, width)` of the frames, turned upright, in pixels.
      transparent: Whether frames have an alpha channel.
      pixel_aspect: Width of a pixel over its height.
      fps: Frames a second, on average.
      times: Seconds at which the frames that can be decoded are shown, from the beginning of the file.
      durations: Seconds that each of these lasts; None where `fps` tells.
      bad: Sentences about the frames that cannot be decoded.
      sound: Codec of the sound, or None.
      filters: ffmpeg's filters that make the colours those of BT.709.
      notes: Sentences about what is not as it should be.
    """

    shape: tuple[int, int]
    transparent: bool
    pixel_aspect: Fraction
    fps: Fraction
    times: tuple[float, ...]
    durations: tuple[Fraction, ...] | None
    bad: tuple[str, ...]
    sound: str | None
    filters: tuple[str, ...]
    notes: tuple[str, ...]


def inspect(path: pathlib.Path) -> Video:
    """Scans a whole video, decoding it once; raises `JaxstyleError` where no frame can be decoded."""
    wanted = (
        "format=start_time:stream=avg_frame_rate,r_frame_rate,start_time,duration,width,height,pix_fmt,color_space,"
        "color_transfer,color_primaries:packet=pts_time,duration_time,flags:frame=best_effort_timestamp_time"
    )
    rows, problems = ffmpeg.probe(path, "-select_streams", "v:0", *ffmpeg.STRICT, "-show_entries", wanted)
    stream = next((row for row in rows if "avg_frame_rate" in row), None)
    stamps = [parse_seconds(row, "best_effort_timestamp_time") for row in rows if row[""] == "frame"]
    if stream is None or not stamps:
        raise JaxstyleError(
            f"ffmpeg failed: {str(path)!r} has no frame that can be read; {problems or 'is it a film?'}"
        )
    packets = [row for row in rows if row[""] == "packet" and "D" not in row.get("flags", "")]
    begin = next((parse_seconds(row, "start_time") for row in rows if row[""] == "format"), None) or 0.0
    filters, notes = color_filters(path, stream)
    with Image.open(io.BytesIO(first_frame(path))) as first:
        across, down = first.info.get("aspect", (0, 0))  # turned with the frame, unlike ffprobe's; 0 is not told
        return Video(
            (first.size[1], first.size[0]),
            first.mode in ("RGBA", "LA"),
            Fraction(across, down) if across and down else Fraction(1),
            *frame_times(stamps, stream, packets[-1] if packets else {}, begin),
            bad_frames(path, packets, stamps) if problems else (),
            sound_codec(path),
            filters,
            notes,
        )


def frame_times(
    stamps: list[float | None], stream: Mapping[str, str], last: Mapping[str, str], begin: float
) -> tuple[Fraction, tuple[float, ...], tuple[Fraction, ...] | None]:
    """Computes when frames are shown, and whether evenly: `fps`, `times` and `durations` of `Video`.

    `stamps` are the seconds at which frames are shown, where they are told; `stream` and `last` are properties of the
    video and of its last packet, as ffprobe names them; the file begins at `begin` seconds.
    """
    told = [rate for name in ("avg_frame_rate", "r_frame_rate") if (rate := parse_rate(stream[name]))] or [Fraction(25)]
    times = complete_times(stamps, told[0])
    fps = timing.even_rate(times, told)
    since = tuple(max(0.0, time - begin) for time in times)
    if fps:
        return fps, since, None
    end = (parse_seconds(stream, "start_time") or 0.0) + (parse_seconds(stream, "duration") or 0.0)
    lasts = parse_seconds(last, "duration_time") or max(end - times[-1], 0.0) or 1 / float(told[0])
    return told[0], since, timing.durations(times, lasts)


def bad_frames(
    path: pathlib.Path, packets: Sequence[Mapping[str, str]], stamps: Sequence[float | None]
) -> tuple[str, ...]:
    """Names the stored frames that were not decoded, by their times or, where AVI tells none, by their number."""
    stored = {at for row in packets if (at := parse_seconds(row, "pts_time")) is not None}
    missing = sorted(stored.difference(stamps))
    if missing or len(packets) <= len(stamps):
        return tuple(f"the frame {at:.3f} seconds into {str(path)!r} is damaged" for at in missing)
    return (f"{len(packets) - len(stamps)} of the {len(packets)} frames of {str(path)!r} are damaged",)


def sound_codec(path: pathlib.Path) -> str | None:
    """Returns the codec of a video's sound, or None."""
    rows, _ = ffmpeg.probe(path, "-select_streams", "a:0", "-show_entries", "stream=codec_name")
    return next((row["codec_name"] for row in rows if "codec_name" in row), None)


def parse_seconds(row: Mapping[str, str], name: str) -> float | None:
    """Parses a time that ffprobe gives, to microseconds; None where it is not told."""
    text = row.get(name, "N/A")
    return None if text == "N/A" else round(float(text), 6)


def parse_rate(text: str) -> Fraction | None:
    """Parses `30000/1001`; None for `0/0`."""
    top, _, below = text.partition("/")
    return Fraction(int(top), int(below)) if int(top) and int(below) else None


def complete_times(stamps: list[float | None], fps: Fraction) -> list[float]:
    """Completes the times of frames: one that is not told, or not after the one before, is a frame's time after it."""
    times: list[float] = []
    for stamp in stamps:
        after = times[-1] + 1 / float(fps) if times else 0.0
        times.append(after if stamp is None or (times and stamp <= times[-1]) else stamp)
    return times


def color_filters(path: pathlib.Path, stream: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Chooses the filters that make a video's colours those of BT.709, and says in sentences where that cannot be.

    `stream` has the video's properties, as ffprobe names them.
    """
    matrix, transfer, primaries = (stream.get(f"color_{part}", "") for part in ("space", "transfer", "primaries"))
    if transfer in HDR or primaries == "bt2020":
        kind = f"HDR ({HDR[transfer]})" if transfer in HDR else "in the colours of BT.2020"
        lacking = [name for name in ("zscale", "tonemap") if not ffmpeg.has("filters", name)]
        if lacking:
            note = f"{str(path)!r} is {kind} and is read without tone mapping: this ffmpeg has no filter {lacking[0]!r}"
            return (), (note,)
        guesses = {"t": (transfer, "bt709"), "p": (primaries, "bt2020"), "m": (matrix, "2020_ncl")}
        given = "".join(f"{name}in={guess}:" for name, (told, guess) in guesses.items() if told in ("", "unknown"))
        return ((TONE_MAPPING if transfer in HDR else GAMUT_MAPPING).format(given=given),), ()
    size = int(stream.get("width", 0)), int(stream.get("height", 0))
    is_yuv = stream.get("pix_fmt", "").startswith(("yuv", "nv", "p0", "uyvy", "yuyv"))
    if matrix in ("", "unknown") and is_yuv and (size[0] >= HD[0] or size[1] >= HD[1]):
        return ("scale=in_color_matrix=bt709",), ()
    return (), ()


def first_frame(path: pathlib.Path) -> bytes:
    """Decodes the first frame of a video as a PNG file, turned upright; raises `JaxstyleError` where ffmpeg fails."""
    command = ["ffmpeg", *ffmpeg.QUIET, *ffmpeg.STRICT, *ffmpeg.source(path), "-map", "0:v:0", "-frames:v", "1"]
    done = subprocess.run([*command, "-f", "image2pipe", "-c:v", "png", "-"], capture_output=True, check=False)
    if done.returncode or not done.stdout:
        raise JaxstyleError(f"ffmpeg failed: {' '.join(done.stderr.decode(errors='replace').split())}")
    return done.stdout


def decode(
    path: pathlib.Path, shape: tuple[int, int], channels: int = 3, filters: tuple[str, ...] = ()
) -> Generator[np.ndarray]:
    """Decodes the frames of a video one by one, each once, whatever its time; yields `[H, W, channels]` uint8.

    `shape` is that of the frames after ffmpeg's `filters`, in pixels; the 4th channel is alpha. Raises `JaxstyleError`
    where ffmpeg fails.
    """
    size = channels * shape[0] * shape[1]
    made = ["-map", "0:v:0", *ffmpeg.passthrough(), *(("-vf", ",".join(filters)) if filters else ())]
    made += ["-f", "rawvideo", "-pix_fmt", "rgb24" if channels == 3 else "rgba", "-"]
    count, given = 0, [*ffmpeg.STRICT, *ffmpeg.source(path)]
    with ffmpeg.running([*given, *made], stdout=subprocess.PIPE) as (process, complaints):
        while len(data := process.stdout.read(size)) == size:
            count += 1
            yield np.frombuffer(data, np.uint8).reshape(*shape, channels)
        if process.wait() or data or not count:
            raise JaxstyleError(f"ffmpeg failed after {count} frames: {complaints() or 'a frame was cut short'}")
