"""Masks: luma times alpha, and numbers in place of shades are stretched or refused."""

import numpy as np
import pytest
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_reading import read_mask
from jaxstyle.media.image_writing import write_mask

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (20, 24, 3), dtype=np.uint8)
GREY = BYTES[..., 0]
HALF = np.zeros((20, 24), np.uint8)
HALF[:, :12] = 1


def test_a_mask_is_the_luma(tmp_path):
    Image.fromarray(BYTES).save(tmp_path / "a.png")
    mask = read_mask(tmp_path / "a.png")
    assert mask.dtype == np.float32 and mask.shape == (20, 24)
    np.testing.assert_allclose(mask, BYTES @ [0.299, 0.587, 0.114] / 255, atol=1e-6)
    np.testing.assert_array_equal(read_mask(GREY > 127), (GREY > 127).astype(np.float32))


def test_alpha_multiplies(tmp_path):
    image = Image.fromarray(BYTES)
    image.putalpha(Image.fromarray(GREY))
    image.save(tmp_path / "a.png")
    wanted = BYTES @ [0.299, 0.587, 0.114] / 255 * (GREY / 255)
    np.testing.assert_allclose(read_mask(tmp_path / "a.png"), wanted, atol=1e-6)
    drawn = np.dstack([np.full((20, 24, 3), 255, np.uint8), 255 * HALF])  # white all over, cut out by alpha
    np.testing.assert_array_equal(read_mask(drawn), HALF)


@pytest.mark.parametrize("value", [1, 7, 31])
def test_what_segment_writes_is_a_mask(tmp_path, value):
    write_mask(tmp_path / "a.png", value * HALF)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), HALF)
    np.testing.assert_array_equal(read_mask(np.uint16(value * HALF)), HALF)
    np.testing.assert_array_equal(read_mask(np.float32(value * HALF) / 255), HALF)
    np.testing.assert_array_equal(read_mask(np.full((4, 5), value, np.uint8)), 1)


@pytest.mark.parametrize("numbers", [[0, 1, 2], [1, 2], [0, 3, 20]])
def test_class_numbers_are_no_shades(tmp_path, numbers):
    write_mask(tmp_path / "classes.png", RNG.choice(np.uint8(numbers), (20, 24)))
    told = rf"the mask '.*classes\.png' is nearly black: its brightest value is {numbers[-1]} of 255; a mask is white"
    with pytest.raises(JaxstyleError, match=told):
        read_mask(tmp_path / "classes.png")
    with pytest.raises(JaxstyleError, match=r"the mask \(an array\) is nearly black"):
        read_mask(np.uint8([[0, 1, 2]]))


def test_shades_and_black_stay_as_they_are():
    dim = np.linspace(0, 0.2, 20 * 24, dtype=np.float32).reshape(20, 24)
    np.testing.assert_allclose(read_mask(dim), dim, atol=1e-6)
    assert not read_mask(np.zeros((20, 24), np.uint8)).any()
