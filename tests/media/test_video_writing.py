"""Videos written by ffmpeg: rate and times, sound, colours, the shape of pixels."""

import os
import subprocess
from fractions import Fraction

import numpy as np
import pytest
import tiny
from films import make_movie, needs_ffmpeg, stand_in

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.film_reading import open_film
from jaxstyle.media.film_writing import film_writer


def film(count=4, height=16, width=24):
    return np.stack([tiny.picture(i, height, width) for i in range(count)])


def write(path, frames, fps=10, **options):
    with film_writer(path, frames.shape[1:3], fps, **options) as add:
        for frame in frames:
            add(frame)


@needs_ffmpeg
def test_an_mp4_keeps_rate_colours_and_sound(tmp_path):
    make_movie(tmp_path / "heard.mp4", "-c:a", "aac", sound=True)
    red = np.broadcast_to(np.array([0.9, 0.1, 0.2], np.float32), (20, 16, 25, 3))
    heard = (tmp_path / "heard.mp4", "aac")
    write(tmp_path / "film.mp4", red, fps=Fraction(30000, 1001), settings={"style": "red"}, sound=heard)
    found = open_film(tmp_path / "film.mp4")
    assert (found.shape, found.fps, found.count, found.sound) == ((16, 26), Fraction(30000, 1001), 20, "aac")
    frame = next(frames := found.frames())
    frames.close()
    np.testing.assert_allclose(frame[2:-2, 2:20].mean((0, 1)), [0.9, 0.1, 0.2], atol=0.02)
    asked = ["ffprobe", "-v", "error", "-show_entries", "format_tags=comment", "-of", "compact"]
    said = subprocess.run([*asked, str(tmp_path / "film.mp4")], capture_output=True, text=True, check=True).stdout
    assert '{"style": "red"}' in said.replace("\\", "")


@needs_ffmpeg
def test_sound_that_an_mp4_cannot_hold_is_encoded(tmp_path):
    make_movie(tmp_path / "heard.mkv", "-c:a", "pcm_s16le", sound=True)
    sound = open_film(tmp_path / "heard.mkv").sound
    assert sound == "pcm_s16le"
    write(tmp_path / "film.mp4", film(), sound=(tmp_path / "heard.mkv", sound))
    assert open_film(tmp_path / "film.mp4").sound == "aac"


@needs_ffmpeg
def test_what_ffmpeg_complains_of_is_told(tmp_path):
    (tmp_path / "none.mp4").write_text("no film")
    with pytest.raises(JaxstyleError, match=r"ffmpeg failed: .*none\.mp4"):
        write(tmp_path / "film.mp4", film(40, 64, 64), sound=(tmp_path / "none.mp4", "aac"))
    assert [path.name for path in tmp_path.iterdir()] == ["none.mp4"]


def test_how_ffmpeg_is_called(tmp_path, monkeypatch):
    """By a stand-in that keeps what it is given, wherever ffmpeg is missing, too."""
    for name, exit_code in (("good", 0), ("bad", 3)):
        (tmp_path / name).mkdir()
        script = f'#!/bin/sh\nfor last; do :; done\ncat > "${{last#file:}}"\necho "$@" >&2\nexit {exit_code}\n'
        (tmp_path / name / "ffmpeg").write_text(script)
        (tmp_path / name / "ffmpeg").chmod(0o755)
    path, before = tmp_path / "a.mp4", os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{tmp_path / 'good'}:{before}")
    write(path, film(), settings={"made": "so"})
    assert path.read_bytes() == np.uint8(np.rint(255 * film())).tobytes()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bad'}:{before}")
    with pytest.raises(JaxstyleError, match=r"ffmpeg failed: .* -s 24x16 -framerate 10 .*comment={.made.: .so.}"):
        write(path, film(), settings={"made": "so"})
    assert sorted(child.name for child in tmp_path.iterdir()) == ["a.mp4", "bad", "good"]


def test_an_odd_side_is_made_even_by_its_last_pixels(tmp_path, monkeypatch):
    stand_in(tmp_path / "ffmpeg", 'for last; do :; done; cat > "${last#file:}"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    frames = film(2, 15, 23)
    write(tmp_path / "a.mp4", frames)
    wanted = np.pad(np.uint8(np.rint(255 * frames)), ((0, 0), (0, 1), (0, 1), (0, 0)), mode="edge")
    assert (tmp_path / "a.mp4").read_bytes() == wanted.tobytes()


@needs_ffmpeg
@pytest.mark.parametrize(("height", "width"), [(16, 24), (15, 23)])
def test_times_of_single_frames_are_kept(tmp_path, height, width):
    lasts = (Fraction(1, 20), Fraction(1, 10), Fraction(2, 5), Fraction(1, 20))
    flat = np.ones((4, height, width, 3), np.float32) * np.array([0.2, 0.4, 0.6, 0.8], np.float32)[:, None, None, None]
    write(tmp_path / "film.mp4", flat, fps=lasts, settings={"made": "so"})
    found = open_film(tmp_path / "film.mp4")
    assert (found.count, found.durations, found.shape) == (4, lasts, (16, 24))
    seen = np.stack(list(found.frames()))[:, 2:14, 2:20]
    np.testing.assert_allclose(seen, np.broadcast_to(flat[:, :1, :1], seen.shape), atol=0.02)  # 4:2:0, of 8 bits


@needs_ffmpeg
@pytest.mark.parametrize("fps", [10, (Fraction(1, 10), Fraction(3, 10), Fraction(1, 10), Fraction(1, 10))])
def test_sound_may_begin_before_the_first_frame(tmp_path, fps):
    make_movie(tmp_path / "heard.mp4", "-c:a", "aac", sound=True)
    write(tmp_path / "film.mp4", film(), fps=fps, sound=(tmp_path / "heard.mp4", "aac"), start=0.25)
    found = open_film(tmp_path / "film.mp4")
    assert found.count == 4 and found.start == pytest.approx(0.25, abs=0.001)  # an .mp4 places tracks to a thousandth
    assert found.timing == fps


@needs_ffmpeg
@pytest.mark.parametrize("fps", [10, (Fraction(1, 10), Fraction(3, 10), Fraction(1, 10), Fraction(1, 10))])
def test_the_shape_of_pixels_is_kept(tmp_path, fps):
    write(tmp_path / "film.mp4", film(), fps=fps, pixel_aspect=Fraction(64, 45))
    found = open_film(tmp_path / "film.mp4")
    assert (found.pixel_aspect, found.shape) == (Fraction(64, 45), (16, 24))


@needs_ffmpeg
def test_what_is_transparent_becomes_white(tmp_path):
    frames = np.zeros((3, 16, 24, 4), np.float32)
    frames[:, :, 12:, 3] = 1
    write(tmp_path / "film.mp4", frames)
    seen = open_film(tmp_path / "film.mp4").frames()
    first = next(seen)
    seen.close()
    assert first[:, :10].min() > 0.95 and first[:, 14:].max() < 0.05


def test_an_older_ffmpeg_is_asked_in_its_words(tmp_path, monkeypatch):
    """One that knows neither `-fps_mode` nor the filter that sets how long the last frame lasts."""
    stand_in(tmp_path / "ffmpeg", 'case "$*" in *hide_banner*) echo -vsync; exit;; esac; echo "$@" >&2; exit 3')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(JaxstyleError, match=r"-f matroska .*-vsync passthrough") as caught:
        write(tmp_path / "a.mp4", film(2), fps=(Fraction(1, 10), Fraction(1, 5)))
    assert "setts" not in str(caught.value)
