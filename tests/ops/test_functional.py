"""Convolution, pooling and dense layers against loops over their formulas in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxstyle.ops.functional import average_pool, convolution, dense, max_pool

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def convolution_by_hand(x, kernel, bias, stride, margins):
    """The sum of the docstring, pixel by pixel."""
    x = np.pad(np.asarray(x, np.float64), ((0, 0), *margins, (0, 0)))
    high, wide = kernel.shape[:2]
    rows, columns = ((side - k) // stride + 1 for side, k in zip(x.shape[1:3], (high, wide), strict=True))
    y = np.empty((len(x), rows, columns, kernel.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride : i * stride + high, j * stride : j * stride + wide]
            y[:, i, j] = np.einsum("nuvc,uvcd->nd", window, kernel.astype(np.float64)) + bias
    return y


@pytest.mark.parametrize(
    ("stride", "padding", "margins"),
    [
        (1, "SAME", ((1, 1), (0, 1))),
        (2, "VALID", ((0, 0), (0, 0))),
        (2, ((2, 0), (1, 1)), ((2, 0), (1, 1))),
        (1, "VALID", ((0, 0), (0, 0))),
    ],
)
def test_convolution_is_its_formula(stride, padding, margins):
    x, kernel, bias = normal(2, 7, 6, 3), normal(3, 2, 3, 4), normal(4)
    ours = convolution(x, kernel, bias, stride=stride, padding=padding)
    np.testing.assert_allclose(ours, convolution_by_hand(x, kernel, bias, stride, margins), atol=1e-5)  # float32 sums
    without = convolution(x, kernel, stride=stride, padding=padding)
    np.testing.assert_allclose(without + bias.reshape(1, 1, 1, -1), ours, atol=1e-6)


def test_dense_is_its_formula():
    x, kernel, bias = normal(2, 5, 3), normal(3, 4), normal(4)
    wanted = np.einsum("abc,cd->abd", x.astype(np.float64), kernel) + bias
    np.testing.assert_allclose(dense(x, kernel, bias), wanted, atol=1e-5)
    np.testing.assert_allclose(dense(x, kernel), wanted - bias, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pools_are_their_formulas(size):
    x = normal(2, 7, 8, 3)
    rows, columns = 7 // size, 8 // size
    windows = x[:, : rows * size, : columns * size].reshape(2, rows, size, columns, size, 3)
    np.testing.assert_array_equal(max_pool(x, size), windows.max((2, 4)))
    np.testing.assert_allclose(average_pool(x, size), windows.astype(np.float64).mean((2, 4)), atol=1e-6)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_gradients_of_pools(pool, size):
    x = jnp.asarray(RNG.permutation(2 * 7 * 8).reshape(2, 7, 8, 1) / 10, jnp.float32)  # no ties within a step
    check_grads(lambda x: pool(x, size), (x,), 1, ("rev",), atol=1e-2, rtol=1e-2, eps=1e-2)


def test_of_equal_pixels_the_first_has_the_gradient():
    slopes = jax.grad(lambda x: jnp.sum(max_pool(x)))(jnp.zeros((1, 4, 5, 1)))
    wanted = np.zeros((1, 4, 5, 1))
    wanted[:, ::2, 0:4:2] = 1
    np.testing.assert_array_equal(slopes, wanted)
