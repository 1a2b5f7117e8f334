"""The transport network against NumPy: every layer by hand, strength, shares and masks."""

import functools

import jax
import numpy as np
import pytest
from style_reference import convolved, enlarged, transported, windows_transported

from jaxstyle.models.adain import Styles
from jaxstyle.models.transport_network import COLOR_VARIANCE, TransportNetwork
from jaxstyle.ops.transport import WINDOW_VARIANCE

WIDTHS = ((4, 3), (5, 4), (6,))


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@functools.cache
def network():
    module = TransportNetwork(WIDTHS, 2, 1, window=3)
    init = functools.partial(module.init, method="reconstruct")
    with jax.ensure_compile_time_eval():  # whichever test comes first may call this inside of `apply`
        params = jax.jit(init)(jax.random.key(0), np.zeros((1, 16, 16, 3), np.float32))["params"]
    leaves, tree = jax.tree.flatten(params)
    return module, tree.unflatten([np.asarray(leaf) + 0.2 * normal(i, *leaf.shape) for i, leaf in enumerate(leaves)])


@jax.jit
def apply(photos, shares, paintings, strength):
    """Photos `[N, …]` in the styles of paintings `[N, S, …]`."""
    module, params = network()
    style_of = functools.partial(module.apply, {"params": params}, method="style_of")
    return module.apply({"params": params}, photos, shares, Styles(jax.vmap(style_of)(paintings), strength))


def test_the_whole_network_by_hand():
    _, params = network()
    photo, painting = np.random.default_rng(0).random((2, 16, 12, 3), np.float32)

    def relu(x):
        return np.maximum(x, 0)

    def encoded(x):
        color, layers, features = params["encoder"]["preprocess"], params["encoder"], []
        x = x @ np.float64(color["kernel"]) + color["bias"]
        for block, convolutions in enumerate((2, 2, 1), 1):
            for i in range(1, convolutions + 1):
                layer = layers[f"conv{block}_{i}"]
                x = relu(convolved(x, layer["kernel"]) + layer["bias"])
                features += [x] if i == 1 else []
            if block < 3:
                x = x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).max((1, 3))
        return features

    style = encoded(painting)
    code = []
    for x in (*reversed(style), painting):
        code += [x.mean((0, 1)), np.sqrt(x.var((0, 1)) + 1e-5)]
    code = np.concatenate(code)

    def normed(x, name):
        numbers = code @ params[name]["told"]["kernel"] + params[name]["told"]["bias"]
        scale, shift = np.split(numbers, 2) if len(numbers) > x.shape[-1] else (numbers, 0)
        return (1 + scale) * (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-5) + shift

    shallow, middle, deep = (transported(*pair) for pair in zip(encoded(photo), style, strict=True))
    x = relu(normed(convolved(deep, params["enter"]["kernel"]), "enter"))
    y = relu(normed(convolved(x, params["residual1_1"]["kernel"]), "residual1_1"))
    x = x + normed(convolved(y, params["residual1_2"]["kernel"]), "residual1_2")
    x = convolved(enlarged(x), params["expand1"]["kernel"]) + convolved(middle, params["join2"]["kernel"])
    x = relu(normed(x, "expand1"))
    x = relu(normed(convolved(enlarged(x), params["expand2"]["kernel"]), "expand2"))
    x = convolved(x, params["expand3"]["kernel"]) + convolved(shallow, params["join1"]["kernel"])
    made = apply(photo[None], np.ones((1, 16, 12, 1), np.float32), painting[None, None], np.ones(1, np.float32))
    # Directions of little variance are amplified, and their rounding with them.
    colored = transported(x, painting, COLOR_VARIANCE)
    np.testing.assert_allclose(made[0], windows_transported(colored, painting, 3, WINDOW_VARIANCE), atol=5e-3)


def test_strength_and_shares_blend_in_the_photo():
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
def test_pixels_outside_all_masks_do_not_change_those_inside():
    network()  # outside of the trace
    photo, first, second = np.random.default_rng(0).random((3, 16, 128, 3), np.float32)
    dark = photo.copy()
    dark[:, 96:] *= 0.1  # farther from the masks than the receptive field
    masks = np.zeros((1, 16, 128, 2), np.float32)
    masks[:, :, :16, 0] = masks[:, :, 16:32, 1] = 1
    full = np.ones(1, np.float32)
    for shares, paintings in ((masks[..., :1], first[None]), (masks, np.stack([first, second]))):
        made, other = (apply(x[None], shares, paintings[None], full)[0] for x in (photo, dark))
        np.testing.assert_allclose(made[:, :32], other[:, :32], atol=1e-3)
        assert np.abs(made[:, :16] - photo[:, :16]).max() > 0.1
