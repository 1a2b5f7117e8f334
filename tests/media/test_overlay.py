"""Masks made visible."""

import numpy as np

from jaxstyle.media.overlay import OPACITY, colorize, outlines, overlay, palette


def test_colours_of_classes_are_far_apart():
    colours = palette(12)
    assert colours.shape == (12, 3) and not colours[0].any()
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1) + 9 * np.eye(12)
    assert apart.min() > 0.2


def test_outlines_are_where_a_neighbour_is_of_another_class():
    mask = np.zeros((1, 5, 5), np.int32)
    mask[0, 1:4, 1:4] = 1
    cross = [[0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0]]
    np.testing.assert_array_equal(np.asarray(outlines(mask))[0], np.array(cross, bool))


def test_an_overlay_tints_what_is_not_class_0_and_outlines_it():
    mask = np.zeros((1, 5, 5), np.int32)
    mask[0, 1:4, 1:4] = 2
    picture = np.random.default_rng(0).uniform(size=(1, 5, 5, 3)).astype(np.float32)
    shown, colour = np.asarray(overlay(picture, mask, 3))[0], palette(3)[2]
    np.testing.assert_allclose(shown[2, 2], picture[0, 2, 2] * (1 - OPACITY) + OPACITY * colour, rtol=1e-5)
    np.testing.assert_allclose(shown[1, 1:4], np.stack([colour] * 3), atol=1e-6)
    np.testing.assert_array_equal(shown[0], picture[0, 0])
    grey = np.asarray(overlay(picture[..., :1], mask, 3))
    assert grey.shape == (1, 5, 5, 3)
    np.testing.assert_array_equal(np.asarray(colorize(mask, 3))[0, 2, 2], colour)
