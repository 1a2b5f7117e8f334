"""R3GAN's networks: a block in float64 NumPy, its beginning, sizes and groups, bad widths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from jaxstyle.errors import JaxstyleError
from jaxstyle.models import r3gan
from jaxstyle.tasks.gan_config import Config
from jaxstyle.training.config import override


def test_a_block_is_an_inverted_bottleneck_beside_its_shortcut():
    rng, block = np.random.default_rng(0), r3gan.Block(group=2, variance=1.0)
    x = rng.standard_normal((2, 5, 4, 3)).astype(np.float32)
    shapes = jax.eval_shape(block.init, jax.random.key(0), x)
    variables = jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape).astype(np.float32) / 2, shapes)
    params = {"/".join(path): np.float64(leaf) for path, leaf in flatten_dict(variables["params"]).items()}

    def leaky(x):
        return np.where(x > 0, x, 0.2 * x)

    y = np.pad(leaky(x @ params["expand/kernel"] + params["expand/bias"]), ((0, 0), (1, 1), (1, 1), (0, 0)))
    z = np.zeros((2, 5, 4, 6))
    for out in range(6):  # three groups of two channels
        own = y[..., out // 2 * 2 : out // 2 * 2 + 2]
        for i in range(3):
            for j in range(3):
                z[..., out] += own[:, i : i + 5, j : j + 4] @ params["grouped/kernel"][i, j, :, out]
    expected = x + leaky(z + params["grouped/bias"]) @ params["project/kernel"]
    np.testing.assert_allclose(block.apply(variables, x), expected, rtol=1e-5, atol=1e-4)


def test_it_begins_as_its_shortcuts_with_kernels_scaled_by_depth():
    discriminator = r3gan.Discriminator((8, 8, 3), width=64, blocks=1)
    images = jax.random.normal(jax.random.key(0), (4, 8, 8, 3))
    params = jax.jit(discriminator.init)(jax.random.key(1), images)["params"]
    deviation = (2 / 1.04) ** 0.5 * 2**-0.25  # leaky ReLU's gain; two blocks
    found = params["block0_0"]
    assert found["expand"]["kernel"].std() == pytest.approx(deviation / 64**0.5, rel=0.03)
    assert found["grouped"]["kernel"].shape == (3, 3, 16, 128)  # eight groups of sixteen
    assert found["grouped"]["kernel"].std() == pytest.approx(deviation / (9 * 16) ** 0.5, rel=0.03)
    assert not np.any(found["project"]["kernel"])
    # All layers but blocks are linear: so is the network, until the blocks' last kernels have moved.
    logits = jax.jit(lambda params, images: discriminator.apply({"params": params}, images))
    np.testing.assert_allclose(logits(params, 3 * images), 3 * logits(params, images), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "patch", "sizes"),
    [
        ((32, 32, 3), 1, [(32, 32, 8), (16, 16, 16), (8, 8, 32), (4, 4, 64)]),
        ((28, 28, 1), 2, [(14, 14, 8), (7, 7, 16)]),
    ],
)
def test_the_sizes_of_feature_maps(shape, patch, sizes):
    assert r3gan.Generator(shape, 8, patch=patch).sizes() == sizes


def test_halving_and_doubling_are_bilinear():
    network, rows = r3gan.Generator((16, 16, 1), 8), np.arange(8.0, dtype=np.float32)
    ramp = np.broadcast_to(rows[None, :, None, None], (1, 8, 8, 1))
    doubled = network.resampled(jnp.asarray(ramp), 0)[0, :, 3, 0]
    np.testing.assert_allclose(doubled[1:-1], np.arange(1, 15) / 2 - 0.25, atol=1e-5)
    halved = network.resampled(jnp.asarray(ramp).repeat(2, 1).repeat(2, 2), 1)[0, :, 3, 0]
    np.testing.assert_allclose(halved[1:-1], rows[1:-1], atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "shape", "sentence"),
    [
        ({"patch": 3}, (28, 28, 1), "model.patch is 3; it must divide the sides of pictures of 28x28 pixels"),
        ({"group": 24}, (28, 28, 1), "model.group is 24; it must divide 2 times model.generator_width, 128"),
        ({"patch": 2}, (12, 12, 1), "no pictures of 12x12 pixels"),
    ],
)
def test_what_cannot_be_is_told(changes, shape, sentence):
    config = override(Config(), {f"model.{name}": value for name, value in changes.items()})
    with pytest.raises(JaxstyleError, match=sentence):
        r3gan.build(config, shape, 0)
