"""Films frame by frame: what is looked through, in which order, and frames that are damaged."""

import re
import shutil
import struct
import subprocess
from fractions import Fraction

import numpy as np
import pytest
from films import damaged, make_movie, noise
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media import ffmpeg
from jaxstyle.media.film_reading import check_bad_frames, is_film, open_film, read_film
from jaxstyle.media.film_writing import write_frames
from jaxstyle.media.paths import frame_paths

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@pytest.mark.parametrize(
    ("kind", "good", "sentence"),
    [("code", [0, 1, 3, 4], "frame 3 of .* cannot be read"), ("cut", [0, 1, 2], "frame 4 of .* and what follows")],
)
def test_a_damaged_frame_is_named_and_the_others_are_read(tmp_path, kind, good, sentence):
    path = tmp_path / "film.gif"
    write_frames(path, noise(), fps=10)
    whole = read_film(path)
    path.write_bytes(damaged(path.read_bytes(), kind))
    film = open_film(path)
    assert (film.count, film.shape, film.fps) == (len(good), (16, 24), 10)
    np.testing.assert_array_equal(np.stack(list(film.frames())), whole[good])
    film.check("skip")
    assert is_film(path)
    with pytest.raises(JaxstyleError, match=f"{sentence}.*; --bad-frames skip goes on without"):
        film.check("stop")
    with pytest.raises(JaxstyleError, match=sentence):
        read_film(path)


def test_a_folder_is_in_the_order_of_its_numbers(tmp_path):
    for number in (2, 10, 1):
        Image.new("RGB", (20, 16), (number, 0, 0)).save(tmp_path / f"frame{number}.png")
    (tmp_path / ".hidden.png").write_text("no picture")
    (tmp_path / "notes.txt").write_text("no picture")
    assert [path.name for path in frame_paths(tmp_path)] == ["frame1.png", "frame2.png", "frame10.png"]
    film = open_film(tmp_path)
    assert (film.count, film.shape, film.fps, film.bad) == (3, (16, 20), None, ())
    np.testing.assert_allclose([frame[0, 0, 0] * 255 for frame in film.frames()], [1, 2, 10], atol=1e-4)
    (tmp_path / "frame2.png").write_text("no picture")
    film = open_film(tmp_path)
    assert film.count == len(list(film.frames())) == 2 and "frame2.png" in film.bad[0]


def test_what_is_a_film(tmp_path):
    write_frames(tmp_path / "moving.gif", noise(2), fps=8)
    write_frames(tmp_path / "still.gif", noise(1), fps=8)
    first, second = (Image.fromarray(np.uint8(255 * frame)) for frame in noise(2))
    first.save(tmp_path / "moving.png", save_all=True, append_images=[second], duration=40)
    first.save(tmp_path / "still.png")
    (tmp_path / "text.gif").write_text("hello")
    found = [path.name for path in sorted(tmp_path.iterdir()) if is_film(path)]
    assert found == ["moving.gif", "moving.png"] and is_film(tmp_path / "a.MP4")
    apng = open_film(tmp_path / "moving.png")
    assert (apng.count, apng.fps) == (2, 25)
    np.testing.assert_allclose(np.stack(list(apng.frames())), noise(2), atol=1 / 255)


def test_the_choice_is_told():
    with pytest.raises(JaxstyleError, match="--bad-frames 'skp' is unknown; did you mean 'skip'"):
        check_bad_frames("skp")


@needs_ffmpeg
def test_a_movie_keeps_its_rate_and_tells_of_its_sound(tmp_path):
    make_movie(tmp_path / "a.mp4", "-c:a", "aac", sound=True)
    film = open_film(tmp_path / "a.mp4")
    assert (film.count, film.shape, film.fps, film.bad) == (30, (48, 64), Fraction(30000, 1001), ())
    assert film.sound == "aac" and len(list(film.frames())) == 30


@needs_ffmpeg
def test_a_movie_turned_by_its_player_is_upright(tmp_path):
    make_movie(tmp_path / "a.mp4")
    turned = ["ffmpeg", "-loglevel", "error", "-i", str(tmp_path / "a.mp4"), "-c", "copy"]
    subprocess.run([*turned, "-metadata:s:v:0", "rotate=90", str(tmp_path / "b.mp4")], check=True)
    film = open_film(tmp_path / "b.mp4")
    shapes = {frame.shape[:2] for frame in film.frames()}
    assert shapes == {film.shape}


@needs_ffmpeg
def test_damaged_frames_of_a_movie_are_named_by_their_time(tmp_path):
    path = tmp_path / "a.mp4"
    make_movie(path, "-x264-params", "keyint=30:bframes=0")
    data = bytearray(path.read_bytes())
    start = data.find(b"mdat") + 4
    size = struct.unpack(">I", data[start - 8 : start - 4])[0] - 8
    middle = start + 2 * size // 3
    data[middle : middle + 100] = bytes([255] * 100)  # several frames, and where they end
    path.write_bytes(data)
    film = open_film(path)
    assert 1 <= len(film.bad) <= 10 and film.count == 30
    for problem in film.bad:
        time = float(re.fullmatch(r"the frame (.*) seconds into '.*a.mp4' is damaged", problem)[1])
        assert 0.2 < time < 0.95
    assert len(list(film.frames())) == 30  # where one is bad, the one before lasts


@needs_ffmpeg
def test_reading_may_stop_before_the_end(tmp_path):
    make_movie(tmp_path / "a.mp4")
    frames = open_film(tmp_path / "a.mp4").frames()
    next(frames)
    frames.close()  # ends ffmpeg; a process or pipe left would be a warning, which is an error here


def test_rates_as_ffprobe_writes_them():
    assert ffmpeg.frame_rate("30000/1001") == Fraction(30000, 1001) and ffmpeg.frame_rate("0/0") is None
    assert ffmpeg.seconds("N/A") == 0 and ffmpeg.seconds("0.033367") == 0.033367
