"""Metrics of a classifier's probabilities against their definitions in float64, and in cases known by hand."""

import jax
import numpy as np
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.metrics import (
    inception_score,
    label_histogram,
    label_sums,
    mean_confidence,
    merge,
    modes_covered,
    reverse_kl,
    variation_from_uniform,
)


def probabilities(seed, count=120, classes=7):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), count).astype(np.float32)


def reference_score(p):
    """Salimans et al. 2016: the exponential of the mean divergence, picture by picture."""
    p = p.astype(np.float64)
    marginal = p.mean(0)
    return np.exp(np.mean([scipy.stats.entropy(row, marginal) for row in p]))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000))
def test_they_are_their_definitions(seed):
    p = probabilities(seed)
    sums = label_sums(p)
    # float32 sums of 120 terms
    np.testing.assert_allclose(inception_score(sums), reference_score(p / p.sum(1, keepdims=True)), rtol=1e-5)
    np.testing.assert_allclose(mean_confidence(sums), p.max(1).mean(), rtol=1e-5)
    expected = np.bincount(p.argmax(1), minlength=7) / 120
    np.testing.assert_allclose(label_histogram(sums), expected, rtol=1e-6)


def test_the_extremes_of_the_inception_score():
    certain, unsure = np.eye(5, dtype=np.float32).repeat(4, 0), np.full((9, 5), 0.2, np.float32)
    np.testing.assert_allclose(inception_score(label_sums(certain)), 5, rtol=1e-6)  # log 0 is met and counts nothing
    np.testing.assert_allclose(inception_score(label_sums(unsure)), 1, rtol=1e-6)
    np.testing.assert_allclose(inception_score(label_sums(certain[:4])), 1, rtol=1e-6)  # one class only


def test_batches_fillers_and_devices():
    p = probabilities(0)
    weights = (np.arange(64) < 40).astype(np.float32)
    streamed = merge(label_sums(p[:80]), label_sums(np.concatenate([p[80:], p[:24]]), weights))
    on_devices = jax.pmap(lambda part: jax.lax.psum(label_sums(part), "devices"), "devices")(p.reshape(8, 15, 7))
    for found in (streamed, jax.tree.map(lambda leaf: leaf[0], on_devices)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found, label_sums(p))


def test_variation_from_uniform_by_hand():
    assert variation_from_uniform(np.full(4, 0.25)) == 0
    assert variation_from_uniform(np.array([1.0, 0, 0, 0])) == 0.75
    np.testing.assert_allclose(variation_from_uniform(np.array([0.3, 0.2, 0.25, 0.25])), 0.05)


def test_modes_and_reverse_kl():
    histogram = np.array([0.5, 0.25, 0.0, 0.25])
    assert modes_covered(histogram) == 3
    np.testing.assert_allclose(reverse_kl(histogram), scipy.stats.entropy(histogram, np.full(4, 0.25)), rtol=1e-12)
    counts = np.random.default_rng(0).multinomial(25_600, np.full(1000, 1e-3))
    assert modes_covered(counts / 25_600) == 1000
    np.testing.assert_allclose(reverse_kl(counts / 25_600), 999 / 51_200, rtol=0.15)  # its deviation is 4.5 %
