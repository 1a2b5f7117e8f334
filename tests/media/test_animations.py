"""Animations: times of single frames and transparency come in, and go out as far as the format can."""

from fractions import Fraction

import numpy as np
import pytest
import tiny
from PIL import Image

from jaxstyle.media.film_reading import open_film
from jaxstyle.media.film_writing import film_writer
from jaxstyle.media.image_reading import read_picture, read_settings

LASTS = tuple(Fraction(milliseconds, 1000) for milliseconds in (50, 100, 400, 50))
ANIMATIONS = ("gif", "png", "apng", "webp")


def flat_frames(alpha=True):
    """Flat colours, which 256 of them can show, with a hole that moves."""
    frames = np.ones((4, 16, 24, 4), np.float32)
    frames[..., :3] = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.2, 0.4, 0.6)])[:, None, None]
    for number, frame in enumerate(frames):
        frame[4:12, 4 * number : 4 * number + 6, 3] = 0
    return frames if alpha else frames[..., :3]


def pillow_animation(path, frames, milliseconds):
    images = [Image.fromarray(np.uint8(np.rint(255 * frame))) for frame in frames]
    options = {"lossless": True} if path.suffix == ".webp" else {"disposal": 2} if path.suffix == ".gif" else {}
    images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, loop=0, **options)


def write(path, frames, timing):
    with film_writer(path, frames.shape[1:3], timing, settings={"made": "so"}) as add:
        for frame in frames:
            add(frame)


def check_frames(film, frames):
    """Alpha exactly, and colours where they show."""
    found = list(film.pictures())
    assert len(found) == len(frames)
    for picture, frame in zip(found, frames, strict=True):
        np.testing.assert_array_equal(picture.alpha, frame[..., 3])
        visible = frame[..., 3] > 0
        np.testing.assert_allclose(picture.rgb[visible], frame[visible][:, :3], atol=1 / 255)


@pytest.mark.parametrize("suffix", ANIMATIONS)
def test_times_and_transparency_are_read(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    pillow_animation(path, flat_frames(), [50, 100, 400, 50])
    film = open_film(path)
    assert (film.count, film.durations, film.transparent) == (4, LASTS, True)
    assert film.fps == Fraction(20, 3) and film.timing == LASTS
    check_frames(film, flat_frames())


@pytest.mark.parametrize("suffix", ANIMATIONS)
def test_frames_that_last_as_long_have_a_rate(tmp_path, suffix):
    pillow_animation(tmp_path / f"a.{suffix}", flat_frames(alpha=False), 40)
    film = open_film(tmp_path / f"a.{suffix}")
    assert (film.fps, film.durations, film.timing, film.transparent) == (25, None, 25, False)
    np.testing.assert_allclose(np.stack(list(film.frames())), flat_frames(alpha=False), atol=1 / 255)


@pytest.mark.parametrize("suffix", ["gif", "apng", "webp"])
@pytest.mark.parametrize("alpha", [False, True])
def test_times_and_transparency_are_written(tmp_path, suffix, alpha):
    path, frames = tmp_path / f"a.{suffix}", flat_frames(alpha)
    write(path, frames, LASTS)
    with Image.open(path) as image:
        assert image.n_frames == 4 and image.info["loop"] == 0
    film = open_film(path)
    assert (film.durations, film.transparent) == (LASTS, alpha)
    if alpha:
        check_frames(film, frames)
    else:
        np.testing.assert_allclose(np.stack(list(film.frames())), frames, atol=1 / 255)
    if suffix != "gif":  # which keeps them in a comment
        assert read_settings(path) == {"made": "so"}


@pytest.mark.parametrize("suffix", ["apng", "webp"])
def test_soft_edges_and_many_colours_are_written(tmp_path, suffix):
    frames = np.stack([np.dstack([tiny.picture(i, 16, 24), tiny.picture(9 + i, 16, 24)[..., 0]]) for i in range(3)])
    frames[..., 3] = np.clip(frames[..., 3], 0.2, 0.99)
    write(tmp_path / f"a.{suffix}", frames, 30)
    film = open_film(tmp_path / f"a.{suffix}")
    assert [float(lasts) for lasts in film.durations] == [0.033, 0.034, 0.033]
    for picture, frame in zip(film.pictures(), frames, strict=True):
        np.testing.assert_allclose(np.dstack(picture), frame, atol=0.51 / 255)


def test_a_gif_dithers_nothing_hidden_into_what_is_visible(tmp_path):
    frames = np.zeros((1, 16, 24, 4), np.float32)
    frames[..., :3] = np.random.default_rng(0).random((16, 24, 3))  # hundreds of colours, all hidden but for
    frames[:, :, :12] = (0.5, 0.25, 0.75, 1)
    write(tmp_path / "a.gif", frames, 10)
    picture = next(iter(open_film(tmp_path / "a.gif").pictures()))
    np.testing.assert_allclose(picture.rgb[:, :12], np.broadcast_to([0.5, 0.25, 0.75], (16, 12, 3)), atol=1 / 255)


def test_hidden_colours_decide_no_frame(tmp_path):
    seen = []
    for color in ((1, 0, 0), (0, 0, 1)):
        frames = flat_frames()
        frames[frames[..., 3] == 0] = (*color, 0)
        pillow_animation(tmp_path / "a.webp", frames, 40)
        seen.append(np.stack(list(open_film(tmp_path / "a.webp").frames())))
    np.testing.assert_array_equal(*seen)


def test_numbered_frames_keep_alpha_as_a_folder_does(tmp_path):
    write(tmp_path / "%02d.png", flat_frames(), LASTS)
    film = open_film(tmp_path)
    assert film.transparent and film.timing is None
    check_frames(film, flat_frames())


def test_a_still_for_viewers_that_know_no_apng_is_no_frame(tmp_path):
    images = [Image.fromarray(np.uint8(255 * frame)) for frame in flat_frames(alpha=False)]
    images[0].save(tmp_path / "a.png", save_all=True, default_image=True, append_images=images[1:], duration=40)
    film = open_film(tmp_path / "a.png")
    assert film.count == len(list(film.frames())) == 3
    np.testing.assert_allclose(next(iter(film.frames()))[0, 0], (0, 1, 0), atol=1e-6)


def test_a_long_frame_is_kept(tmp_path):
    lasts = (Fraction(65), Fraction(300), Fraction(1, 50))
    write(tmp_path / "a.apng", flat_frames()[:3], lasts)
    assert open_film(tmp_path / "a.apng").durations == lasts
    assert read_picture(tmp_path / "a.apng").alpha is not None
