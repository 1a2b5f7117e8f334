"""`jaxstyle apply` of films: what comes out, frame for frame, and damaged frames, Ctrl-C and bad input."""

import os
import shutil
import signal

import jax
import numpy as np
import pytest
import tiny
from films import damaged, make_movie, noise

from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import apply as applying
from jaxstyle.inference.apply import StyleOptions, Stylizer
from jaxstyle.inference.style_model import StyleModel, save_model
from jaxstyle.jobs import apply_films
from jaxstyle.jobs.apply import apply_files
from jaxstyle.jobs.files import Files
from jaxstyle.media.film_reading import open_film, read_film
from jaxstyle.media.film_writing import write_frames
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.media.image_resizing import resize
from jaxstyle.media.image_writing import write_picture
from jaxstyle.models.style_network import StyleNetwork

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@pytest.fixture(scope="module")
def model():
    network = StyleNetwork(1, 4, 0)
    params = jax.jit(network.init)(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32), np.ones((1, 1), np.float32))
    return StyleModel(network, jax.device_get(params["params"]), ("only",))


@pytest.fixture
def here(tmp_path, monkeypatch, model):
    """The working folder, with a model, a GIF, numbered frames and a photo; one picture at once, so one program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(applying, "AT_ONCE", 1)
    save_model("model", model, np.zeros((8, 8, 3)))
    write_frames("film.gif", noise(), fps=10)
    write_frames("frames", read_film("film.gif"), fps=10)
    write_picture("photo.png", tiny.picture(0, 16, 24))
    (tmp_path / "out").mkdir()
    return tmp_path


def apply(*words):
    """The command, on one device."""
    return main(["apply", "--model", "model", *words, "--devices=1"])


def expected(model, frames):
    """Each frame alone, on one device."""
    return np.stack([Stylizer(model, StyleOptions(devices=1))([frame])[0] for frame in frames])


def test_numbered_frames_are_the_stylised_frames(here, model, capsys):
    assert apply("film.gif", "-o", "out/%02d.png", "--bits=16") == 0
    assert capsys.readouterr().out == "out/%02d.png\n"
    assert sorted(os.listdir("out")) == ["00.png", "01.png", "02.png", "03.png", "04.png"]
    wanted = expected(model, read_film("film.gif"))
    np.testing.assert_allclose(read_film("out"), wanted, atol=1 / 255 + 1e-4)  # Pillow cuts 16 bits to 8
    assert read_settings("out/03.png")["contents"] == ["film.gif"]


@pytest.mark.parametrize("name", ["film.webp", "film.apng"])
def test_a_folder_of_frames_becomes_an_animation(here, model, name):
    assert apply("frames", "-o", name, "--fps=10") == 0
    film = open_film(here / name)
    assert (film.count, film.fps) == (5, 10)
    np.testing.assert_allclose(read_film(name), expected(model, read_film("frames")), atol=0.5 / 255 + 1e-4)


def test_films_and_photos_go_into_a_folder(here, model):
    large = noise().repeat(2, 1).repeat(2, 2)
    write_frames("large.gif", large, fps=10)
    assert apply("large.gif", "photo.png", "-o", "out", "--size=24") == 0
    assert sorted(os.listdir("out")) == ["large.gif", "photo.png"]
    film = open_film(here / "out" / "large.gif")
    assert (film.count, film.shape, film.fps) == (5, (16, 24), 10)
    resized = [resize(frame, 16, 24) for frame in read_film("large.gif")]
    made = np.stack(list(film.frames()))
    assert np.abs(made - expected(model, resized)).mean() < 0.03  # 256 colours a frame


def test_a_folder_that_ends_in_a_slash_is_made(here):
    assert apply("film.gif", "photo.png", "-o", "new/") == 0
    assert sorted(os.listdir("new")) == ["film.gif", "photo.png"]


def test_a_folder_of_frames_becomes_a_film(here):
    assert apply("frames", "-o", "out/film.gif", "--fps=20") == 0
    film = open_film(here / "out" / "film.gif")
    assert (film.count, film.fps) == (5, 20)


def test_the_first_frame_where_a_picture_is_asked_for(here, model):
    assert apply("film.gif", "-o", "out/first.png") == 0
    wanted = expected(model, read_film("film.gif")[:1])[0]
    np.testing.assert_allclose(read_picture("out/first.png").rgb, wanted, atol=0.5 / 255 + 1e-4)


@needs_ffmpeg
def test_a_movie_keeps_rate_and_sound(here):
    make_movie("heard.mp4", "-c:a", "aac", size="24x16", sound=True)
    assert apply("heard.mp4", "-o", "out") == 0
    film = open_film(here / "out" / "heard.mp4")
    assert (film.count, film.shape, film.sound) == (30, (16, 24), "aac")
    assert film.fps == open_film(here / "heard.mp4").fps


def test_only_some_frames_are_in_memory(model, monkeypatch):
    """Batches are taken as they are needed, the last filled up so that every batch is of one size."""
    taken = []
    frames = (taken.append(i) or np.float32(i) for i in range(7))
    batches = apply_films.batches(frames, 3)
    assert next(batches) == ([0, 1, 2], 3) and len(taken) == 3
    assert list(batches) == [([3, 4, 5], 3), ([6, 6, 6], 1)]
    assert list(apply_films.batches(iter([1, 2]), 3)) == [([1, 2], 2)] and not list(apply_films.batches(iter([]), 3))


def test_batches_make_no_difference(here, model):
    assert main(["apply", "--model", "model", "film.gif", "-o", "out/%d.png", "--devices=2"]) == 0
    np.testing.assert_allclose(read_film("out"), expected(model, read_film("film.gif")), atol=0.5 / 255 + 1e-4)


def test_a_damaged_frame_stops_or_is_skipped(here, capsys):
    (here / "film.gif").write_bytes(damaged((here / "film.gif").read_bytes(), "code"))
    assert apply("film.gif", "-o", "out/new.gif") == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "frame 3 of 'film.gif' cannot be read" in told and not os.listdir("out")
    assert apply("film.gif", "-o", "out/new.gif", "--bad-frames=skip") == 0
    assert "frame 3 of 'film.gif' cannot be read" in capsys.readouterr().err
    assert open_film(here / "out" / "new.gif").count == 4


def test_a_damaged_picture_of_a_folder_stops_or_is_skipped(here, capsys):
    (here / "frames" / "0002.png").write_bytes((here / "frames" / "0002.png").read_bytes()[:300])
    assert apply("frames", "-o", "out") == 2
    assert "0002.png" in capsys.readouterr().err and not os.listdir("out")
    assert apply("frames", "-o", "out", "--bad-pictures=skip") == 0
    assert "0002.png" in capsys.readouterr().err and len(os.listdir("out")) == 4
    for path in (here / "frames").iterdir():
        path.write_bytes(b"nothing")
    assert apply("frames", "-o", "out", "--bad-pictures=skip") == 2


@pytest.mark.parametrize("name", ["out/film.gif", pytest.param("out/film.mp4", marks=needs_ffmpeg)])
def test_ctrl_c_leaves_nothing_half_written(here, monkeypatch, name):
    def interrupted(stylizer, photos, alphas):
        signal.raise_signal(signal.SIGTERM)  # as Ctrl-C: the frames under way are finished
        return photos

    monkeypatch.setattr(applying.Stylizer, "__call__", interrupted)
    monkeypatch.setattr(applying.Stylizer, "batch", lambda *_: 2)
    assert apply("film.gif", "-o", name) == 130
    assert not os.listdir("out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("film.gif", "frames", "-o", "out/film.gif"), "2 sources cannot go into the one film 'out/film.gif'"),
        (("film.gif", "frames", "-o", "out/a.webp"), "2 sources cannot go into the one film 'out/a.webp'"),
        (("film.gif", "-o", "film.gif"), "would overwrite 'film.gif'"),
        (("frames", "-o", "frames/%04d.png"), "would overwrite 'frames/0000.png'"),
        (("frames", "--style=film.gif", "-o", "film.gif"), "the model has no style 'film.gif'"),
        (("film.gif", "-o", "none/film.gif"), "output folder 'none' does not exist"),
        (
            ("film.gif", "-o", "none"),
            "a film goes into a folder, a file ending in .gif, .apng, .webp or .mp4, or numbered frames",
        ),
        (("film.gif", "-o", "out", "--fps=0"), "--fps is 0; it must be above 0"),
        (("film.gif", "-o", "out", "--bad-frames=skp"), "--bad-frames 'skp' is unknown; did you mean 'skip'"),
        (("none.gif", "-o", "out/a.gif"), "film 'none.gif' does not exist"),
        (("none.mp4", "-o", "out"), "'none.mp4' does not exist"),
        (("photo.png", "-o", "out/a.gif"), "'out/a.gif' must end in one of .png"),
        (("film.gif", "-o", "out/a.gif", "--bits=16"), "'a.gif' cannot hold 16 bits"),
        (("film.gif", "-o", "out/%4d.png"), "is no name of numbered frames"),
    ],
)
def test_bad_input_is_one_sentence(here, capsys, words, message):
    before = sorted(here.rglob("*"))
    assert apply(*words) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1 and message in told.err and told.out == ""
    assert sorted(here.rglob("*")) == before


def test_masks_must_fit_the_film(here, model):
    look = StyleOptions(masks=[np.ones((3, 4), np.float32)])
    with pytest.raises(JaxstyleError, match=r"mask 1 is 4×3 px and film\.gif is 24×16"):
        apply_films.open_reels(["film.gif"], Files({}, "out"), look, None, None)


def test_from_python(here):
    files = Files({"contents": ["film.gif"]}, "out/film.gif")
    assert [str(path) for path in apply_files("model", files, StyleOptions(), progress=False)] == ["out/film.gif"]
