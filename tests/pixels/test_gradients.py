"""DeepDream's gradient transformations against NumPy and SciPy."""

import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from scipy.ndimage import gaussian_filter

from jaxstyle.ops import pyramid
from jaxstyle.pixels import gradients

GRADS = (tiny.picture(1, 24, 33) - 0.5) * 7


def apply(transformation, grads=GRADS):
    updates, _ = transformation.update(jnp.asarray(grads), transformation.init(grads))
    return np.asarray(updates)


def test_the_mean_step_is_one():
    np.testing.assert_allclose(apply(gradients.normalize_mean()), GRADS / np.abs(GRADS).mean(), rtol=1e-5)


def test_every_octave_gets_an_equal_step():
    strong = GRADS + 100 * np.sin(np.arange(33) * 2)[None, :, None].astype(np.float32)  # fine stripes
    bands = pyramid.split(jnp.asarray(strong), 3)
    sizes = [float(jnp.sqrt(jnp.mean(band**2))) for band in bands]
    assert max(sizes) > 10 * min(sizes)
    even = tuple(np.asarray(band) / size for band, size in zip(bands, sizes, strict=True))
    np.testing.assert_allclose(apply(gradients.normalize_octaves(3), strong), pyramid.merge(even), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_smoothing_is_the_mean_of_three_blurs():
    blurs = [
        gaussian_filter(GRADS.astype(np.float64), (s, s, 0), mode="nearest", radius=(round(3 * s), round(3 * s), 0))
        for s in (1.0, 2.0, 4.0)
    ]
    np.testing.assert_allclose(apply(gradients.smooth((1.0, 2.0, 4.0))), np.mean(blurs, 0), atol=1e-4)


@pytest.mark.parametrize(("smoothing", "octaves"), [(0.0, 0), pytest.param(1.0, 0, marks=pytest.mark.slow), (0.5, 3)])
def test_an_ascent_goes_against_the_loss_by_one_step(smoothing, octaves):
    step = apply(gradients.ascent(smoothing, octaves))
    np.testing.assert_allclose(np.abs(step).mean(), 1, rtol=1e-5)
    assert np.vdot(step, GRADS) < 0
    assert gradients.ascent(smoothing, octaves) is gradients.ascent(smoothing, octaves)


def test_a_gradient_of_zero_stays_zero():
    still = apply(gradients.ascent(0.5, 3), np.zeros_like(GRADS))
    np.testing.assert_array_equal(still, 0)
