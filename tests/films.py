"""Films for tests: of noise, damaged, or made by ffmpeg."""

import shutil
import subprocess

import numpy as np
import pytest

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def noise(count=5):
    """Frames that no codec makes small, so that bytes can be found in them."""
    return np.random.default_rng(0).random((count, 16, 24, 3)).astype(np.float32)


def gif_places(data):
    """Where the frames of a GIF of ours begin."""
    return [i for i in range(len(data)) if data[i : i + 4] == b"!\xf9\x04\x04"]


def damaged(data, kind):
    """The bytes of a GIF whose third frame is damaged, or which is cut short in its fourth."""
    places = gif_places(data)
    if kind == "cut":
        return data[: places[3] + 400]
    width = places[2] + 8 + 10 + 3 * 256  # of the codes: behind delay, descriptor and colours
    assert data[width] == 8
    return data[:width] + b"\x0d" + data[width + 1 :]


def make_movie(path, *options, size="64x48", sound=False):
    """Thirty frames by ffmpeg itself."""
    source = f"testsrc=size={size}:rate=30000/1001:duration=1.001"
    heard = ("-f", "lavfi", "-i", "sine=440:duration=1") if sound else ()
    run_ffmpeg("-f", "lavfi", "-i", source, *heard, *options, path)


def run_ffmpeg(*arguments, given=None):
    """ffmpeg itself, with bytes at its standard input."""
    command = ["ffmpeg", "-loglevel", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, input=given, capture_output=True).stdout


def stand_in(path, script):
    """A program of its own in the place of another."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
