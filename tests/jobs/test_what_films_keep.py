"""What a stylised film keeps of its source: times, transparency, the shape of its pixels, and when its frames begin."""

import pathlib

import jax
import numpy as np
import pytest
import tiny
from films import needs_ffmpeg, run_ffmpeg
from PIL import Image

from jaxstyle.cli import main
from jaxstyle.inference import apply as applying
from jaxstyle.inference.style_model import StyleModel, save_model
from jaxstyle.media.film_reading import open_film
from jaxstyle.media.image_writing import write_picture
from jaxstyle.models.style_network import StyleNetwork

TIMES = [50, 100, 400, 50]  # milliseconds
RUN = ("--size=32", "--min-size=32", "--iterations=1", "--initial-iterations=1", "--temporal-weight=0")


@pytest.fixture(params=["apply", "stylize"])
def stylise(request, tmp_path, monkeypatch):
    """Each of the commands that make films: source, result and further options -> status."""
    monkeypatch.chdir(tmp_path)
    if request.param == "stylize":
        monkeypatch.setattr("jaxstyle.jobs.films.load_features", lambda config: tiny.features())
        write_picture("style.png", tiny.picture(1, 32, 32))
        layers = ("--style-layers=relu1_1", "--content-layers=relu2_1", "--style-loss=mean-std", "--devices=1")
        return lambda source, output: main(["stylize", source, "style.png", "-o", output, *RUN, *layers])
    monkeypatch.setattr(applying, "AT_ONCE", 1)
    network = StyleNetwork(1, 4, 0)
    params = jax.jit(network.init)(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32), np.ones((1, 1), np.float32))
    save_model("model", StyleModel(network, jax.device_get(params["params"]), ("only",)), np.zeros((8, 8, 3)))
    return lambda source, output: main(["apply", "--model", "model", source, "-o", output, "--devices=1"])


def animation(path):
    """Four frames of 32 × 32 that each last as long as `TIMES` says, a square of them visible."""
    frames = np.zeros((4, 32, 32, 4), np.uint8)
    frames[..., :3] = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3))
    frames[:, 8:24, 8:24, 3] = 255
    frames[:, 8:24, 8:24, 0] = np.arange(4)[:, None, None] * 50
    pictures = [Image.fromarray(frame) for frame in frames]
    kept = {"lossless": True} if path.endswith(".webp") else {"disposal": 2}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=TIMES, loop=0, **kept)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_animations_keep_their_times_and_their_transparency(stylise, suffix):
    animation(f"film{suffix}")
    target = "out.apng" if suffix == ".png" else f"out{suffix}"
    assert stylise(f"film{suffix}", target) == 0
    film = open_film(pathlib.Path(target))
    assert [round(1000 * lasts) for lasts in film.durations] == TIMES
    for _, alpha in film.pictures():
        assert alpha is not None and alpha[16, 16] == 1 and alpha[2, 2] == 0 and 0.2 < alpha.mean() < 0.3


@needs_ffmpeg
def test_pixels_keep_their_shape(stylise, tmp_path):
    run_ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=96x64:rate=10:duration=0.3",
        "-vf",
        "setsar=64/45",
        "-pix_fmt",
        "yuv420p",
        "wide.mp4",
    )
    assert stylise("wide.mp4", "out.mp4") == 0
    film = open_film(tmp_path / "out.mp4")
    assert film.pixel_aspect == open_film(tmp_path / "wide.mp4").pixel_aspect != 1
    assert stylise("wide.mp4", "out.gif") == 0  # whose pixels are square
    height, width = open_film(tmp_path / "out.gif").shape
    assert width / height == pytest.approx(96 * 64 / 45 / 64, rel=0.06)


@needs_ffmpeg
def test_frames_that_begin_late_are_counted_once(stylise, tmp_path):
    source = "testsrc2=size=64x64:rate=10:duration=0.4"
    run_ffmpeg("-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "film.mp4")
    sound = ("-f", "lavfi", "-i", "sine=440:duration=2", "-map", "0:v", "-map", "1:a", "-c:v", "copy")
    run_ffmpeg("-itsoffset", "1", "-i", "film.mp4", *sound, "late.mp4")
    assert stylise("late.mp4", "out.mp4") == 0
    late, film = open_film(tmp_path / "late.mp4"), open_film(tmp_path / "out.mp4")
    assert film.count == late.count == len(list(film.frames())) == 4
    assert film.start == pytest.approx(late.start, abs=0.05) and film.sound == "aac"
