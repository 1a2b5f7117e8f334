"""SSIM and PSNR against SciPy in float64."""

import jax
import numpy as np
import pytest
import scipy.ndimage

from jaxstyle.errors import JaxstyleError
from jaxstyle.metrics import structural
from jaxstyle.metrics.structural import psnr

ssim = jax.jit(structural.ssim, static_argnames=("value_range", "window"))


def pictures(seed, *shape):
    return np.random.default_rng(seed).uniform(size=shape).astype(np.float32)


def reference(a, b, value_range, window):
    """Of one plane: local means by SciPy's filter over the whole picture, then cut to windows that lie in it."""
    a, b = np.float64(a), np.float64(b)
    edge = window // 2

    def mean(x):
        return scipy.ndimage.uniform_filter(x, window)[edge:-edge, edge:-edge]

    sample = window**2 / (window**2 - 1)
    va, vb, vab = (sample * (mean(x * y) - mean(x) * mean(y)) for x, y in ((a, a), (b, b), (a, b)))
    c1, c2 = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    top = (2 * mean(a) * mean(b) + c1) * (2 * vab + c2)
    return np.mean(top / ((mean(a) ** 2 + mean(b) ** 2 + c1) * (va + vb + c2)))


@pytest.mark.parametrize(("value_range", "window"), [(1.0, 7), (2.0, 7), (1.0, 11)])
def test_ssim_is_the_reference(value_range, window):
    a = pictures(0, 2, 3, 14, 17, 2)
    b = np.clip(a + 0.2 * (pictures(1, *a.shape) - 0.5), 0, 1)
    found = ssim(a, b, value_range=value_range, window=window)
    wanted = [
        [np.mean([reference(x[..., c], y[..., c], value_range, window) for c in range(2)]) for x, y in pairs]
        for pairs in (zip(a[i], b[i], strict=True) for i in range(2))
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-4)  # float32 variances are differences of means


def test_equal_pictures_are_1_and_inverted_ones_far_from_it():
    a = pictures(2, 1, 9, 9, 1)
    np.testing.assert_allclose(ssim(a, a), 1, rtol=1e-5)
    assert ssim(a, 1 - a)[0] < -0.5


def test_ssim_has_a_gradient_at_equal_and_at_flat_pictures():
    for a in (pictures(3, 8, 8, 1), np.zeros((8, 8, 1), np.float32)):
        slope = jax.jit(jax.grad(ssim))(a, a)
        assert np.all(np.isfinite(slope)) and np.max(np.abs(slope)) < 1e-2  # the largest value is there


def test_psnr_by_hand():
    a = np.full((2, 4, 4, 1), 0.5, np.float32)
    np.testing.assert_allclose(psnr(a, a + np.float32(0.1)), [20, 20], rtol=1e-5)
    np.testing.assert_allclose(psnr(255 * a, 255 * a + np.float32(25.5), value_range=255), [20, 20], rtol=1e-5)
    assert np.all(np.isinf(psnr(a, a)))


@pytest.mark.parametrize("measure", [ssim, psnr])
def test_shapes_that_differ_are_refused(measure):
    with pytest.raises(JaxstyleError, match="cannot be compared"):
        measure(pictures(0, 2, 8, 8, 1), pictures(0, 1, 8, 8, 1))


def test_pictures_smaller_than_the_window_are_refused():
    with pytest.raises(JaxstyleError, match="pictures of 5x8 pixels are smaller than the window of 7"):
        ssim(pictures(0, 8, 5, 1), pictures(0, 8, 5, 1))
