"""The importance weighted bound on a model whose likelihood is known: z ~ N(0, 1), x | z ~ N(z, σ²)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.variational import gaussian_kl, gaussian_log_density
from jaxstyle.metrics.iwae import iwae_bound

NOISE = 0.5  # σ²
X = np.linspace(-2, 2, 6, dtype=np.float32)
TRUTH = scipy.stats.norm.logpdf(X.astype(float), 0, np.sqrt(1 + NOISE))


def log_weights(mean, variance):
    """Of draws from the normal distribution q, one mean an example."""
    log_variance, x = jnp.log(jnp.asarray([[variance]], jnp.float32)), jnp.asarray(X)[:, None]
    mean = jnp.asarray(mean, jnp.float32)[:, None]

    def weights(keys):
        z = mean + jnp.exp(log_variance / 2) * jax.vmap(jax.vmap(lambda key: jax.random.normal(key, ())))(keys)
        joint = gaussian_log_density(z, jnp.zeros_like(z), jnp.zeros_like(z))
        joint += gaussian_log_density(x, z, jnp.full_like(z, np.log(NOISE)))
        return joint - gaussian_log_density(z, mean, log_variance)

    return weights


POOR = log_weights(0.5 * X, 0.7)


def keys(count=6):
    return jax.random.split(jax.random.key(0), count)


@functools.partial(jax.jit, static_argnames=("samples", "chunk"))
def poor_bound(keys, samples, chunk=8):
    return iwae_bound(POOR, keys, samples, chunk=chunk)


@pytest.mark.parametrize("samples", [1, 7])
def test_it_is_the_log_likelihood_where_q_is_the_posterior(samples):
    exact = log_weights(X / (1 + NOISE), NOISE / (1 + NOISE))
    np.testing.assert_allclose(jax.jit(lambda k: iwae_bound(exact, k, samples))(keys()), TRUTH, atol=2e-6)


def bounds(samples, repeats=2000):
    """The bound of each example many times over, `[repeats, 6]`."""
    many = jax.random.split(jax.random.key(1), (repeats, len(X)))
    return np.asarray(jax.jit(jax.vmap(lambda k: iwae_bound(POOR, k, samples)))(many), np.float64)


def test_one_sample_is_in_expectation_the_evidence_lower_bound_by_its_closed_form():
    mean, variance = 0.5 * X.astype(float), 0.7
    likelihood = -((X - mean) ** 2 + variance) / (2 * NOISE) - np.log(2 * np.pi * NOISE) / 2
    kl = gaussian_kl(jnp.asarray(mean, jnp.float32), jnp.full(len(X), np.log(variance), jnp.float32))
    found = bounds(1)
    error = 4 * found.std(0) / np.sqrt(len(found))  # four standard errors
    assert np.all(np.abs(found.mean(0) - (likelihood - np.asarray(kl))) < error)


def test_more_samples_are_tighter_and_never_above_the_truth():
    means = [bounds(samples).mean(0) for samples in (1, 5, 50)]
    assert np.all(means[0] < means[1]) and np.all(means[1] < means[2])
    assert np.all(means[2] < TRUTH + 0.02) and np.all(means[2] > TRUTH - 0.05)


@pytest.mark.parametrize("chunk", [1, 3, 10, 11])
def test_chunks_make_no_difference(chunk):
    np.testing.assert_allclose(poor_bound(keys(), 10, chunk), poor_bound(keys(), 10, 5), rtol=2e-6)


def test_it_equals_the_sum_written_out():
    def written_out(keys):
        return POOR(jax.vmap(lambda key: jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(10)))(keys))

    weights = np.asarray(jax.jit(written_out)(keys()), np.float64)
    np.testing.assert_allclose(poor_bound(keys(), 10, 3), np.log(np.mean(np.exp(weights), 1)), rtol=1e-5)


def test_one_device_is_eight_devices():
    parts = jax.pmap(lambda k, x: iwae_bound(lambda keys: tiled(keys, x), k, 6))(
        keys(16).reshape(8, 2), np.arange(16, dtype=np.float32).reshape(8, 2)
    )
    whole = jax.jit(lambda k: iwae_bound(lambda keys: tiled(keys, jnp.arange(16, dtype=jnp.float32)), k, 6))(keys(16))
    np.testing.assert_allclose(np.asarray(parts).reshape(-1), whole, rtol=1e-6)


def tiled(keys, x):
    return x[:, None] * jax.vmap(jax.vmap(lambda key: jax.random.normal(key, ())))(keys)


def test_memory_is_that_of_a_chunk():
    """What the compiled program needs does not grow with the number of samples."""

    def wide(keys):
        values = jax.vmap(jax.vmap(lambda key: jax.random.normal(key, (4096,))))(keys)
        return jnp.max(jnp.sort(values, -1), -1)

    sizes = [
        jax.jit(lambda k, n=n: iwae_bound(wide, k, n, chunk=2)).lower(keys()).compile().memory_analysis()
        for n in (2, 400)
    ]
    assert sizes[1].temp_size_in_bytes <= 1.1 * sizes[0].temp_size_in_bytes + 1024


def test_weights_far_apart_do_not_overflow():
    np.testing.assert_allclose(
        iwae_bound(lambda k: jnp.full(k.shape, -1e4, jnp.float32), keys(), 3), np.full(len(X), -1e4), rtol=1e-6
    )


def test_no_samples_are_refused():
    for samples, chunk in [(0, 1), (1, 0)]:
        with pytest.raises(JaxstyleError, match="at least one sample"):
            iwae_bound(POOR, keys(), samples, chunk=chunk)
