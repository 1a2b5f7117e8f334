"""The Fréchet distance against SciPy's matrix root, and its sums however they are taken."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.errors import JaxstyleError
from jaxstyle.metrics import FeatureSums, feature_sums, frechet_distance, mean_and_covariance, merge


def reference(a, b):
    """Heusel et al.'s own way: the root of the product of covariances, from NumPy's estimates."""
    cov_a, cov_b = (np.atleast_2d(np.cov(side, rowvar=False)) for side in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    difference = a.mean(0) - b.mean(0)
    return difference @ difference + np.trace(cov_a) + np.trace(cov_b) - 2 * np.trace(np.real(root))


def two_sets(seed, dimension, count_a=200, count_b=150):
    """Correlated features far from 0, as those after a ReLU are; the second set a little off."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(dimension, dimension))
    a = rng.normal(size=(count_a, dimension)) @ mix + 5
    b = rng.normal(size=(count_b, dimension)) @ (mix + 0.1 * rng.normal(size=mix.shape)) + 5.1
    return a, b


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_it_is_scipys(seed, dimension):
    a, b = two_sets(seed, dimension)
    expected = reference(a, b)
    np.testing.assert_allclose(frechet_distance(feature_sums(a), feature_sums(b)), expected, rtol=1e-6)


def test_float32_features_are_summed_in_float64():
    """The project promises 1e-6; float32 sums of features this far from 0 would leave no digit of the covariance."""
    a, b = (side.astype(np.float32) + np.float32(300) for side in two_sets(1, 16, 5000, 4000))
    expected = reference(a.astype(np.float64), b.astype(np.float64))
    np.testing.assert_allclose(frechet_distance(feature_sums(a), feature_sums(b)), expected, rtol=1e-6)


def test_singular_covariances_have_their_exact_distance():
    """Features that never fire in one set or in both: diagonal covariances, whose distance is known by hand."""
    rng = np.random.default_rng(0)
    scales = np.array([[1, 2, 0, 0, 3], [2, 1, 0, 4, 0]], np.float64)
    white = np.linalg.qr(rng.normal(size=(400, 6)) - 0)[0]
    white = np.linalg.qr(white - white.mean(0))[0][:, :5] * np.sqrt(399)  # mean 0 and covariance 1, exactly
    a, b = (white * scale + scale for scale in scales)
    expected = 2 * np.sum((scales[0] - scales[1]) ** 2)  # of the means, and of the roots
    np.testing.assert_allclose(frechet_distance(feature_sums(a), feature_sums(b)), expected, rtol=1e-6)


def test_fewer_pictures_than_features():
    a, b = two_sets(3, 30, 12, 20)
    np.testing.assert_allclose(frechet_distance(feature_sums(a), feature_sums(b)), reference(a, b), rtol=1e-5)


def test_a_set_is_no_distance_from_itself():
    sums = feature_sums(two_sets(4, 20)[0])
    assert 0 <= frechet_distance(sums, sums) < 1e-10 * np.trace(mean_and_covariance(sums)[1])


def test_batches_and_fillers():
    a, b = two_sets(5, 8)
    weights = (np.arange(70) < 50).astype(np.float32)
    last = np.concatenate([a[150:], np.full((20, 8), 1e3)])
    streamed = merge(feature_sums(a[:90]), feature_sums(a[90:150]), feature_sums(last, weights))
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-12), streamed, feature_sums(a))
    assert frechet_distance(streamed, feature_sums(b)) == pytest.approx(reference(a, b), rel=1e-6)


def test_sums_over_devices_are_the_sums():
    a, _ = two_sets(6, 8, 160)
    batch = a.reshape(8, 20, 8).astype(np.float32)
    sums = jax.pmap(lambda part: jax.lax.psum(feature_sums(part), "devices"), "devices")(batch)
    one = FeatureSums(*(np.asarray(leaf)[0] for leaf in sums))
    assert one.number.dtype == jnp.float32
    # float32 sums of 160 products
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4), one, feature_sums(a.astype(np.float32)))


def test_what_cannot_be_compared_is_refused():
    a, b = two_sets(7, 4)
    with pytest.raises(JaxstyleError, match="at least 2 pictures, not 1"):
        frechet_distance(feature_sums(a[:1]), feature_sums(b))
    with pytest.raises(JaxstyleError, match="of 4 and of 3 dimensions"):
        frechet_distance(feature_sums(a), feature_sums(b[:, :3]))
    with pytest.raises(JaxstyleError, match="not finite"):
        frechet_distance(feature_sums(a * np.nan), feature_sums(b))
