"""Adversarial losses against closed forms in float64; penalties against a linear and a curved discriminator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.adversarial import (
    ADVERSARIAL_LOSSES,
    RELATIVISTIC,
    gradient_penalty,
    logits_and_penalties,
    r1_penalty,
)

LOSSES = {**ADVERSARIAL_LOSSES, "relativistic": RELATIVISTIC}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# (discriminator's loss, generator's loss), of real and fake logits, as the papers write them.
EXPECTED = {
    "minimax": (lambda r, f: -np.log(sigmoid(r)) - np.log(1 - sigmoid(f)), lambda r, f: np.log(1 - sigmoid(f))),
    "non-saturating": (lambda r, f: -np.log(sigmoid(r)) - np.log(1 - sigmoid(f)), lambda r, f: -np.log(sigmoid(f))),
    "least-squares": (lambda r, f: (r - 1) ** 2 / 2 + f**2 / 2, lambda r, f: (f - 1) ** 2 / 2),
    "wasserstein": (lambda r, f: f - r, lambda r, f: -f),
    "hinge": (lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f), lambda r, f: -f),
    "relativistic": (lambda r, f: -np.log(sigmoid(r - f)), lambda r, f: -np.log(sigmoid(f - r))),
}


def generator_loss(name, real, fake):
    """The generator's losses, by both logits where they are compared."""
    return LOSSES[name].generator(*((fake, real) if LOSSES[name].paired else (fake,)))


logits = st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=6)
few = settings(derandomize=True, deadline=None, max_examples=10)
every_loss = pytest.mark.parametrize("name", LOSSES)


@every_loss
@few
@given(logits)
def test_losses_equal_the_papers(name, values):
    real, fake = np.float32(values), np.float32(values[::-1])
    discriminator, generator = EXPECTED[name]
    # float32: an error of some 1e-6 of numbers up to 9, whose differences may be small.
    np.testing.assert_allclose(
        LOSSES[name].discriminator(real, fake),
        discriminator(np.float64(real), np.float64(fake)),
        1e-5,
        1e-5,
    )
    expected = generator(np.float64(real), np.float64(fake))
    np.testing.assert_allclose(generator_loss(name, real, fake), expected, 1e-5, 1e-5)


@every_loss
def test_gradients_equal_finite_differences(name):
    real, fake = np.float32([-3, -0.4, 0.3, 2.5]), np.float32([1.7, -2.2, 0.6, -0.1])  # no hinge's corner among them
    discriminator, generator = EXPECTED[name]
    by_real, by_fake = jax.grad(lambda r, f: LOSSES[name].discriminator(r, f).sum(), (0, 1))(real, fake)
    reference.assert_near(by_real, reference.gradient(lambda r: discriminator(r, np.float64(fake)).sum(), real), 1e-5)
    reference.assert_near(by_fake, reference.gradient(lambda f: discriminator(np.float64(real), f).sum(), fake), 1e-5)
    found = jax.grad(lambda f: generator_loss(name, real, f).sum())(fake)
    reference.assert_near(found, reference.gradient(lambda f: generator(np.float64(real), f).sum(), fake), 1e-5)


@every_loss
def test_far_logits_stay_finite_with_finite_gradients(name):
    far = jnp.float32([-1e4, 1e4])
    for loss in (
        lambda x: LOSSES[name].discriminator(x, x[::-1]).sum(),
        lambda x: generator_loss(name, x[::-1], x),
    ):
        value, gradient = jax.value_and_grad(lambda x, loss=loss: loss(x).sum())(far)
        assert np.isfinite(value) and np.all(np.isfinite(gradient))


def test_the_generators_gradient_vanishes_in_minimax_alone_where_the_discriminator_is_confident():
    slope = jax.grad(generator_loss, 2)
    slopes = {name: abs(float(slope(name, jnp.float32(0), jnp.float32(-20)))) for name in LOSSES}
    assert slopes.pop("minimax") < 1e-8 and min(slopes.values()) > 0.99


@every_loss
def test_bfloat16_logits_are_compared_in_float32(name):
    losses = LOSSES[name].discriminator(jnp.ones(3, jnp.bfloat16), jnp.zeros(3, jnp.bfloat16))
    ones = jnp.ones(3, jnp.bfloat16)
    assert losses.dtype == jnp.float32 and generator_loss(name, ones, ones).dtype == jnp.float32


@every_loss
def test_shapes_that_would_broadcast_are_refused(name):
    with pytest.raises(JaxstyleError, match="differ in shape"):
        LOSSES[name].discriminator(jnp.zeros(4), jnp.zeros((4, 1)))


def pictures(seed, count=5):
    return np.random.default_rng(seed).standard_normal((count, 4, 3, 2)).astype(np.float32)


def linear(weights):
    return lambda images: jnp.einsum("nhwc,hwc->n", images, weights)


def test_penalties_of_a_linear_discriminator_are_those_of_its_weights():
    weights = pictures(0, 1)[0]
    norm = np.linalg.norm(weights)
    np.testing.assert_allclose(r1_penalty(linear(weights), pictures(1)), np.full(5, norm**2 / 2), rtol=1e-5)
    found = gradient_penalty(linear(weights), pictures(1), pictures(2), jnp.linspace(0, 1, 5))
    np.testing.assert_allclose(found, np.full(5, (norm - 1) ** 2), rtol=1e-5)
    # By the weights: r1's gradient is w, the gradient penalty's 2 (1 - 1/|w|) w.
    by_r1 = jax.grad(lambda w: r1_penalty(linear(w), pictures(1)).mean())(weights)
    np.testing.assert_allclose(by_r1, weights, rtol=1e-5)
    by_gp = jax.grad(lambda w: gradient_penalty(linear(w), pictures(1), pictures(2), jnp.zeros(5)).mean())(weights)
    np.testing.assert_allclose(by_gp, 2 * (1 - 1 / norm) * weights, rtol=1e-4)


def curved(weights, images):
    return np.sum(np.sin(images) * weights, (1, 2, 3)) + 0.2 * np.sum(images**2, (1, 2, 3)) ** 2 / 24


def test_penalties_of_a_curved_discriminator_equal_finite_differences():
    weights, real, fake = pictures(3, 1)[0], pictures(4), pictures(5)
    mix = np.float32([0, 0.2, 0.5, 0.9, 1])

    def discriminate(images):
        own = jnp.einsum("nhwc,hwc->n", jnp.sin(images), weights)
        return own + 0.2 * jnp.sum(jnp.square(images), (1, 2, 3)) ** 2 / 24

    def squared(images):
        return np.array([np.sum(reference.gradient(lambda x: curved(weights, x[None])[0], one) ** 2) for one in images])

    np.testing.assert_allclose(r1_penalty(discriminate, real), squared(real) / 2, rtol=1e-4)
    share = np.float64(mix)[:, None, None, None]
    between = share * real + (1 - share) * fake
    expected = (np.sqrt(squared(between)) - 1) ** 2
    np.testing.assert_allclose(gradient_penalty(discriminate, real, fake, mix), expected, rtol=1e-4, atol=1e-6)


def test_one_pullback_gives_the_logits_and_both_penalties():
    weights, real, fake = pictures(3, 1)[0], pictures(4), pictures(5)

    def discriminate(images):
        own = jnp.einsum("nhwc,hwc->n", jnp.sin(images), weights)
        return own + 0.2 * jnp.sum(jnp.square(images), (1, 2, 3)) ** 2 / 24, images.shape

    joint = np.concatenate([real, fake])
    logits, halves, others = logits_and_penalties(discriminate, joint)
    slopes = [reference.gradient(lambda x: curved(weights, x[None])[0], one) for one in joint]
    np.testing.assert_allclose(logits, curved(np.float64(weights), np.float64(joint)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(halves, [np.sum(slope**2) / 2 for slope in slopes], rtol=1e-4)
    np.testing.assert_allclose(halves[:5], r1_penalty(lambda images: discriminate(images)[0], real), rtol=1e-5)
    assert others == (10, 4, 3, 2)


def test_the_gradient_of_a_loss_with_both_penalties_equals_finite_differences():
    """As a step takes it: of relativistic loss, R1 and R2 by a parameter, here the frequency of a sine."""
    real, fake = pictures(6, 3), pictures(7, 3)

    def loss(rate):
        logits, halves, _ = logits_and_penalties(
            lambda images: (jnp.sum(jnp.sin(rate * images), (1, 2, 3)), None), jnp.concatenate([real, fake])
        )
        return jnp.mean(RELATIVISTIC.discriminator(logits[:3], logits[3:])) + 0.7 * jnp.mean(halves)

    def expected(rate):
        joint = np.float64(np.concatenate([real, fake]))
        logits, halves = np.sin(rate * joint).sum((1, 2, 3)), ((rate * np.cos(rate * joint)) ** 2).sum((1, 2, 3)) / 2
        return np.mean(np.logaddexp(0, logits[3:] - logits[:3])) + 0.7 * np.mean(halves)

    found, wanted = jax.grad(loss)(jnp.float32(0.9)), reference.gradient(expected, np.float64(0.9))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_penalties_second_derivatives_equal_finite_differences():
    """As training takes them: of a penalty by a parameter, here the frequency of a sine."""
    real, fake, mix = pictures(6, 3), pictures(7, 3), np.float32([0.3, 0.6, 0.8])

    def both(rate, real=real, fake=fake):
        def discriminate(images):
            return jnp.sum(jnp.sin(rate * images), (1, 2, 3))

        return jnp.mean(r1_penalty(discriminate, real) + gradient_penalty(discriminate, real, fake, mix))

    def expected(rate):
        def squared(images):
            return np.sum((rate * np.cos(rate * images)) ** 2, (1, 2, 3))

        share = np.float64(mix)[:, None, None, None]
        slope = np.sqrt(squared(share * real + (1 - share) * fake))
        return np.mean(squared(np.float64(real)) / 2 + (slope - 1) ** 2)

    found, wanted = jax.grad(both)(jnp.float32(0.9)), reference.gradient(expected, np.float64(0.9))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_a_flat_discriminator_has_penalty_one_and_no_gradient():
    weights = jnp.zeros((4, 3, 2), jnp.float32)
    value, gradient = jax.value_and_grad(
        lambda w: gradient_penalty(linear(w), pictures(1), pictures(2), jnp.zeros(5)).mean()
    )(weights)
    assert value == 1
    np.testing.assert_array_equal(gradient, np.zeros_like(weights))


def test_pictures_of_different_shape_are_refused():
    with pytest.raises(JaxstyleError, match="differ in shape"):
        gradient_penalty(linear(jnp.ones((4, 3, 2))), jnp.zeros((5, 4, 3, 2)), jnp.zeros((1, 4, 3, 2)), jnp.zeros(5))
