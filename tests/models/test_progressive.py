"""Growing networks: sizes are faded in without a jump, and draw nothing before."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.models import progressive
from jaxstyle.models.progressive import doubled
from jaxstyle.ops.functional import average_pool

RNG = np.random.default_rng(0)
LATENTS, LABELS = RNG.standard_normal((3, 8)).astype(np.float32), np.array([0, 4, 2])
IMAGES = RNG.standard_normal((3, 8, 16, 2)).astype(np.float32)


def fades(*later):
    return jnp.array([1.0, *later])


@pytest.fixture(scope="module")
def generator():
    network = progressive.Generator((8, 16, 2), 4, classes=5)
    return network, jax.jit(lambda key: network.init(key, LATENTS, LABELS))(jax.random.key(0))


@pytest.fixture(scope="module")
def discriminator():
    network = progressive.Discriminator((8, 16, 2), 4, classes=5, axis=None)
    return network, jax.jit(lambda key: network.init(key, IMAGES, LABELS, True))(jax.random.key(0))


def applied(network, variables, *arguments, **now):
    return jax.jit(lambda variables, *arguments: network.clone(**now).apply(variables, *arguments))(
        variables, *arguments
    )


def test_a_size_that_begins_is_the_smaller_one_doubled_and_another_later(generator):
    small, begun, half, whole = (
        np.asarray(applied(*generator, LATENTS, LABELS, level=level, fades=fades(share)))
        for level, share in ((0, 0.0), (1, 0.0), (1, 0.5), (1, 1.0))
    )
    assert small.shape == (3, 4, 8, 2) and whole.shape == (3, 8, 16, 2)
    np.testing.assert_allclose(begun, doubled(small), atol=1e-6)
    np.testing.assert_allclose(half, (doubled(small) + whole) / 2, atol=1e-5)
    assert np.abs(whole - begun).max() > 0.1
    for share in (0.0, 0.5):  # as evaluations draw, who know no size
        full = applied(*generator, LATENTS, LABELS, fades=fades(share))
        np.testing.assert_allclose(full, half if share else begun, atol=1e-5)


@pytest.mark.slow
def test_a_size_that_begins_is_scored_as_the_smaller_one(discriminator):
    small, begun, whole = (
        np.asarray(applied(*discriminator, images, LABELS, level=level, fades=fades(share)))
        for images, level, share in ((average_pool(IMAGES), 0, 0.0), (IMAGES, 1, 0.0), (IMAGES, 1, 1.0))
    )
    np.testing.assert_allclose(begun, small, rtol=1e-4, atol=1e-5)
    assert np.abs(whole - begun).max() > 1e-3
    np.testing.assert_allclose(applied(*discriminator, IMAGES, LABELS, fades=fades(0.0)), small, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_layers_of_later_sizes_are_there_and_have_no_gradient(generator):
    network, variables = generator
    small = network.clone(level=0, fades=fades(0.0))
    slopes = jax.jit(jax.grad(lambda params: jnp.sum(small.apply({"params": params}, LATENTS, LABELS) ** 2)))(
        variables["params"]
    )
    sizes = {name: max(np.abs(leaf).max() for leaf in jax.tree.leaves(tree)) for name, tree in slopes.items()}
    assert {name for name, size in sizes.items() if not size} == {"conv1_0", "conv1_1", "picture1"}
    assert variables["params"]["conv1_0"]["kernel"].shape == (3, 3, 8, 4)


def test_features_have_mean_square_one_and_doubled_pictures_shrink_to_themselves():
    np.testing.assert_allclose(jnp.mean(progressive.pixel_norm(IMAGES) ** 2, -1), 1, rtol=1e-5)
    np.testing.assert_allclose(average_pool(doubled(IMAGES)), IMAGES, atol=1e-6)
