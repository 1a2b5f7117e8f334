"""Nearest neighbours and bags of vectors, against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

from jaxstyle.ops import matching

RNG = np.random.default_rng(0)


def vectors(count, channels=5, seed=0):
    return np.random.default_rng(seed).standard_normal((count, channels)).astype(np.float32)


def sorted_rows(x):
    return np.asarray(x)[np.argsort(np.asarray(x)[:, 0])]


@pytest.mark.parametrize("count", [1, 7, 64, 65])
def test_the_nearest_are_those_of_the_largest_cosine(count):
    queries, bag = vectors(count, seed=1), reference.unit(vectors(40))
    expected = (reference.unit(queries) @ bag.T).argmax(1)
    for chunk in (8, 64):
        found = matching.nearest(jnp.asarray(queries), jnp.asarray(bag, jnp.float32), chunk)
        np.testing.assert_array_equal(found, expected)


def test_every_vector_is_its_own_nearest_whatever_its_length():
    bag = reference.unit(vectors(30, 8)).astype(np.float32)
    lengths = np.exp(RNG.standard_normal((30, 1))).astype(np.float32)
    np.testing.assert_array_equal(matching.nearest(lengths * bag, jnp.asarray(bag)), np.arange(30))


def test_unit_vectors():
    at = vectors(6)
    np.testing.assert_allclose(matching.unit(jnp.asarray(at)), reference.unit(at), rtol=1e-5)
    nought = jnp.zeros((2, 3))
    np.testing.assert_array_equal(matching.unit(nought), nought)
    slope = jax.grad(lambda x: jnp.sum(matching.unit(x) * 3))(nought)
    assert np.isfinite(slope).all()


def test_systematic_sampling_keeps_proportions():
    weights = np.float32([0, 5, 1, 0, 2, 0])
    counts = np.bincount(matching.systematic(jnp.asarray(weights), 80), minlength=6)
    np.testing.assert_array_equal(counts, [0, 50, 10, 0, 20, 0])
    some = np.random.default_rng(3).random(50).astype(np.float32)
    counts = np.bincount(matching.systematic(jnp.asarray(some), 1000), minlength=50)
    assert np.abs(counts - 1000 * some / some.sum()).max() <= 1 + 1e-3  # float32 of the running sum


def test_a_bag_holds_the_painting_centred_and_of_unit_length():
    features = RNG.random((6, 7, 4)).astype(np.float32)
    mean = features.mean((0, 1))
    found = matching.bag(jnp.asarray(features), jnp.asarray(mean), 100)
    expected = reference.unit((features - mean).reshape(-1, 4).astype(np.float64))
    np.testing.assert_allclose(sorted_rows(found.vectors), sorted_rows(expected), atol=2e-6)
    some = np.asarray(jax.jit(matching.bag, static_argnums=2)(jnp.asarray(features), jnp.asarray(mean), 10).vectors)
    places = [np.abs(expected - one).max(1).argmin() for one in some]
    assert len(set(places)) == 10 and np.abs(expected[places] - some).max() < 2e-6
    assert len({place % 7 for place in places}) > 3  # not a few columns


def test_a_bag_of_what_a_mask_shows_holds_nothing_else():
    features = RNG.random((6, 6, 3)).astype(np.float32)
    mask = np.zeros((6, 6), np.float32)
    mask[:2] = 1
    mean = features[:2].mean((0, 1))
    found = np.asarray(matching.bag(jnp.asarray(features), jnp.asarray(mean), 20, jnp.asarray(mask)).vectors)
    expected = reference.unit((features[:2] - mean).reshape(-1, 3))
    assert found.shape == (20, 3)  # fewer are visible than asked for: some are there twice
    assert max(np.abs(expected - one).max(1).min() for one in found) < 2e-6


def test_several_paintings_are_in_the_bag_in_their_proportions():
    made = [
        matching.Bag(jnp.full(2, float(i)), jnp.tile(jnp.float32([[1, 0], [0, 1]][i]), (count, 1)))
        for i, count in enumerate((100, 60))
    ]
    found = matching.combine_bags(made, jnp.float32([3, 1]))
    assert found.vectors.shape == (100, 2)
    np.testing.assert_allclose(found.vectors.mean(0), [0.75, 0.25], atol=0.011)  # a hundredth is one vector
    np.testing.assert_allclose(found.mean, [0.25, 0.25])
    alone = matching.combine_bags(made, jnp.float32([0, 1]))
    np.testing.assert_array_equal(alone.vectors, jnp.tile(jnp.float32([0, 1]), (100, 1)))


def test_local_contrast_is_the_share_of_the_variance_around_a_place():
    features = RNG.random((12, 11, 3)).astype(np.float32) + 50
    features[:6] = 50.5
    found = np.asarray(matching.local_contrast(jnp.asarray(features), 3))
    exact = features.astype(np.float64)
    padded = np.pad(exact, ((1, 1), (1, 1), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
    expected = windows.var((-2, -1)).sum(-1) / exact.var((0, 1)).sum()
    np.testing.assert_allclose(found, expected, atol=1e-4)  # float32's digits of 50 squared
    assert found[:5].max() < 1e-4 < found[7:].min()


def test_degenerate_pictures_have_no_contrast_and_still_match():
    flat = jnp.full((8, 8, 3), 0.7)
    np.testing.assert_allclose(matching.local_contrast(flat), 0, atol=1e-6)
    found = matching.bag(flat, jnp.full(3, 0.7), 16)
    np.testing.assert_allclose(found.vectors, 0, atol=1e-6)
    assert int(matching.nearest(jnp.zeros((1, 3)), found.vectors)[0]) == 0
    assert matching.local_contrast(jnp.ones((1, 1, 2))).shape == (1, 1)
