"""Spectral normalisation against NumPy's singular values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.ops import spectral_norm


@pytest.fixture
def params():
    rng = np.random.default_rng(0)
    return {
        "Conv_0": {"kernel": jnp.float32(rng.standard_normal((3, 3, 4, 6))), "bias": jnp.ones(6, jnp.float32)},
        "Verdict_0": {"Embed_0": {"embedding": jnp.float32(3 * rng.standard_normal((5, 7)))}},
    }


def largest(kernel):
    return np.linalg.svd(np.float64(kernel).reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


def turned(params, times):
    vectors = spectral_norm.start_vectors(params, jax.random.key(1))
    iterate = jax.jit(spectral_norm.iterate)
    for _ in range(times):
        vectors = iterate(params, vectors)
    return vectors


def test_kernels_and_embeddings_are_divided_by_their_largest_singular_value(params):
    vectors = turned(params, 100)  # the error falls by the square of the ratio of the two largest a turn
    assert set(vectors) == {"Conv_0/kernel", "Verdict_0/Embed_0/embedding"}
    normal = spectral_norm.normalize(params, vectors)
    assert jax.tree.structure(normal) == jax.tree.structure(params)
    kernel, embedding = params["Conv_0"]["kernel"], params["Verdict_0"]["Embed_0"]["embedding"]
    np.testing.assert_allclose(normal["Conv_0"]["kernel"], kernel / largest(kernel), rtol=1e-4)
    np.testing.assert_allclose(normal["Verdict_0"]["Embed_0"]["embedding"], embedding / largest(embedding), rtol=1e-4)
    np.testing.assert_array_equal(normal["Conv_0"]["bias"], params["Conv_0"]["bias"])


def test_every_turn_brings_the_value_nearer_from_below(params):
    kernel, wanted = params["Conv_0"]["kernel"], largest(params["Conv_0"]["kernel"])
    values = []
    for times in (0, 1, 5):
        normal = spectral_norm.normalize(params, turned(params, times))["Conv_0"]["kernel"]
        values.append(float(kernel[0, 0, 0, 0] / normal[0, 0, 0, 0]))
    assert values[0] < values[1] < values[2] <= wanted * (1 + 1e-5)


def test_the_gradient_goes_through_the_singular_value(params):
    """By finite differences in float64 of `W / σ(W)`; the vectors are σ's own, whose change has no first order."""
    vectors = turned(params, 100)
    weights = np.random.default_rng(2).standard_normal((36, 6))

    def loss(kernel):
        changed = {**params, "Conv_0": {**params["Conv_0"], "kernel": kernel}}
        normal = spectral_norm.normalize(changed, vectors)["Conv_0"]["kernel"]
        return jnp.vdot(normal.reshape(-1, 6), jnp.float32(weights))

    kernel = np.float64(params["Conv_0"]["kernel"])
    found = jax.grad(loss)(params["Conv_0"]["kernel"])
    for index in [(0, 0, 0, 0), (1, 2, 3, 5), (2, 0, 1, 3)]:
        step = np.zeros_like(kernel)
        step[index] = 1e-6
        above, below = (np.vdot(k.reshape(-1, 6) / largest(k), weights) for k in (kernel + step, kernel - step))
        np.testing.assert_allclose(found[index], (above - below) / 2e-6, rtol=1e-3)


def test_a_kernel_of_zeros_stays_one_without_nan():
    params = {"Conv_0": {"kernel": jnp.zeros((1, 1, 2, 3), jnp.float32)}}
    normal = spectral_norm.normalize(params, turned(params, 2))
    np.testing.assert_array_equal(normal["Conv_0"]["kernel"], np.zeros((1, 1, 2, 3)))
