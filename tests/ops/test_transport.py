"""Optimal transport of features against SciPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from style_reference import transported, windows_transported

from jaxstyle.models.adain import regional_moments
from jaxstyle.ops.moments import covariance, moments
from jaxstyle.ops.transport import (
    WINDOW_VARIANCE,
    gaussian,
    roots,
    transport,
    transport_windows,
    window_vectors,
)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def one_each(tree):
    """Moments `[N, …]` as those of one style `[N, 1, …]`."""
    return jax.tree.map(lambda leaf: leaf[:, None], tree)


@pytest.mark.parametrize("least", [1.0, 1e-5])
def test_roots(least):
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((2, 30, 30)))[0]
    matrices = (basis * np.geomspace(least, 1, 30)) @ np.swapaxes(basis, -1, -2) * 7
    root, inverse = jax.jit(roots)(jnp.asarray(matrices, jnp.float32))
    for i in range(2):
        expected = scipy.linalg.sqrtm(matrices[i])
        np.testing.assert_allclose(root[i], expected, atol=1e-4 * np.abs(expected).max())
        # The smallest eigenvalue is known to float32's rounding of the largest, a hundredth of it here.
        expected = np.linalg.inv(expected)
        np.testing.assert_allclose(inverse[i], expected, atol=3e-2 * np.abs(expected).max())


@jax.jit
def transport_regions(x, shares, styles):
    return transport(x, shares, regional_moments(x, shares), gaussian(styles))


def test_every_region_is_transported_by_the_equation():
    features, paintings = normal(0, 8, 9, 3) @ normal(1, 3, 3), [normal(2, 6, 7, 3) + 2, normal(3, 9, 5, 3) * 3]
    styles = jax.tree.map(lambda *leaves: jnp.stack(leaves)[None], *map(moments, paintings))
    shares = np.zeros((1, 8, 9, 2), np.float32)
    shares[:, :5, :, 0] = shares[:, 5:, :, 1] = 1
    made = transport_regions(features[None], shares, styles)[0]
    np.testing.assert_allclose(made[:5], transported(features[:5], paintings[0]), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(made[5:], transported(features[5:], paintings[1]), rtol=1e-3, atol=1e-3)
    everywhere = np.broadcast_to(np.float32([0.3, 0.7]), shares.shape)
    blend = 0.3 * transported(features, paintings[0]) + 0.7 * transported(features, paintings[1])
    np.testing.assert_allclose(transport_regions(features[None], everywhere, styles)[0], blend, rtol=1e-3, atol=1e-3)


def test_transport_gives_the_styles_moments_and_keeps_features_that_have_them():
    features, painting = normal(0, 1, 20, 20, 4) @ normal(1, 4, 4), normal(2, 1, 30, 10, 4) @ normal(3, 4, 4) + 1
    shares = np.ones((1, 20, 20, 1), np.float32)
    made = moments(transport_regions(features, shares, one_each(moments(painting))))
    # The regularisation changes variances by `LEAST_VARIANCE` of their mean.
    np.testing.assert_allclose(made.mean, moments(painting).mean, atol=1e-4)
    cov = covariance(moments(painting))
    np.testing.assert_allclose(covariance(made), cov, atol=0.05 * np.abs(cov).max())
    np.testing.assert_allclose(transport_regions(features, shares, one_each(moments(features))), features, atol=1e-2)


@pytest.mark.parametrize("size", [0.0, 0.5, 300.0])
def test_a_flat_region_becomes_the_styles_mean(size):
    x = np.float32(size) * (1 + 1e-6 * normal(1, 1, 64, 64, 3))  # its covariance is rounding alone
    style = one_each(moments(normal(0, 1, 5, 5, 3)))
    made = transport_regions(x, np.ones((1, 64, 64, 1), np.float32), style)
    np.testing.assert_allclose(np.mean(made, (0, 1, 2)), style.mean[0, 0], atol=0.1)


def test_gradient():
    x, style, shares = (
        normal(0, 1, 4, 4, 3),
        one_each(moments(normal(1, 1, 4, 4, 3))),
        jnp.ones((1, 4, 4, 1)),
    )

    @jax.jit
    def loss(x):
        return jnp.sum(jnp.sin(transport(x, shares, regional_moments(x, shares), gaussian(style))))

    step = normal(2, *x.shape)
    ahead, behind = loss(x + 1e-2 * step), loss(x - 1e-2 * step)
    np.testing.assert_allclose(jnp.vdot(jax.grad(loss)(x), step), (ahead - behind) / 2e-2, rtol=2e-2, atol=5e-3)


def smooth(seed, *shape):
    """A picture whose neighbouring pixels resemble each other."""
    x = np.cumsum(np.cumsum(normal(seed, *shape), -3), -2)
    return (x / np.abs(x).max() + 1) / 2


@jax.jit
def windows_of_regions(x, shares, paintings):
    vectors = window_vectors(x, 5)
    styles = jax.tree.map(lambda *leaves: jnp.stack(leaves, 1), *(moments(window_vectors(y, 5)) for y in paintings))
    statistics = regional_moments(vectors, shares[:, ::2, ::2])
    return transport_windows(x, shares, statistics, gaussian(styles, WINDOW_VARIANCE))


def test_windows_are_transported_as_the_definition_says():
    x, first, second = smooth(0, 1, 24, 20, 3), smooth(1, 1, 30, 16, 3), normal(2, 1, 20, 28, 3)
    expected = [windows_transported(x[0], y[0], 5, WINDOW_VARIANCE) for y in (first, second)]
    for share in (1.0, 0.3):
        shares = np.broadcast_to(np.float32([share, 1 - share]), (1, 24, 20, 2))
        made = windows_of_regions(x, shares, (first, second))[0]
        blend = share * expected[0] + (1 - share) * expected[1]
        np.testing.assert_allclose(made, blend, atol=2e-3 * np.abs(blend).max())  # float32, condition some 1e3


def test_transported_windows_have_the_grain_of_the_style():
    x, painting = (smooth(i, 1, 64, 64, 3) + grain * normal(2 + i, 1, 64, 64, 3) for i, grain in enumerate((0.05, 0.1)))
    ones = np.ones((1, 64, 64, 1), np.float32)

    def grain(y):
        return float(np.std(np.diff(np.asarray(y), axis=2)))

    # The regularisation and the mean over windows, which do not agree, take a part of it.
    assert 0.8 < grain(windows_of_regions(x, ones, (painting,))) / grain(painting) < 1
    np.testing.assert_allclose(windows_of_regions(x, ones, (x,)), x, atol=2e-3)


def test_gradient_of_windows():
    x, paintings, shares = normal(0, 1, 8, 8, 1), (normal(1, 1, 8, 8, 1),), jnp.ones((1, 8, 8, 1))

    @jax.jit
    def loss(x):
        return jnp.sum(jnp.sin(windows_of_regions(x, shares, paintings)))

    step = normal(2, *x.shape)
    ahead, behind = loss(x + 1e-2 * step), loss(x - 1e-2 * step)
    np.testing.assert_allclose(jnp.vdot(jax.grad(loss)(x), step), (ahead - behind) / 2e-2, rtol=2e-2, atol=5e-3)
