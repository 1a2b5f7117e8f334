"""Factors and rotations against NumPy and SciPy in float64, batched in every way; several batches at once."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxstyle.ops.polar import TOLERANCE, cholesky, inverse_transpose, product, rotation


def matrices(seed, *shape, condition=10.0):
    """Of given shape and condition, with singular vectors in no special direction."""
    left, _, right = np.linalg.svd(np.random.default_rng(seed).standard_normal(shape))
    return left * np.geomspace(1, 1 / condition, shape[-1]) @ right


def test_factors_are_numpys():
    roots = matrices(0, 2, 3, 7, 7)
    squares = roots @ np.swapaxes(roots, -1, -2)
    factors, inverses = cholesky(jnp.asarray(squares, jnp.float32))
    expected = np.linalg.cholesky(squares)
    np.testing.assert_allclose(factors, expected, atol=1e-5)  # float32, at a condition of 100
    np.testing.assert_allclose(inverses, np.linalg.inv(expected), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("least", [-1e-6, -1e-3])
def test_an_indefinite_matrix_gets_a_factor_of_its_neighbour(least):
    left = np.linalg.qr(np.random.default_rng(1).standard_normal((8, 8)))[0]
    matrix = left * [4, 3, 2, 1, 0.5, 0.1, 0, least] @ left.T
    factor, inverse = (np.asarray(x, np.float64) for x in cholesky(jnp.asarray(matrix, jnp.float32)))
    assert np.isfinite(inverse).all()
    # Shifts are 4 times as large as the last one: at most 4 times what is missing, or some roundings of the trace.
    np.testing.assert_allclose(factor @ factor.T, matrix, atol=4 * abs(least) + 1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_factor_of_what_is_not_finite(value):
    assert not np.isfinite(cholesky(jnp.full((3, 3), value, jnp.float32))[0]).all()


@pytest.mark.parametrize("condition", [1.0, 1e2, 1e5])
def test_rotations_are_scipys(condition):
    """As near as the iteration goes, and as float32 knows the directions of the smallest singular values."""
    given = matrices(2, 24, 24, condition=condition)
    found = rotation(jnp.asarray(given, jnp.float32), jnp.asarray(np.linalg.inv(given).T, jnp.float32))
    assert np.abs(np.linalg.svd(found, compute_uv=False) - 1).max() < TOLERANCE + 1e-6
    np.testing.assert_allclose(found, scipy.linalg.polar(given)[0], atol=TOLERANCE + 3e-7 * condition)


def test_mapped_is_as_written_out():
    given = jnp.asarray(matrices(3, 3, 2, 5, 5), jnp.float32)

    def turned(x):
        return rotation(x, inverse_transpose(x))

    plain = turned(given)
    np.testing.assert_allclose(
        product(plain, jnp.swapaxes(plain, -1, -2)), jnp.broadcast_to(jnp.eye(5), given.shape), atol=3e-5
    )
    for mapped in (jax.vmap(turned), jax.vmap(jax.vmap(turned)), jax.vmap(turned, 1, 1)):
        # Steps go on until the last matrix of a batch is done.
        np.testing.assert_allclose(mapped(given), plain, atol=3e-5)
    expected = np.swapaxes(np.linalg.inv(np.asarray(given, np.float64)), -1, -2)
    np.testing.assert_allclose(jax.vmap(inverse_transpose, 1, 1)(given), expected, rtol=1e-4, atol=1e-4)


SEVERAL = """
import jax, jax.numpy as jnp
from jaxstyle.losses import wasserstein_distance
from jaxstyle.ops.moments import moments
from jaxstyle.runtime import compiling

kernels = [jax.random.normal(jax.random.key(i), (3, 3, 3, 64)) for i in range(4)]

def loss(x, target):
    total = 0.0
    for kernel in kernels:
        y, z = (jax.lax.conv_general_dilated(i, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
                for i in (x, target))
        total += jnp.sum(wasserstein_distance(moments(y), moments(z)))
    return total

step = compiling.jit(jax.grad(loss))
x, target = (jax.random.normal(jax.random.key(i), (8, 64, 64, 3)) for i in (8, 9))
for _ in range(5):
    jax.block_until_ready(step(x, target))
"""


def test_several_batches_at_once_come_to_an_end():
    """With batched LAPACK calls in its place, such a program waited for ever on two cores."""
    subprocess.run([sys.executable, "-c", SEVERAL], check=True, timeout=120)
