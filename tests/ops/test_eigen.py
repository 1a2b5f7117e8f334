"""Eigenvalues against NumPy in float64, batched in every way; and that two batches at once come to an end."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.ops.eigen import eigenvalues, eigh


def symmetric(*shape):
    x = np.random.default_rng(0).standard_normal(shape)
    return x + np.swapaxes(x, -1, -2)


def test_values_and_vectors_are_numpys():
    matrices = symmetric(2, 3, 7, 7)
    values, vectors = eigh(jnp.asarray(matrices, jnp.float32))
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrices), rtol=1e-4, atol=1e-5)
    rebuilt = (vectors * values[..., None, :]) @ jnp.swapaxes(vectors, -1, -2)
    np.testing.assert_allclose(rebuilt, matrices, atol=2e-5)  # float32, of some 5


def test_mapped_is_as_written_out():
    matrices = jnp.asarray(symmetric(3, 2, 5, 5), jnp.float32)
    plain = eigenvalues(matrices)
    for mapped in (jax.vmap(eigenvalues), jax.vmap(jax.vmap(eigenvalues)), jax.vmap(eigenvalues, 1, 1)):
        np.testing.assert_allclose(mapped(matrices), plain, rtol=1e-5, atol=1e-6)


def test_its_gradient_is_autodiffs():
    matrices = jnp.asarray(symmetric(2, 6, 6), jnp.float32)
    weights = jnp.arange(1.0, 7.0)

    def weighted(values):
        return jnp.sum(jnp.sin(values) * weights)

    ours = jax.grad(lambda x: weighted(jax.vmap(eigenvalues)(x).reshape(-1, 6)[0]))(matrices)
    expected = jax.grad(lambda x: weighted(jnp.linalg.eigvalsh(x[0])))(matrices)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


SEVERAL = """
import jax, jax.numpy as jnp
from jaxstyle.runtime import compiling
from jaxstyle.ops.eigen import eigenvalues

kernels = [jax.random.normal(jax.random.key(i), (3, 3, 3, 64)) for i in range(4)]

def loss(x):
    total = 0.0
    for kernel in kernels:
        y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        total += jnp.sum(jnp.sqrt(jnp.abs(eigenvalues(jnp.einsum("nhwc,nhwd->ncd", y, y)))))
    return total

step = compiling.jit(jax.grad(loss))
x = jax.random.normal(jax.random.key(9), (8, 64, 64, 3))
for _ in range(5):
    jax.block_until_ready(step(x))
"""


def test_several_batches_at_once_come_to_an_end():
    """With `jnp.linalg.eigvalsh` in its place, this waited for ever three times of three on two cores."""
    subprocess.run([sys.executable, "-c", SEVERAL], check=True, timeout=120)
