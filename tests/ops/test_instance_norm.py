"""Statistics of pictures, whole and from parts, against NumPy in float64."""

import jax
import numpy as np
import pytest

from jaxstyle.ops import instance_norm


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("cuts", "offset"), [((5,), 0), ((1, 8), 100)])
def test_parts_of_any_size_give_the_statistics_of_the_whole(cuts, offset):
    x = normal(0, 2, 12, 3, 4) + np.float32(offset)
    parts = [jax.jit(instance_norm.statistics)(part) for part in np.split(x, cuts, 1)]
    merged = jax.jit(instance_norm.merge)(parts)
    np.testing.assert_array_equal(merged.count, 36)
    np.testing.assert_allclose(merged.mean, np.float64(x).mean((1, 2)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(merged.variance, np.float64(x).var((1, 2)), rtol=1e-4)


def test_normalise_by_the_definition():
    x, scale, shift = normal(0, 2, 5, 3, 4), normal(1, 2, 4), normal(2, 2, 4)
    wide = np.float64(x)
    expected = (wide - wide.mean((1, 2), keepdims=True)) / np.sqrt(wide.var((1, 2), keepdims=True) + 1e-5)
    expected = expected * scale[:, None, None] + shift[:, None, None]
    made = instance_norm.normalise(x, instance_norm.statistics(x), scale, shift)
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)
