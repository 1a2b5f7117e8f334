"""Sums over all but the channels against float64, and the two as each other's transpose, of any order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.ops.channels import channel_sum, spread

SHAPES = [(7,), (5, 3), (0, 3), (4, 37, 3), (2, 64, 33, 5), (3, 1, 2, 70, 4)]  # 37: a prime number of more than a few


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_are_those_of_float64(shape):
    x = 3 + normal(0, *shape)
    expected = np.sum(np.float64(x).reshape(-1, shape[-1]), 0)
    np.testing.assert_allclose(jax.jit(channel_sum)(x), expected, rtol=1e-6)  # pairwise: some units in the last place


@pytest.mark.parametrize("shape", SHAPES)
def test_each_is_the_others_transpose(shape):
    x, vector = normal(1, *shape), normal(2, shape[-1])
    everywhere = spread(vector, shape)
    np.testing.assert_array_equal(everywhere, np.broadcast_to(vector, shape))
    (by_x,) = jax.vjp(channel_sum, x)[1](jnp.asarray(vector))
    (by_vector,) = jax.vjp(lambda vector: spread(vector, shape), vector)[1](x)
    np.testing.assert_array_equal(by_x, everywhere)
    np.testing.assert_array_equal(by_vector, channel_sum(x))


def test_second_derivatives_are_those_of_plain_sums():
    def slope(total, wide):
        def loss(x):
            mean = total(x) / 24
            return jnp.sum(jnp.sin(x - wide(mean, x.shape)) * wide(jnp.cos(mean), x.shape))

        return lambda x: jnp.sum(jnp.square(jax.grad(loss)(x)))

    def plain(vector, shape):
        return jnp.broadcast_to(vector.reshape(1, 1, 1, -1), shape)

    x = normal(3, 2, 4, 3, 5)
    ours = jax.jit(jax.grad(slope(channel_sum, spread)))(x)
    expected = jax.jit(jax.grad(slope(lambda x: jnp.sum(x, (0, 1, 2)), plain)))(x)
    np.testing.assert_allclose(ours, expected, atol=1e-5)
