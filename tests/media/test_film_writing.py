"""Films written frame by frame: what the file holds, and that it is there whole or not at all."""

import numpy as np
import pytest
import tiny
from films import needs_ffmpeg
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media import ffmpeg
from jaxstyle.media.animation_writing import gif_blocks
from jaxstyle.media.film_reading import open_film
from jaxstyle.media.film_writing import check_film, film_writer
from jaxstyle.media.image_reading import read_settings


def film(count=4, height=16, width=24):
    return np.stack([tiny.picture(i, height, width) for i in range(count)])


def write(path, frames, fps=10, **options):
    with film_writer(path, frames.shape[1:3], fps, **options) as add:
        for frame in frames:
            add(frame)


def test_a_gif_is_what_pillow_would_have_written(tmp_path):
    frames = film()
    write(tmp_path / "film.gif", frames, fps=30, settings={"style": "x" * 400})
    with Image.open(tmp_path / "film.gif") as found:
        assert found.info["comment"] == b'{"style": "' + b"x" * 400 + b'"}' and found.info["loop"] == 0
        lasts = []
        for index, frame in enumerate(frames):
            found.seek(index)
            lasts.append(found.info["duration"])
            wanted = Image.fromarray(np.uint8(np.rint(255 * frame))).quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
            np.testing.assert_array_equal(found.convert("RGB"), wanted.convert("RGB"))
        assert found.n_frames == 4
    assert lasts == [30, 40, 30, 30]  # 30 a second: 3⅓ hundredths each


def test_a_gif_takes_as_long_as_its_film_however_fast_that_is(tmp_path):
    write(tmp_path / "film.gif", film(60), fps=60)
    with Image.open(tmp_path / "film.gif") as found:
        lasts = [found.seek(index) or found.info["duration"] for index in range(found.n_frames)]
    assert sum(lasts) == 1000 and set(lasts) == {20, 30}
    write(tmp_path / "one.gif", film(1), fps=120)
    assert len(list(open_film(tmp_path / "one.gif").frames())) == 1


def test_few_colours_make_small_tables(tmp_path):
    flat = np.zeros((2, 16, 16, 3), np.float32)
    flat[1, :8] = 1
    write(tmp_path / "film.gif", flat)
    np.testing.assert_array_equal(np.stack(list(open_film(tmp_path / "film.gif").frames())), flat)


def test_numbered_frames_keep_their_bits_and_settings(tmp_path):
    frames = film(3)
    write(tmp_path / "f%03d.png", frames, bits=16, settings={"a": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f000.png", "f001.png", "f002.png"]
    assert read_settings(tmp_path / "f001.png") == {"a": 1}
    assert (tmp_path / "f001.png").read_bytes()[24] == 16  # bits a channel, in PNG's header


@pytest.mark.parametrize("name", ["film.gif", pytest.param("film.mp4", marks=needs_ffmpeg)])
@pytest.mark.parametrize("reason", [KeyboardInterrupt, ValueError])
def test_nothing_half_written_is_left(tmp_path, name, reason):
    (tmp_path / name).write_bytes(b"older")
    with pytest.raises(reason), film_writer(tmp_path / name, (16, 24), 10) as add:
        add(film()[0])
        raise reason
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"older"


@pytest.mark.parametrize(
    ("name", "bits", "sentence"),
    [
        (
            "film.avi",
            8,
            "a film goes into a folder, a file ending in .gif, .apng, .webp or .mp4, or numbered frames such as",
        ),
        ("film.gif", 16, "'film.gif' cannot hold 16 bits a channel"),
        ("none/film.gif", 8, "output folder '.*none' does not exist"),
        ("%d/a.gif", 8, "output folder '.*%d' does not exist"),
        ("%4d.png", 8, "is no name of numbered frames"),
        (
            "%s.png",
            8,
            "a film goes into a folder, a file ending in .gif, .apng, .webp or .mp4, or numbered frames such as",
        ),
        ("%d-%d.png", 8, "is no name of numbered frames"),
        ("%d.txt", 8, "must end in one of .png"),
        ("%d.jpg", 16, "cannot hold 16 bits"),
    ],
)
def test_names_that_cannot_be_are_told(tmp_path, name, bits, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        check_film(tmp_path / name, bits)
    assert not list(tmp_path.iterdir())


def test_a_movie_without_ffmpeg_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda _: None)
    with pytest.raises(JaxstyleError, match=r"'film\.mp4' needs ffmpeg, which is not installed: install it, or use a"):
        check_film(tmp_path / "film.mp4")


@pytest.mark.parametrize("size", [0, 1, 255, 256, 600])
def test_blocks(size):
    data, at, found = gif_blocks((bytes(range(256)) * 3)[:size]), 0, b""
    while at < len(data):
        found, at = found + data[at + 1 : at + 1 + data[at]], at + 1 + data[at]
    assert found == (bytes(range(256)) * 3)[:size]
