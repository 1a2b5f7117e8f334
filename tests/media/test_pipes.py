"""Films through a pipe: y4m and Motion JPEG against Pillow and ffmpeg, and what is none."""

import io
import shutil
import subprocess
from fractions import Fraction

import numpy as np
import pytest
import tiny
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.pipes import open_stream, y4m_writer

FRAMES = [tiny.picture(seed, 18, 26) for seed in range(3)]


def written(frames, fps=Fraction(30)):
    file = io.BytesIO()
    add = y4m_writer(file, frames[0].shape[:2], fps)
    for frame in frames:
        add(frame)
    return file.getvalue()


def encoded(frame):
    file = io.BytesIO()
    Image.fromarray(np.uint8(255 * frame)).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def test_y4m_comes_back():
    stream = open_stream(io.BytesIO(written(FRAMES)))
    assert stream.shape == (18, 26) and stream.fps == 30
    found = list(stream.frames)
    assert len(found) == 3
    for one, frame in zip(found, FRAMES, strict=True):
        np.testing.assert_allclose(one, frame, atol=0.012)  # half a step of luma and of each chroma difference


@pytest.mark.parametrize("kind", ["420jpeg", "422", "444", "mono", ""])
def test_subsampled_y4m_is_as_pillow_converts_it(kind):
    """A flat colour, for which no kind loses anything but mono: by BT.601, as JPEG has it, in full range."""
    pixels = Image.fromarray(np.full((7, 9, 3), (200, 120, 60), np.uint8)).convert("YCbCr")
    luma, *chroma = (np.asarray(plane) for plane in pixels.split())
    down, across = {"422": (1, 2), "444": (1, 1)}.get(kind, (2, 2))
    parts = [] if kind == "mono" else [plane[::down, ::across] for plane in chroma]
    head = f"YUV4MPEG2 W9 H7 F0:0 {'C' + kind if kind else ''} XCOLORRANGE=FULL\nFRAME\n".encode()
    stream = open_stream(io.BytesIO(head + b"".join(plane.tobytes() for plane in (luma, *parts))))
    (frame,) = stream.frames
    expected = np.repeat(luma[..., None], 3, -1) if kind == "mono" else [[[200, 120, 60]]]
    np.testing.assert_allclose(255 * frame, np.broadcast_to(expected, (7, 9, 3)), atol=1.5)
    assert stream.fps == 25


def test_motion_jpeg_is_as_pillow_decodes_it():
    pictures = [encoded(frame) for frame in FRAMES]
    stream = open_stream(io.BytesIO(b"".join(pictures)))
    assert stream.shape == (18, 26)
    for frame, data in zip(stream.frames, pictures, strict=True):
        np.testing.assert_allclose(255 * frame, np.asarray(Image.open(io.BytesIO(data))), atol=1e-4)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_ffmpeg_reads_and_writes_the_same():
    def piped(data, *words):
        done = subprocess.run(["ffmpeg", "-v", "error", "-i", "-", *words, "-"], input=data, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    data = written(FRAMES)
    seen = np.frombuffer(piped(data, "-f", "rawvideo", "-pix_fmt", "rgb24"), np.uint8).reshape(3, 18, 26, 3)
    np.testing.assert_allclose(seen / 255, FRAMES, atol=0.02)
    for words in (("-f", "yuv4mpegpipe", "-pix_fmt", "yuv444p"), ("-f", "mjpeg", "-q:v", "1", "-pix_fmt", "yuvj444p")):
        found = np.stack(list(open_stream(io.BytesIO(piped(data, *words))).frames))
        assert np.abs(found - FRAMES).mean() < 0.02


def test_what_is_no_film_is_one_sentence():
    y4m = written(FRAMES)
    for data, message in (
        (b"", "nothing comes through the pipe"),
        (b"RIFF", "neither y4m nor Motion JPEG comes through the pipe"),
        (b"YUV4MPEG2 W0 H2\n", "no header that can be read"),
        (b"YUV4MPEG2 W99999999 H2\n", "no header that can be read"),
        (b"YUV4MPEG2 W4 H4 C420p10\n", "C420p10 is not read"),
        (y4m[:-5], "cut short or damaged"),
        (y4m.replace(b"FRAME", b"FRONT"), "cut short or damaged"),
        (b"\xff\xd8abc", "is damaged"),
        (encoded(FRAMES[0]) + encoded(FRAMES[0][:9]), "differ in size"),
    ):
        with pytest.raises(JaxstyleError, match=message):
            list(open_stream(io.BytesIO(data)).frames)
