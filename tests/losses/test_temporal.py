"""Temporal loss against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.temporal import temporal_distance


def scene():
    rng = np.random.default_rng(0)
    return rng.random((2, 5, 6, 3)), rng.random((2, 5, 6, 3)), rng.integers(0, 2, (2, 5, 6)).astype(float)


def as_float32(*arrays):
    return [jnp.asarray(array, jnp.float32) for array in arrays]


def test_it_is_the_mean_over_what_counts():
    frame, expected, weights = scene()
    wanted = [np.mean((a - b)[w > 0] ** 2) for a, b, w in zip(frame, expected, weights, strict=True)]
    np.testing.assert_allclose(temporal_distance(*as_float32(frame, expected, weights)), wanted, rtol=1e-5)


def test_where_nothing_counts_it_is_zero_and_so_is_its_gradient():
    frame, expected, _ = as_float32(*scene())
    value, slope = jax.value_and_grad(lambda x: jnp.sum(temporal_distance(x, expected, jnp.zeros((2, 5, 6)))))(frame)
    assert value == 0 and not slope.any()


def test_its_gradient():
    frame, expected, weights = scene()
    slope = jax.grad(lambda x: jnp.sum(temporal_distance(x, *as_float32(expected, weights))))(*as_float32(frame))
    wanted = 2 * weights[..., None] * (frame - expected) / (3 * weights.sum((1, 2))[:, None, None, None])
    np.testing.assert_allclose(slope, wanted, rtol=1e-5, atol=1e-7)


def test_shapes_are_never_broadcast():
    frame, expected, weights = as_float32(*scene())
    with pytest.raises(JaxstyleError, match="do not fit"):
        temporal_distance(frame, expected[:1], weights)
    with pytest.raises(JaxstyleError, match="do not fit"):
        temporal_distance(frame, expected, weights[..., None])
