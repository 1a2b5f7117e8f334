"""Resizing: antialiased, of every size, and what a network is shown of a picture."""

import numpy as np
import pytest
from PIL import Image

from jaxstyle.media.image_resizing import FITS, fit_size, fitted, resize

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (20, 24, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "shape, longer, expected",
    [
        ((300, 400), 512, (384, 512)),
        ((400, 300), 128, (128, 96)),
        ((20, 3000), 64, (1, 64)),
        ((7, 7), 5, (5, 5)),
    ],
)
def test_fit_size(shape, longer, expected):
    assert fit_size(*shape, longer) == expected


def test_resize_against_pillow_at_8_bits():
    middle = 64 + BYTES // 2  # away from 0 and 255, where Pillow clips between its two passes
    smooth = np.asarray(Image.fromarray(middle).resize((96, 80), Image.Resampling.BICUBIC))
    for height, width in [(33, 41), (160, 200), (80, 96), (1, 7)]:
        expected = np.asarray(Image.fromarray(smooth).resize((width, height), Image.Resampling.BICUBIC)) / 255
        ours = resize(smooth / 255, height, width)
        assert ours.dtype == np.float32 and ours.shape == (height, width, 3)
        np.testing.assert_allclose(ours, expected, atol=1.2 / 255)  # Pillow rounds after both passes


def test_resize_keeps_constants_means_and_range():
    np.testing.assert_allclose(resize(np.full((50, 70, 3), 0.3), 23, 111), 0.3, atol=1e-6)
    noise = RNG.random((64, 64))
    assert abs(resize(noise, 32, 32).mean() - noise.mean()) < 2e-3
    hard = resize((noise > 0.5).astype(float), 200, 200)
    assert hard.ndim == 2 and hard.min() == 0 and hard.max() == 1  # the overshoot is clipped


def test_resize_is_antialiased():
    checkers = np.indices((128, 128)).sum(axis=0) % 2
    np.testing.assert_allclose(resize(checkers, 16, 16)[2:-2, 2:-2], 0.5, atol=1e-3)


def test_a_crop_shows_the_middle():
    picture = np.zeros((60, 100, 3), np.float32)
    picture[:, 20:80] = 0.5
    np.testing.assert_allclose(fitted(picture, 30, 30), 0.5, atol=1e-6)
    np.testing.assert_allclose(fitted(picture.swapaxes(0, 1), 30, 30), 0.5, atol=1e-6)
    assert fitted(picture, 15, 50).shape == (15, 50, 3)
    assert fitted(picture, 60, 100) is picture


def test_padding_shows_the_whole_and_stretching_fills():
    picture = np.full((60, 100, 3), 0.5, np.float32)
    for turned in (False, True):
        padded = fitted(picture.swapaxes(0, 1) if turned else picture, 40, 40, "pad", border=1)
        padded = padded.swapaxes(0, 1) if turned else padded
        np.testing.assert_allclose(padded[8:32], 0.5, atol=1e-6)  # 40 / 100 of 60 rows
        assert (padded[:8] == 1).all() and (padded[32:] == 1).all()
    gradient = np.repeat(np.linspace(0, 1, 100, dtype=np.float32)[None], 60, 0)
    stretched = fitted(gradient, 20, 20, "stretch")
    np.testing.assert_allclose(stretched, np.repeat(gradient[:1].reshape(20, 5).mean(-1)[None], 20, 0), atol=0.01)


@pytest.mark.parametrize("fit", FITS)
def test_any_size_fits_any(fit):
    for shape in ((1, 1), (1, 500), (500, 1), (7, 3)):
        assert fitted(np.ones(shape, np.float32), 1, 100, fit).shape == (1, 100)
        assert fitted(np.ones(shape, np.float32), 33, 2, fit).shape == (33, 2)
