"""The content distance against its float64 reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses import content_distance


def features(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(4, 5, 3), (1, 7, 2), (1, 1, 1)])
def test_value_and_gradient_equal_the_reference(shape):
    f, target = features(1, *shape), features(2, *shape)
    value, gradient = jax.value_and_grad(content_distance)(jnp.asarray(f), target)
    np.testing.assert_allclose(value, reference.content_distance(f, target), rtol=1e-5)  # float32 rounding
    reference.assert_near(gradient, reference.gradient(lambda f: reference.content_distance(f, target), f), 1e-5)


def test_equal_activations_are_at_distance_zero_with_zero_gradient():
    f = jnp.asarray(features(3, 4, 4, 2))
    value, gradient = jax.value_and_grad(content_distance)(f, f)
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros_like(f))


def test_it_is_gatys_divided_by_half_the_number_of_values():
    f, target = features(4, 4, 5, 3), features(5, 4, 5, 3)
    gatys = np.sum((f.astype(np.float64) - target) ** 2) / 2  # Gatys et al. 2016, eq. 1
    np.testing.assert_allclose(content_distance(f, target) * f.size / 2, gatys, rtol=1e-5)


def test_leading_axes_are_a_loop():
    f, target = features(6, 2, 3, 4, 5, 2), features(7, 2, 3, 4, 5, 2)
    batched = content_distance(f, target)
    assert batched.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        np.testing.assert_allclose(batched[i, j], reference.content_distance(f[i, j], target[i, j]), rtol=1e-5)


def test_bfloat16_activations_are_compared_in_float32():
    # 1 and 1 + 2^-7 differ by one unit of bfloat16; its square, 2^-14, would be lost in a bfloat16 sum.
    f = jnp.ones((32, 32, 4), jnp.bfloat16)
    distance = content_distance(f + jnp.bfloat16(2**-7), f)
    assert distance.dtype == jnp.float32
    np.testing.assert_allclose(distance, 2**-14, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 4, 3), (4, 4, 1), (1, 4, 4, 3)])
def test_shapes_that_would_broadcast_are_refused(shape):
    with pytest.raises(JaxstyleError, match="differ in shape"):
        content_distance(jnp.zeros((4, 4, 3)), jnp.zeros(shape))
