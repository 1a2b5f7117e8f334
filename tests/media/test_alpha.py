"""What is invisible has colours of what is visible: none of its own, and none that a resize could mix in."""

import numpy as np
import pytest
import tiny

from jaxstyle.media.alpha import FAINT, fill_invisible, on_white
from jaxstyle.media.image_resizing import resize

RNG = np.random.default_rng(0)


def disc(height=61, width=90, radius=20):
    rows, columns = np.indices((height, width))
    return (np.hypot(rows - height / 2, columns - width / 2) < radius).astype(np.float32)


def test_hidden_colours_decide_nothing_and_visible_ones_stay():
    photo, alpha = tiny.picture(0, 61, 90), disc()
    hidden = alpha[..., None] == 0
    filled = [fill_invisible(np.where(hidden, color, photo), alpha) for color in ((1, 0, 0), (0, 1, 0), (0, 0, 0))]
    np.testing.assert_array_equal(filled[0], filled[1])
    np.testing.assert_array_equal(filled[0], filled[2])
    np.testing.assert_array_equal(filled[0][alpha > 0], photo[alpha > 0])
    assert filled[0].dtype == np.float32 and filled[0].min() >= 0 and filled[0].max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 3), (37, 5), (64, 64)])
def test_one_colour_fills_everything(shape):
    alpha = np.zeros(shape, np.float32)
    alpha[-1, -1] = 1
    rgb = RNG.random((*shape, 3))
    np.testing.assert_allclose(fill_invisible(rgb, alpha), np.broadcast_to(rgb[-1, -1], rgb.shape), atol=1e-6)


def test_near_what_is_visible_the_fill_is_like_it():
    """Two halves with a gap between: the fill goes over from the one's colour to the other's, without a jump."""
    rgb, alpha = np.zeros((40, 96, 3), np.float32), np.ones((40, 96), np.float32)
    rgb[:, 48:] = 1
    alpha[:, 32:64] = 0
    row = fill_invisible(rgb, alpha)[20, :, 0]
    assert row[32] < 0.2 and row[63] > 0.8 and np.all(np.diff(row) >= -1e-6) and np.diff(row).max() < 0.2


def test_a_resize_mixes_nothing_hidden_into_what_is_visible():
    alpha = disc()
    seen = np.float32([0.2, 0.6, 0.4])
    filled = fill_invisible(np.where(alpha[..., None] > 0, seen, np.float32([1, 0, 1])), alpha)
    np.testing.assert_allclose(resize(filled, 20, 30), np.broadcast_to(seen, (20, 30, 3)), atol=1e-5)


def test_faint_pixels_count_as_far_as_they_are_visible():
    alpha, rgb = disc(), np.full((61, 90, 3), 0.25, np.float32)
    faint = disc(radius=24) - alpha
    rgb[faint > 0] = 1
    at = [fill_invisible(rgb, alpha + level * faint)[faint > 0].mean() for level in (0, FAINT / 8, FAINT / 2, FAINT)]
    np.testing.assert_allclose([at[0], at[3]], [0.25, 1], atol=1e-6)
    assert 0.25 < at[1] < 0.5 < at[2] < 0.9


def test_what_is_opaque_or_invisible_all_over():
    rgb = tiny.picture(0, 20, 24)
    assert fill_invisible(rgb, None) is rgb and fill_invisible(rgb, np.ones((20, 24))) is rgb
    np.testing.assert_array_equal(fill_invisible(rgb, np.zeros((20, 24))), 0.5)


def test_on_white():
    rgb = tiny.picture(0, 20, 24)
    assert on_white(rgb, None) is rgb
    np.testing.assert_allclose(on_white(rgb, np.full((20, 24), 0.25)), 0.25 * rgb + 0.75, atol=1e-6)
