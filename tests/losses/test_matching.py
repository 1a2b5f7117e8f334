"""Losses that match places, against NumPy in float64; gradients against central differences of those."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses import (
    matching_distance,
    nearest_distance,
    relaxed_transport_distance,
    self_similarity,
    self_similarity_distance,
)

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((20, 6))
VECTORS = reference.unit(RNG.standard_normal((15, 6)))
TARGETS = reference.unit(RNG.standard_normal((4, 5, 6)))
WEIGHTS = RNG.random((4, 5))
PHOTO = RNG.standard_normal((20, 6))


def pattern(x):
    x = reference.unit(x)
    apart = 1 - x @ x.T
    return apart / apart.sum(1, keepdims=True)


def apart(x):
    return 1 - reference.unit(x) @ VECTORS.T


CASES = {
    "matching": (
        lambda x: matching_distance(x.reshape(4, 5, 6), jnp.asarray(TARGETS, jnp.float32)),
        lambda x: (1 - (reference.unit(x.reshape(4, 5, 6)) * TARGETS).sum(-1)).mean(),
    ),
    "weighted": (
        lambda x: matching_distance(
            x.reshape(4, 5, 6), jnp.asarray(TARGETS, jnp.float32), jnp.asarray(WEIGHTS, jnp.float32)
        ),
        lambda x: (WEIGHTS * (1 - (reference.unit(x.reshape(4, 5, 6)) * TARGETS).sum(-1))).mean(),
    ),
    "nearest": (
        lambda x: nearest_distance(x, jnp.asarray(VECTORS, jnp.float32)),
        lambda x: apart(x).min(1).mean(),
    ),
    "relaxed-transport": (
        lambda x: relaxed_transport_distance(x, jnp.asarray(VECTORS, jnp.float32)),
        lambda x: max(apart(x).min(1).mean(), apart(x).min(0).mean()),
    ),
    "self-similarity": (
        lambda x: self_similarity_distance(x, self_similarity(jnp.asarray(PHOTO, jnp.float32))),
        lambda x: np.abs(pattern(x) - pattern(PHOTO)).mean() * len(x),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name):
    ours, exact = CASES[name]
    value, slope = jax.value_and_grad(ours)(jnp.asarray(FEATURES, jnp.float32))
    np.testing.assert_allclose(value, exact(FEATURES), rtol=1e-5)  # float32 of sums of some hundred terms
    numeric = reference.gradient(exact, FEATURES)
    np.testing.assert_allclose(slope, numeric, rtol=1e-3, atol=1e-4 * np.abs(numeric).max())


def test_what_is_all_taken_from_the_painting_is_at_no_distance():
    x = jnp.asarray(3 * VECTORS[[4, 4, 0, 9]], jnp.float32)
    assert float(nearest_distance(x, jnp.asarray(VECTORS, jnp.float32))) < 1e-6
    assert float(relaxed_transport_distance(x, jnp.asarray(VECTORS, jnp.float32))) > 0.05  # most vectors are not used
    photo = jnp.asarray(PHOTO, jnp.float32)
    same = self_similarity_distance(7 * photo, self_similarity(photo))
    assert float(same) < 1e-5  # lengths are not compared


@pytest.mark.parametrize("name", CASES)
def test_constant_features_give_finite_gradients(name):
    value, slope = jax.value_and_grad(CASES[name][0])(jnp.full((20, 6), 0.5))
    assert np.isfinite(value) and np.isfinite(slope).all()


def test_one_position_is_enough():
    one = jnp.float32([[0.3, -0.2]])
    assert np.isclose(relaxed_transport_distance(one, jnp.float32([[1, 0]])), 1 - 0.3 / np.hypot(0.3, 0.2), atol=1e-6)
    assert float(self_similarity_distance(one, self_similarity(one))) == 0


def test_shapes_are_not_broadcast():
    with pytest.raises(JaxstyleError, match=r"\(4, 5, 6\) and targets \(6,\) differ"):
        matching_distance(jnp.zeros((4, 5, 6)), jnp.zeros(6))
