"""Optimal transport against SciPy in float64, and the network around it: regions, strength, and what joins where."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from style_reference import convolved, enlarged

from jaxstyle.models.adain import Styles, regional_moments
from jaxstyle.models.transport_network import TransportNetwork
from jaxstyle.ops import instance_norm
from jaxstyle.ops.moments import covariance, moments
from jaxstyle.ops.transport import LEAST_SPREAD, ROUNDING, roots, transport

WIDTHS = ((4, 3), (5, 4), (6,))


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


def moved(features, painting):
    """The Gaussians' transport of one picture `[h, w, C]`, in float64."""

    def gaussian(x):
        x = np.float64(x).reshape(-1, x.shape[-1])
        cov = np.cov(x.T, bias=True)
        least = LEAST_SPREAD * np.trace(cov) / len(cov) + ROUNDING * np.square(x).mean(0).sum() + 1e-6
        return x.mean(0), cov + least * np.eye(len(cov))

    (mean, cov), (wanted, want) = gaussian(features), gaussian(painting)
    root = scipy.linalg.sqrtm(cov)
    inverse = np.linalg.inv(root)
    return wanted + (features - mean) @ (inverse @ scipy.linalg.sqrtm(root @ want @ root) @ inverse)


@jax.jit
def carried(x, shares, styles):
    return transport(x, shares, regional_moments(x, shares), styles)


def test_transport_is_of_the_equation_in_every_region():
    features, paintings = normal(0, 8, 9, 3) @ normal(1, 3, 3), [normal(2, 6, 7, 3) + 2, normal(3, 9, 5, 3) * 3]
    styles = jax.tree.map(lambda *leaves: jnp.stack(leaves)[None], *map(moments, paintings))
    shares = np.zeros((1, 8, 9, 2), np.float32)
    shares[:, :5, :, 0] = shares[:, 5:, :, 1] = 1
    made = carried(features[None], shares, styles)[0]
    np.testing.assert_allclose(made[:5], moved(features[:5], paintings[0]), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(made[5:], moved(features[5:], paintings[1]), rtol=1e-3, atol=1e-3)
    everywhere = np.broadcast_to(np.float32([0.3, 0.7]), shares.shape)
    blend = 0.3 * moved(features, paintings[0]) + 0.7 * moved(features, paintings[1])
    np.testing.assert_allclose(carried(features[None], everywhere, styles)[0], blend, rtol=1e-3, atol=1e-3)


def test_transport_gives_the_moments_and_leaves_what_has_them():
    features, painting = normal(0, 1, 20, 20, 4) @ normal(1, 4, 4), normal(2, 1, 30, 10, 4) @ normal(3, 4, 4) + 1
    shares = np.ones((1, 20, 20, 1), np.float32)
    made = moments(carried(features, shares, one_each(moments(painting))))
    # Less the share of its own spread that every direction is taken to have.
    np.testing.assert_allclose(made.mean, moments(painting).mean, atol=1e-4)
    cov = covariance(moments(painting))
    np.testing.assert_allclose(covariance(made), cov, atol=0.05 * np.abs(cov).max())
    np.testing.assert_allclose(carried(features, shares, one_each(moments(features))), features, atol=1e-2)


@pytest.mark.parametrize("size", [0.0, 0.5, 300.0])
def test_a_flat_region_becomes_the_styles_mean(size):
    x = np.float32(size) * (1 + 1e-6 * normal(1, 1, 64, 64, 3))  # so flat that its covariance is rounding alone
    style = one_each(moments(normal(0, 1, 5, 5, 3)))
    made = carried(x, np.ones((1, 64, 64, 1), np.float32), style)
    np.testing.assert_allclose(np.mean(made, (0, 1, 2)), style.mean[0, 0], atol=0.1)


def test_gradient():
    x, style, shares = (
        normal(0, 1, 4, 4, 3),
        one_each(moments(normal(1, 1, 4, 4, 3))),
        jnp.ones((1, 4, 4, 1)),
    )

    @jax.jit
    def loss(x):
        return jnp.sum(jnp.sin(transport(x, shares, regional_moments(x, shares), style)))

    step = normal(2, *x.shape)
    ahead, behind = loss(x + 1e-2 * step), loss(x - 1e-2 * step)
    np.testing.assert_allclose(jnp.vdot(jax.grad(loss)(x), step), (ahead - behind) / 2e-2, rtol=2e-2, atol=5e-3)


def test_regional_statistics_and_their_merging():
    x, shares = normal(0, 2, 8, 5, 3) + 3, np.random.default_rng(1).random((2, 8, 5, 2), np.float32)
    shares[:, :4, :, 1] = 0
    whole = instance_norm.regional_statistics(x, shares)
    for n in range(2):
        for s in range(2):
            flat, weights = np.float64(x[n]).reshape(-1, 3), np.float64(shares[n, ..., s]).ravel()
            np.testing.assert_allclose(whole.mean[n, s], np.average(flat, 0, weights), rtol=1e-5)
            spread = np.average((flat - np.average(flat, 0, weights)) ** 2, 0, weights)
            np.testing.assert_allclose(whole.variance[n, s], spread, rtol=1e-4)
    parts = [instance_norm.regional_statistics(x[:, rows], shares[:, rows]) for rows in (slice(4), slice(4, 8))]
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4), instance_norm.merge(parts), whole)


@functools.cache
def network():
    module = TransportNetwork(WIDTHS, 2, 1)
    init = functools.partial(module.init, method="reconstruct")
    params = jax.jit(init)(jax.random.key(0), np.zeros((1, 16, 16, 3), np.float32))["params"]
    leaves, tree = jax.tree.flatten(params)
    return module, tree.unflatten([np.asarray(leaf) + 0.2 * normal(i, *leaf.shape) for i, leaf in enumerate(leaves)])


@jax.jit
def apply(photos, shares, paintings, strength):
    """Photos `[N, …]` in the styles of paintings `[N, S, …]`."""
    module, params = network()
    look = functools.partial(module.apply, {"params": params}, method="style_of")
    return module.apply({"params": params}, photos, shares, Styles(jax.vmap(look)(paintings), strength))


def test_the_whole_network_by_hand():
    _, params = network()
    photo, painting = np.random.default_rng(0).random((2, 16, 12, 3), np.float32)

    def relu(x):
        return np.maximum(x, 0)

    def encoded(x):
        color, layers, seen = params["encoder"]["preprocess"], params["encoder"], []
        x = x @ np.float64(color["kernel"]) + color["bias"]
        for block, convolutions in enumerate((2, 2, 1), 1):
            for i in range(1, convolutions + 1):
                layer = layers[f"conv{block}_{i}"]
                x = relu(convolved(x, layer["kernel"]) + layer["bias"])
                seen += [x] if i == 1 else []
            if block < 3:
                x = x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).max((1, 3))
        return seen

    wanted = encoded(painting)
    told = []
    for x in (*reversed(wanted), painting):
        told += [x.mean((0, 1)), np.sqrt(x.var((0, 1)) + 1e-5)]
    told = np.concatenate(told)

    def normed(x, name):
        numbers = told @ params[name]["told"]["kernel"] + params[name]["told"]["bias"]
        scale, shift = np.split(numbers, 2) if len(numbers) > x.shape[-1] else (numbers, 0)
        return (1 + scale) * (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-5) + shift

    shallow, middle, deep = (moved(have, want) for have, want in zip(encoded(photo), wanted, strict=True))
    x = relu(normed(convolved(deep, params["enter"]["kernel"]), "enter"))
    y = relu(normed(convolved(x, params["residual1_1"]["kernel"]), "residual1_1"))
    x = x + normed(convolved(y, params["residual1_2"]["kernel"]), "residual1_2")
    x = convolved(enlarged(x), params["expand1"]["kernel"]) + convolved(middle, params["join2"]["kernel"])
    x = relu(normed(x, "expand1"))
    x = relu(normed(convolved(enlarged(x), params["expand2"]["kernel"]), "expand2"))
    x = convolved(x, params["expand3"]["kernel"]) + convolved(shallow, params["join1"]["kernel"])
    made = apply(photo[None], np.ones((1, 16, 12, 1), np.float32), painting[None, None], np.ones(1, np.float32))
    # Directions of little spread are amplified, and their rounding with them.
    np.testing.assert_allclose(made[0], moved(x, painting), atol=5e-3)


def test_strength_and_shares_let_the_photo_through():
    photo, first, second = np.random.default_rng(0).random((3, 16, 12, 3), np.float32)
    ones, full = np.ones((1, 16, 12, 1), np.float32), np.ones(1, np.float32)
    whole = apply(photo[None], ones, first[None, None], full)
    np.testing.assert_allclose(apply(photo[None], ones, first[None, None], 0 * full)[0], photo, atol=1e-6)
    half = apply(photo[None], ones, first[None, None], 0.5 * full)
    np.testing.assert_allclose(half[0], (whole[0] + photo) / 2, atol=1e-5)
    mask = ones.copy()
    mask[:, :8] = 0
    np.testing.assert_allclose(apply(photo[None], mask, first[None, None], full)[0, :8], photo[:8], atol=1e-6)
    twice = np.stack([first, first])[None]
    np.testing.assert_allclose(apply(photo[None], np.tile(ones / 2, 2), twice, full), whole, atol=1e-4)
    both = np.stack([first, second])[None]
    assert np.std(apply(photo[None], np.tile(ones / 2, 2), both, full) - whole) > 0.02


@pytest.mark.slow
def test_what_is_outside_a_mask_has_no_part_in_what_is_inside():
    network()  # outside of the trace
    photo, first, second = np.random.default_rng(0).random((3, 16, 128, 3), np.float32)
    dark = photo.copy()
    dark[:, 96:] *= 0.1  # farther from the masks than the network sees
    masks = np.zeros((1, 16, 128, 2), np.float32)
    masks[:, :, :16, 0] = masks[:, :, 16:32, 1] = 1
    full = np.ones(1, np.float32)
    for shares, paintings in ((masks[..., :1], first[None]), (masks, np.stack([first, second]))):
        made, other = (apply(x[None], shares, paintings[None], full)[0] for x in (photo, dark))
        np.testing.assert_allclose(made[:, :32], other[:, :32], atol=1e-3)
        assert np.abs(made[:, :16] - photo[:, :16]).max() > 0.1
