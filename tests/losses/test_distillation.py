"""Distillation's errors against float64 NumPy, and their gradients against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxstyle.losses.distillation import ENERGY_FLOOR, activation_error, cosine, moment_error
from jaxstyle.ops.moments import moments


@pytest.fixture
def pair():
    rng = np.random.default_rng(4)
    return rng.standard_normal((2, 5, 4, 3)).astype(np.float32), rng.standard_normal((2, 5, 4, 3)).astype(np.float32)


def test_activation_error_is_the_relus_unless_its_output_is_wrongly_zero(pair):
    target = np.maximum(pair[1], 0)
    z, t = pair[0].astype(np.float64), target.astype(np.float64)
    error = np.where(t > 0, z - t, np.maximum(z, 0)) ** 2
    expected = [error[i].mean() / (np.mean(t[i] ** 2) + ENERGY_FLOOR) for i in range(2)]
    np.testing.assert_allclose(activation_error(pair[0], target), expected, rtol=1e-5)  # float32 sums of 60 numbers
    slope = jax.grad(lambda z: jnp.sum(activation_error(z, target)))(jnp.full_like(pair[0], -1.0))
    assert (np.asarray(slope)[target > 0] < 0).all() and (np.asarray(slope)[target == 0] == 0).all()


def test_moment_error_compares_gram_matrices_relative_to_the_target(pair):
    a, b = (x.astype(np.float64).reshape(2, -1, 3) for x in pair)
    grams = [np.einsum("npc,npd->ncd", x, x) / 20 for x in (a, b)]
    expected = ((grams[0] - grams[1]) ** 2).sum((1, 2)) / ((grams[1] ** 2).sum((1, 2)) + 3 * ENERGY_FLOOR**2)
    np.testing.assert_allclose(moment_error(*map(moments, pair)), expected, rtol=1e-5)
    np.testing.assert_array_equal(moment_error(moments(pair[0]), moments(pair[0])), 0)


def test_errors_are_finite_for_targets_of_zeros():
    zeros = jnp.zeros((1, 4, 4, 3))

    def total(x):
        return jnp.sum(activation_error(x, zeros)) + jnp.sum(moment_error(moments(x), moments(zeros)))

    assert total(zeros) == 0
    value, slope = jax.value_and_grad(total)(zeros + 1)
    assert jnp.isfinite(value) and jnp.all(jnp.isfinite(slope)) and jnp.any(slope > 0)


def test_cosine_is_of_whole_pictures(pair):
    a, b = (x.astype(np.float64).reshape(2, -1) for x in pair)
    expected = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(cosine(*pair), expected, rtol=1e-5)
    np.testing.assert_allclose(cosine(pair[0], 7 * pair[0]), 1, rtol=1e-6)
    np.testing.assert_array_equal(cosine(jnp.zeros((1, 2, 2, 3)), jnp.ones((1, 2, 2, 3))), 0)


def test_gradients(pair):
    target = jnp.asarray(pair[1])

    def total(x):
        return jnp.sum(activation_error(x, target)) + jnp.sum(moment_error(moments(x), moments(target)))

    check_grads(total, (jnp.asarray(pair[0]),), 1, modes=["rev"], atol=2e-2, rtol=2e-2)  # float32 differences


def test_shapes_must_agree(pair):
    with pytest.raises(ValueError, match=r"predicted has shape \(2, 5, 4, 3\), target \(2, 5, 4, 1\)"):
        activation_error(pair[0], pair[1][..., :1])
    assert jax.eval_shape(cosine, *pair).shape == (2,)
