"""The networks of translations: what a patch sees, and what normalisation takes away."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.models.patch_discriminator import PatchDiscriminator
from jaxstyle.models.residual_generator import ResidualGenerator
from jaxstyle.models.unet_generator import UNetGenerator

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("halvings", "patch", "side"), [(1, 16, 24), (2, 34, 48), (3, 70, 96)])
def test_a_logit_sees_a_patch(halvings, patch, side, monkeypatch):
    """Of the published size, but for the statistics, which are of the whole picture."""
    monkeypatch.setattr("jaxstyle.models.patch_discriminator.InstanceNorm", lambda: lambda x: x)
    network = PatchDiscriminator(2, halvings)
    pictures = RNG.random((1, side, side, 3), np.float32)
    params = jax.jit(network.init)(jax.random.key(0), pictures)
    logits = jax.jit(network.apply)(params, pictures)
    assert logits.shape == (1, side // 2**halvings - 2, side // 2**halvings - 2)
    middle = logits.shape[1] // 2
    slopes = jax.jit(jax.grad(lambda x: network.apply(params, x)[0, middle, middle]))(pictures)
    rows = np.flatnonzero(np.any(np.asarray(slopes[0]) != 0, (1, 2)))
    assert rows[-1] - rows[0] + 1 == min(patch, rows[-1] + 1, side - rows[0])
    assert len(rows) <= patch and len(rows) > patch - 2**halvings * 4


def test_pictures_are_judged_one_by_one():
    network, pictures = PatchDiscriminator(4, 2), RNG.random((3, 16, 16, 3), np.float32)
    params = jax.jit(network.init)(jax.random.key(0), pictures)
    apply = jax.jit(network.apply)
    one = jnp.concatenate([apply(params, picture[None]) for picture in pictures])
    np.testing.assert_allclose(apply(params, pictures), one, atol=1e-5)
    for shape in ((16, 18, 3), (8, 16, 3)):
        with pytest.raises(JaxstyleError, match="cannot be halved 2 times"):
            network.check(shape)


@pytest.mark.slow
def test_normalisation_removes_contrast_and_without_it_blocks_begin_as_the_identity():
    pictures, weights = RNG.random((1, 16, 16, 3), np.float32), jnp.ones((1, 1))
    made = {}
    for normed in (True, False):
        network = ResidualGenerator(width=4, blocks=1, normed=normed)
        params = jax.jit(network.init)(jax.random.key(0), pictures, weights)
        apply = jax.jit(network.apply)
        made[normed] = [np.asarray(apply(params, scale * pictures, weights)) for scale in (1.0, 0.5)]
    np.testing.assert_allclose(*made[True], atol=1e-3)  # but for the epsilon of the variance
    assert np.abs(made[False][0] - made[False][1]).max() > 0.01
    assert not np.any(params["params"]["residual1_2"]["kernel"])


def test_a_unet_makes_colours_of_any_size():
    network, pictures = UNetGenerator(4, 2), RNG.random((2, 13, 10, 3), np.float32)
    params = jax.jit(network.init)(jax.random.key(0), pictures, jnp.ones((2, 1)))
    made = np.asarray(jax.jit(network.apply)(params, pictures, jnp.ones((2, 1))))
    assert made.shape == pictures.shape and 0 < made.min() < made.max() < 1
    one = jax.jit(network.apply)(params, pictures[:1], jnp.ones((1, 1)))
    np.testing.assert_allclose(made[:1], one, atol=1e-5)  # normalised each by itself


@pytest.mark.slow
def test_a_generator_gives_features_of_its_first_half():
    network, pictures = ResidualGenerator(width=4, blocks=3), RNG.random((2, 16, 14, 3), np.float32)
    params = jax.jit(network.init)(jax.random.key(0), pictures, jnp.ones((2, 1)))
    first, *rest = jax.jit(lambda params, x: network.apply(params, x, method="encoded"))(params, pictures)
    _, seen = network.apply(
        params, pictures, jnp.ones((2, 1)), capture_intermediates=lambda _, method: method == "convolve"
    )
    np.testing.assert_array_equal(first[:, :, :14], pictures)  # padded as for a translation
    for name, features in zip(("contract2", "contract3", "residual1_1", "residual2_1"), rest, strict=True):
        np.testing.assert_allclose(features, seen["intermediates"][name]["convolve"][0], atol=1e-5, err_msg=name)
