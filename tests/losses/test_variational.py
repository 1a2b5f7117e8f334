"""Likelihoods against SciPy in float64, the KL against integration, gradients against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import scipy.integrate
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses import variational

SHAPE = (2, 4, 3, 2)  # N, H, W, C


def values(seed, *shape, scale=1.0):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def levels(seed, *shape):
    """8-bit pictures in [0, 1], darkest and lightest pixels among them."""
    whole = np.random.default_rng(seed).integers(0, 256, shape)
    whole[..., 0, 0, :], whole[..., 0, 1, :] = 0, 255
    return (whole / 255).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def bernoulli(logits, log_scale, pictures):
    p = sigmoid(logits)
    return np.sum(scipy.special.xlogy(pictures, p) + scipy.special.xlog1py(1 - pictures, -p), (-3, -2, -1))


def gaussian(logits, log_scale, pictures):
    logs = scipy.stats.norm.logpdf(pictures, sigmoid(logits), np.exp(np.asarray(log_scale, np.float64)))
    return np.sum(logs, (-3, -2, -1))


def discretized_logistic(logits, log_scale, pictures):
    level = np.rint(np.asarray(pictures, np.float64) * 255)
    distribution = scipy.stats.logistic(sigmoid(logits), np.exp(np.asarray(log_scale, np.float64)))
    upper = np.where(level == 255, np.inf, (level + 0.5) / 255)
    lower = np.where(level == 0, -np.inf, (level - 0.5) / 255)
    return np.sum(np.log(distribution.cdf(upper) - distribution.cdf(lower)), (-3, -2, -1))


REFERENCES = {"bernoulli": bernoulli, "gaussian": gaussian, "discretized_logistic": discretized_logistic}


@pytest.mark.parametrize("name", list(variational.LIKELIHOODS))
def test_log_likelihood_and_its_gradients_equal_the_reference(name):
    logits, log_scale, pictures = values(1, *SHAPE), values(2, 2, scale=0.3) - 1.5, levels(3, *SHAPE)
    ours, wanted = variational.LIKELIHOODS[name], REFERENCES[name]
    result = ours(jnp.asarray(logits), log_scale, pictures)
    assert (result.shape, result.dtype) == ((2,), jnp.float32)
    np.testing.assert_allclose(result, wanted(logits, log_scale, pictures), rtol=2e-5)  # float32 sums of some hundred
    grads = jax.grad(lambda *args: jnp.sum(ours(*args, pictures)), (0, 1))(jnp.asarray(logits), jnp.asarray(log_scale))
    of_logits = reference.gradient(lambda x: np.sum(wanted(x, log_scale, pictures)), logits)
    of_scale = reference.gradient(lambda x: np.sum(wanted(logits, x, pictures)), log_scale)
    reference.assert_near(grads[0], of_logits, 1e-4)
    if name == "bernoulli":
        np.testing.assert_array_equal(grads[1], 0)
    else:
        reference.assert_near(grads[1], of_scale, 1e-4)


def test_discretized_logistic_is_a_distribution_over_levels():
    every = jnp.asarray(np.arange(256).reshape(256, 1, 1, 1) / 255, jnp.float32)
    for logit, log_scale in [(0.0, -1.0), (-3.0, -5.0), (8.0, -3.0)]:
        logs = variational.discretized_logistic_log_likelihood(
            jnp.full((256, 1, 1, 1), logit, jnp.float32), jnp.full(1, log_scale, jnp.float32), every
        )
        np.testing.assert_allclose(np.sum(np.exp(np.asarray(logs, np.float64))), 1, rtol=1e-5)


def test_discretized_logistic_is_finite_and_right_far_out_in_the_tail():
    """The mass of level 0.5 under a sharp logistic at 1: a difference of sigmoids would be 0 and its log -inf."""
    picture, logits = jnp.full((1, 1, 1), 128 / 255, jnp.float32), jnp.full((1, 1, 1), 20.0, jnp.float32)
    log_scale = jnp.full(1, -7.0, jnp.float32)
    value, gradient = jax.value_and_grad(variational.discretized_logistic_log_likelihood)(logits, log_scale, picture)
    sharp, mean = np.exp(7.0), sigmoid(20.0)
    a, b = ((128 + shift) / 255 - mean for shift in (-0.5, 0.5))
    np.testing.assert_allclose(value, b * sharp + np.log1p(-np.exp((a - b) * sharp)), rtol=1e-5)  # σ(x) = exp x there
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_bernoulli_is_finite_for_sure_predictions(logit):
    logits = jnp.full((1, 1, 1), logit, jnp.float32)
    for pixel in (0.0, 1.0):
        value, gradient = jax.value_and_grad(variational.bernoulli_log_likelihood)(
            logits, jnp.zeros(1, jnp.float32), jnp.full((1, 1, 1), pixel, jnp.float32)
        )
        wanted = 0.0 if (logit > 0) == (pixel > 0) else -200.0
        assert float(value) == wanted and np.all(np.isfinite(gradient))


def test_gaussian_kl_equals_integration():
    mean, log_variance = values(4, 5), values(5, 5)
    for m, v, ours in zip(mean, log_variance, variational.gaussian_kl(mean, log_variance), strict=True):
        q = scipy.stats.norm(float(m), float(np.exp(np.float64(v) / 2)))
        wanted, _ = scipy.integrate.quad(
            lambda z, q=q: q.pdf(z) * (q.logpdf(z) - scipy.stats.norm.logpdf(z)), -15, 15, epsabs=1e-10
        )
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-6)


def test_gaussian_kl_gradients_equal_the_reference():
    mean, log_variance = values(6, 3, 4), values(7, 3, 4)

    def wanted(m, v):
        return np.sum(m**2 + np.exp(v) - 1 - v) / 2

    grads = jax.grad(lambda m, v: jnp.sum(variational.gaussian_kl(m, v)), (0, 1))(mean, log_variance)
    reference.assert_near(grads[0], reference.gradient(lambda m: wanted(m, log_variance.astype(float)), mean), 1e-5)
    reference.assert_near(grads[1], reference.gradient(lambda v: wanted(mean.astype(float), v), log_variance), 1e-5)


@given(mean=st.floats(-8, 8, width=32), log_variance=st.floats(-12, 5, width=32))
@settings(deadline=None, max_examples=50)
def test_gaussian_kl_is_zero_only_at_the_prior(mean, log_variance):
    kl = float(variational.gaussian_kl(jnp.float32([mean]), jnp.float32([log_variance]))[0])
    assert kl >= 0 and float(variational.gaussian_kl(jnp.zeros(1), jnp.zeros(1))[0]) == 0


def test_gaussian_log_density_equals_scipy():
    x, mean, log_variance = values(8, 6), values(9, 6), values(10, 6)
    wanted = scipy.stats.norm.logpdf(x, mean, np.exp(log_variance.astype(float) / 2))
    np.testing.assert_allclose(variational.gaussian_log_density(x, mean, log_variance), wanted, rtol=1e-5)


def test_free_bits_mean_is_the_sum_of_maxima():
    kl = np.abs(values(11, 8, 5))
    floor = float(np.median(kl.mean(0)))  # some latents pay, some do not
    result = variational.free_bits(jnp.asarray(kl), floor, jnp.asarray(kl.mean(0)))
    assert result.shape == (8,)
    np.testing.assert_allclose(np.mean(result), np.sum(np.maximum(kl.mean(0), floor)), rtol=1e-6)
    np.testing.assert_allclose(variational.free_bits(jnp.asarray(kl), 0.0, jnp.asarray(kl.mean(0))), kl.sum(1), 1e-6)
    grad = jax.grad(lambda k: jnp.mean(variational.free_bits(k, floor, jnp.asarray(kl.mean(0)))))(jnp.asarray(kl))
    np.testing.assert_allclose(grad, np.broadcast_to((kl.mean(0) > floor) / 8, kl.shape))


def test_warm_up_rises_to_beta():
    weights = [float(variational.kl_weight(4.0, jnp.int32(step), 10)) for step in (0, 5, 10, 1000)]
    assert weights == [0.0, 2.0, 4.0, 4.0]
    assert float(variational.kl_weight(0.5, jnp.int32(0), 0)) == 0.5


def encoded_pair():
    return jnp.asarray(values(12, 2, 3, 3, 4)), jnp.asarray(values(13, 2, 3, 3, 4))


@pytest.mark.parametrize(
    ("loss", "moves"),
    [(variational.codebook_loss, 1), (variational.commitment_loss, 0)],
    ids=["codebook", "commitment"],
)
def test_quantization_losses_and_whom_they_move(loss, moves):
    pair = encoded_pair()

    def wanted(x, y):
        return np.mean(np.sum((x.astype(float) - y) ** 2, -1), (1, 2))

    np.testing.assert_allclose(loss(*pair), wanted(*map(np.asarray, pair)), rtol=1e-5)
    grads = jax.grad(lambda *args: jnp.sum(loss(*args)), (0, 1))(*pair)
    moving, other = np.asarray(pair[moves]), np.asarray(pair[1 - moves])
    reference.assert_near(grads[moves], reference.gradient(lambda x: np.sum(wanted(x, other)), moving), 1e-4)
    np.testing.assert_array_equal(grads[1 - moves], 0)


def test_straight_through_has_one_value_and_the_other_gradient():
    encoded, quantized = encoded_pair()
    np.testing.assert_allclose(variational.straight_through(encoded, quantized), quantized, atol=1e-6)
    weights = jnp.asarray(values(14, *encoded.shape))
    grads = jax.grad(lambda *args: jnp.sum(weights * variational.straight_through(*args)), (0, 1))(encoded, quantized)
    np.testing.assert_array_equal(grads[0], weights)
    np.testing.assert_array_equal(grads[1], 0)


def test_shapes_that_would_broadcast_are_refused():
    one, many = jnp.zeros((1, 4, 4, 1), jnp.float32), jnp.zeros((2, 4, 4, 1), jnp.float32)
    for likelihood in variational.LIKELIHOODS.values():
        with pytest.raises(JaxstyleError, match="differ in shape"):
            likelihood(one, jnp.zeros(1, jnp.float32), many)
    for loss in (variational.codebook_loss, variational.commitment_loss, variational.straight_through):
        with pytest.raises(JaxstyleError, match="differ in shape"):
            loss(one, many)
    with pytest.raises(JaxstyleError, match="differ in shape"):
        variational.gaussian_kl(one, many)


def test_bfloat16_logits_are_summed_in_float32():
    logits = jnp.zeros((64, 64, 1), jnp.bfloat16)
    value = variational.bernoulli_log_likelihood(logits, jnp.zeros(1, jnp.float32), jnp.ones((64, 64, 1), jnp.float32))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, -64 * 64 * np.log(2), rtol=1e-6)  # bfloat16 sums would be 0.4 % apart
