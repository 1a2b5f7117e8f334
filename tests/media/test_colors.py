"""Luma, chroma and colour matching against their definitions."""

import colorsys

import numpy as np
import pytest

from jaxstyle.media import colors

RNG = np.random.default_rng(3)
LUMA = np.array([0.299, 0.587, 0.114])


def mean_and_covariance(image):
    pixels = np.asarray(image, np.float64).reshape(-1, 3)
    return pixels.mean(axis=0), np.cov(pixels.T, bias=True)


def test_yiq_against_colorsys_and_back():
    rgb = RNG.random((50, 3))
    expected = [colorsys.rgb_to_yiq(*pixel) for pixel in rgb]  # colorsys rounds the coefficients to 2 to 4 places
    np.testing.assert_allclose(colors.rgb_to_yiq(rgb), expected, atol=0.01)
    np.testing.assert_allclose(colors.yiq_to_rgb(colors.rgb_to_yiq(rgb)), rgb, atol=1e-12)
    np.testing.assert_allclose(colors.rgb_to_yiq(np.full((2, 3), 0.7)), [[0.7, 0, 0]] * 2, atol=1e-12)


def test_luminance_is_exact_even_where_colours_leave_the_gamut():
    result, photo = RNG.random((40, 30, 3)), RNG.random((40, 30, 3)) ** 3
    kept = colors.keep_luminance_only(result, photo)
    assert kept.dtype == np.float32 and kept.min() >= 0 and kept.max() <= 1
    np.testing.assert_allclose(kept @ LUMA, result @ LUMA, atol=1e-6)
    chroma, wanted = colors.rgb_to_yiq(kept)[..., 1:], colors.rgb_to_yiq(photo)[..., 1:]
    cross = chroma[..., 0] * wanted[..., 1] - chroma[..., 1] * wanted[..., 0]
    np.testing.assert_allclose(cross, 0, atol=1e-6)  # the hue stays
    ratio = np.linalg.norm(chroma, axis=-1) / np.linalg.norm(wanted, axis=-1)
    assert ratio.max() < 1 + 1e-3 and (ratio > 1 - 1e-3).mean() > 0.2  # paler only where it must be


def test_keeping_the_luminance_of_the_photo_itself_changes_nothing():
    photo = RNG.random((20, 30, 3)).astype(np.float32)
    np.testing.assert_allclose(colors.keep_luminance_only(photo, photo), photo, atol=1e-6)
    extremes = np.array([[[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 0, 1]]], np.float32)
    np.testing.assert_allclose(colors.keep_luminance_only(extremes, extremes), extremes, atol=1e-6)


def test_grey_photo_gives_a_grey_result():
    kept = colors.keep_luminance_only(RNG.random((20, 30, 3)), np.full((20, 30, 3), 0.4))
    np.testing.assert_allclose(kept - kept[..., :1], 0, atol=1e-6)


def coloured(seed, shape=(60, 50)):
    rng = np.random.default_rng(seed)
    return rng.random((*shape, 3)) @ rng.uniform(-0.2, 0.5, (3, 3)) * 0.3 + rng.uniform(0.3, 0.6, 3)


@pytest.mark.parametrize("seed", range(4))
def test_match_color_gives_mean_and_covariance(seed):
    source, target = coloured(seed), coloured(seed + 10, (31, 47))
    matched = colors._match_color_unclipped(source, target)
    mean, covariance = mean_and_covariance(matched)
    expected_mean, expected_covariance = mean_and_covariance(target)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-9)
    np.testing.assert_allclose(covariance, expected_covariance, atol=1e-5 * np.abs(expected_covariance).max())
    clipped = colors.match_color(source, target)
    assert clipped.dtype == np.float32 and clipped.shape == source.shape
    np.testing.assert_allclose(clipped, np.clip(matched, 0, 1), atol=1e-6)


def test_weights_count_pixels():
    """As often as a weight says: a picture whose pixels are repeated has the same colours."""
    source, target, counts = coloured(1), coloured(2, (31, 47)), np.random.default_rng(3).integers(0, 4, (60, 50))
    repeated = np.repeat(source.reshape(-1, 3), counts.reshape(-1), axis=0)[None]
    matched = colors._match_color_unclipped(source, target, counts / 3)
    wanted = colors._match_color_unclipped(repeated, target)
    np.testing.assert_allclose(np.repeat(matched.reshape(-1, 3), counts.reshape(-1), axis=0)[None], wanted, atol=1e-9)
    wanted = colors._match_color_unclipped(target, repeated)
    np.testing.assert_allclose(colors._match_color_unclipped(target, source, None, counts), wanted, atol=1e-9)
    nothing = colors._match_color_unclipped(source, target, np.zeros((60, 50)))
    np.testing.assert_allclose(nothing, colors._match_color_unclipped(source, target), atol=1e-12)


def test_the_map_is_the_symmetric_positive_one():
    source, target = coloured(1), coloured(2)
    matched = colors._match_color_unclipped(source, target).reshape(-1, 3)
    pixels = source.reshape(-1, 3)
    matrix = np.linalg.lstsq(pixels - pixels.mean(0), matched - matched.mean(0), rcond=None)[0]
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6 * np.abs(matrix).max())
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_matching_a_picture_to_itself_changes_nothing():
    source = RNG.random((30, 40, 3))
    np.testing.assert_allclose(colors.match_color(source, source), source, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_source_takes_the_mean(value):
    target = coloured(5)
    matched = colors.match_color(np.full((20, 20, 3), value), target)
    np.testing.assert_allclose(matched, np.broadcast_to(target.mean(axis=(0, 1)), (20, 20, 3)), atol=1e-6)


def test_a_constant_target_gives_that_colour():
    matched = colors.match_color(coloured(6), np.broadcast_to([0.2, 0.5, 0.9], (20, 20, 3)))
    np.testing.assert_allclose(matched, np.broadcast_to([0.2, 0.5, 0.9], matched.shape), atol=1e-4)


def test_a_grey_source_stays_on_one_line_and_is_not_blown_up():
    grey = np.repeat(RNG.random((30, 30, 1)), 3, axis=-1)
    noisy = grey + RNG.normal(0, 0.3 / 255, (30, 30, 3))
    target = coloured(7)
    clean, rough = colors._match_color_unclipped(grey, target), colors._match_color_unclipped(noisy, target)
    assert np.isfinite(clean).all()
    assert np.linalg.matrix_rank((clean - clean.mean(axis=(0, 1))).reshape(-1, 3), tol=1e-6) == 1
    assert np.abs(clean - rough).mean() < 0.03  # invisible noise stays nearly so
