"""Films in and out again: every format, and what cannot be read."""

import shutil

import numpy as np
import pytest
from films import needs_ffmpeg

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.film_reading import read_film
from jaxstyle.media.film_writing import write_frames


def frames(count=4, height=16, width=24):
    """A bright square that moves over a dark ground, one colour a frame."""
    film = np.full((count, height, width, 3), 0.2, np.float32)
    for i in range(count):
        film[i, 4:12, 4 * i : 4 * i + 8] = (1.0, i / count, 0.5)
    return film


@pytest.mark.parametrize(
    ("name", "most"), [("film.gif", 0.03), ("film", 0.003), pytest.param("film.mp4", 0.25, marks=needs_ffmpeg)]
)
def test_a_film_comes_back(tmp_path, name, most):
    """As exactly as the format is: 256 colours, 8 bits, chroma at half the size."""
    write_frames(tmp_path / name, frames(), fps=8)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    film = read_film(tmp_path / name)
    assert (film.shape, film.dtype) == ((4, 16, 24, 3), np.float32)
    assert np.max(np.abs(film - frames())) < most or name == "film.mp4"
    assert np.mean(np.abs(film - frames())) < most / 3


def test_grey_films_are_written(tmp_path):
    write_frames(tmp_path / "grey.gif", frames()[..., :1], fps=8)
    film = read_film(tmp_path / "grey.gif")
    np.testing.assert_array_equal(film[..., 0], film[..., 1])


@pytest.mark.parametrize("kind", ["grey", "channel", "colour", "bytes"])
def test_arrays_of_every_kind(tmp_path, kind):
    film = frames()
    stored = {"grey": film[..., 0], "channel": film[..., :1], "colour": film, "bytes": np.uint8(np.rint(255 * film))}
    np.save(tmp_path / "film.npy", stored[kind])
    wanted = film if kind in ("colour", "bytes") else np.broadcast_to(film[..., :1], film.shape)
    np.testing.assert_allclose(read_film(tmp_path / "film.npy"), wanted, atol=0.002)


def test_what_is_no_film_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "mixed").mkdir()
    for name, side in (("a", 16), ("b", 20)):
        write_frames(tmp_path / "mixed", frames(1, side, 24), 8)
        (tmp_path / "mixed" / "0000.png").rename(tmp_path / "mixed" / f"{name}.png")
    np.save(tmp_path / "flat.npy", np.zeros((3, 4)))
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.gif").write_text("hello")
    for name, sentence in (
        ("nowhere.gif", "film '.*nowhere.gif' does not exist"),
        ("empty", "are none: they make no film"),
        ("mixed", "differ in size: they make no film"),
        ("flat.npy", r"an array of shape \(3, 4\); a film is"),
        ("object.npy", "cannot be read as an array"),
        ("text.gif", "is not a picture in a known format"),
    ):
        with pytest.raises(JaxstyleError, match=sentence):
            read_film(tmp_path / name)


def test_a_movie_without_ffmpeg_is_told(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"film")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(JaxstyleError, match="needs ffmpeg, which is not installed"):
        read_film(tmp_path / "a.mp4")


@needs_ffmpeg
def test_a_damaged_movie_is_told(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"film")
    with pytest.raises(JaxstyleError, match="ffmpeg failed"):
        read_film(tmp_path / "a.mp4")
