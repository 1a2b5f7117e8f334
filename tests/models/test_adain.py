"""AdaIN by its equations, and the encoder and decoder around it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from style_reference import convolved, enlarged

from jaxstyle.models.adain import AdaIN, Styles, adain, regional_moments
from jaxstyle.ops.moments import Moments, moments


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def by_the_paper(features, painting):
    """Eq. 8 for one picture `[h, w, C]`, in float64."""
    features, painting = np.float64(features), np.float64(painting)
    plain = (features - features.mean((0, 1))) / np.sqrt(features.var((0, 1)) + 1e-5)
    return np.sqrt(painting.var((0, 1)) + 1e-5) * plain + painting.mean((0, 1))


def style_moments(paintings):
    """Moments `[1, S, …]`."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves)[None], *map(moments, paintings))


@jax.jit
def apply(x, shares, styles, strength):
    return adain(x, shares, regional_moments(x, shares), styles, strength)


@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0])
def test_interpolation_and_strength(strength):
    features, paintings = 2 * normal(0, 6, 5, 3) + 1, [normal(1, 4, 7, 3), 3 * normal(2, 5, 5, 3)]
    shares = np.broadcast_to(np.array([0.3, 0.7], np.float32), (1, 6, 5, 2))
    mixed = sum(share * by_the_paper(features, painting) for share, painting in zip((0.3, 0.7), paintings, strict=True))
    x = jnp.asarray(features[None])
    made = apply(x, jnp.asarray(shares), style_moments(paintings), jnp.array([strength]))
    np.testing.assert_allclose(made[0], strength * mixed + (1 - strength) * features, rtol=1e-4, atol=1e-4)


def test_masks_normalize_and_change_their_own_region():
    features, paintings = normal(0, 6, 4, 3), [5 * normal(1, 4, 7, 3), normal(2, 5, 5, 3) - 4]
    shares = np.zeros((1, 6, 4, 2), np.float32)
    shares[:, :2, :, 0] = shares[:, 3:, :, 1] = 1  # nothing is said of the third row
    x = jnp.asarray(features[None])
    made = apply(x, jnp.asarray(shares), style_moments(paintings), 1.0)[0]
    np.testing.assert_allclose(made[:2], by_the_paper(features[:2], paintings[0]), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(made[3:], by_the_paper(features[3:], paintings[1]), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(made[2], features[2], atol=1e-6)


def test_gradient():
    x, style, shares = jnp.asarray(normal(0, 1, 4, 4, 2)), style_moments([normal(1, 4, 4, 2)]), jnp.ones((1, 4, 4, 1))

    @jax.jit
    def loss(x):
        return jnp.sum(jnp.sin(adain(x, shares, regional_moments(x, shares), style)))

    step = normal(2, *x.shape)
    ahead, behind = loss(x + 1e-2 * step), loss(x - 1e-2 * step)
    np.testing.assert_allclose(jnp.vdot(jax.grad(loss)(x), step), (ahead - behind) / 2e-2, rtol=1e-2, atol=1e-3)


@functools.cache
def network():
    module = AdaIN(((4, 5), (6,)))
    pictures = np.zeros((1, 8, 8, 3), np.float32)
    style = Styles(Moments(jnp.ones((1, 1)), jnp.zeros((1, 1, 6)), jnp.zeros((1, 1, 6, 6))), jnp.ones(1))
    params = jax.jit(module.init)(jax.random.key(0), pictures, pictures[..., :1], style)["params"]
    leaves, tree = jax.tree.flatten(params)
    return module, tree.unflatten([np.asarray(leaf) + 0.2 * normal(i, *leaf.shape) for i, leaf in enumerate(leaves)])


def test_the_whole_network_by_hand():
    module, params = network()
    photo, painting = np.random.default_rng(0).random((2, 9, 8, 3), np.float32)

    def relu(x):
        return np.maximum(x, 0)

    def encoded(x):
        color, layers = params["encoder"]["preprocess"], params["encoder"]
        x = x @ np.float64(color["kernel"]) + color["bias"]
        for name in ("conv1_1", "conv1_2"):
            x = relu(convolved(x, layers[name]["kernel"]) + layers[name]["bias"])
        x = x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).max((1, 3))
        return relu(convolved(x, layers["conv2_1"]["kernel"]) + layers["conv2_1"]["bias"])

    x = by_the_paper(encoded(np.pad(photo, ((0, 1), (0, 0), (0, 0)), mode="reflect")), encoded(painting[:8]))
    for i, enlarges in enumerate((False, True, False)):  # of conv2_1, conv1_2 and conv1_1, mirrored
        layer = params[f"decoder_{i}"]
        x = convolved(enlarged(relu(x)) if enlarges else relu(x) if i else x, layer["kernel"]) + layer["bias"]
    of_style = jax.jit(lambda x: module.apply({"params": params}, x, method="style_of"))(painting[None])
    style = Styles(jax.tree.map(lambda leaf: leaf[None], of_style), jnp.ones(1))
    apply = jax.jit(lambda x, shares: module.apply({"params": params}, x, shares, style))
    made = apply(photo[None], np.ones((1, 9, 8, 1), np.float32))
    np.testing.assert_allclose(made[0], x[:9], rtol=1e-3, atol=1e-3)


def test_names_and_sizes_follow_from_the_widths():
    full = AdaIN(((64, 64), (128, 128), (256,) * 4, (512,)))
    assert full.layer == "relu4_1" and full.multiple == 8
    assert [level.features for level in full.plan] == [256, 256, 256, 256, 128, 128, 64, 64, 3]
    assert [level.doubles for level in full.plan] == [False, True, False, False, False, True, False, True, False]
