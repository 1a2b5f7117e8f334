"""Moments equal a float64 loop over positions, and they combine as sums over positions do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses import gram_matrix
from jaxstyle.ops import moments as statistics
from jaxstyle.ops.moments import Moments, combine, covariance, energy, scale

few = settings(derandomize=True, deadline=None, max_examples=12)
# A handful of shapes, as each is compiled anew.
shapes, seeds = st.sampled_from([(4, 5, 3), (1, 6, 2), (3, 1, 4), (1, 1, 1)]), st.integers(0, 2**32 - 1)

# float32 sums of some ten terms of order one.
ROUNDING = 1e-5


def features(seed, *shape, offset=0.3):
    return (np.random.default_rng(seed).standard_normal(shape) + offset).astype(np.float32)


moments = jax.jit(statistics.moments)


def assert_moments(actual, expected, tolerance=ROUNDING):
    assert isinstance(actual, Moments)
    for name, ours, theirs in zip(Moments._fields, actual, expected, strict=True):
        assert ours.dtype == jnp.float32, name
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=name)


@few
@given(shapes, seeds)
def test_moments_are_those_of_a_loop_over_positions(shape, seed):
    f = features(seed, *shape)
    assert_moments(moments(f), reference.moments(f))


@few
@given(shapes, seeds)
def test_weights_are_how_often_a_position_counts(shape, seed):
    f = features(seed, *shape)
    weights = np.random.default_rng(seed).uniform(0.1, 2, shape[:2]).astype(np.float32)
    assert_moments(moments(f, jnp.asarray(weights)), reference.moments(f, weights))


@few
@given(shapes, seeds)
def test_weights_of_one_change_nothing(shape, seed):
    f = features(seed, *shape)
    assert_moments(moments(f, jnp.ones(shape[:2])), moments(f))


def test_a_mask_leaves_only_its_own_positions():
    f = features(1, 4, 6, 3)
    mask = np.zeros((4, 6), np.float32)
    mask[1:3, 2:6] = 1
    spoilt = np.where(mask[..., None] > 0, f, 1e3).astype(np.float32)
    assert_moments(moments(spoilt, jnp.asarray(mask)), reference.moments(f[1:3, 2:6]))


def test_a_boolean_mask_counts_its_positions():
    f, mask = features(2, 3, 3, 2), np.eye(3, dtype=bool)
    assert_moments(moments(f, jnp.asarray(mask)), reference.moments(f, mask))


def test_an_empty_mask_gives_zero_moments_and_a_finite_gradient():
    f, mask = features(3, 3, 4, 2), jnp.zeros((3, 4))
    assert_moments(moments(f, mask), (0, np.zeros(2), np.zeros((2, 2))))
    gradient = jax.grad(lambda f: jnp.sum(moments(f, mask).second))(jnp.asarray(f))
    np.testing.assert_array_equal(gradient, np.zeros_like(f))


@few
@given(seeds, st.sampled_from([(1, 1), (3, 5), (4, 2)]))
def test_moments_of_tiles_combine_to_those_of_the_whole(seed, cut):
    f, (row, column) = features(seed, 5, 6, 3), cut
    tiles = [half for rows in (f[:row], f[row:]) for half in (rows[:, :column], rows[:, column:])]
    assert_moments(combine([moments(tile) for tile in tiles]), reference.moments(f))


def test_parts_of_which_nothing_counts_combine_to_nothing():
    """As of a style that has no place in any strip."""
    none = jax.tree.map(jnp.zeros_like, moments(jnp.ones((2, 3, 4))))
    both = combine([none, none])
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(both))


def test_the_gradient_through_combined_tiles_is_that_of_the_whole():
    f, target = jnp.asarray(features(4, 5, 6, 3)), features(5, 3, 3)

    def whole(f):
        return jnp.sum(jnp.square(moments(f).second - target))

    def tiled(f):
        return jnp.sum(jnp.square(combine([moments(f[:2]), moments(f[2:])]).second - target))

    reference.assert_near(jax.grad(tiled)(f), jax.grad(whole)(f), ROUNDING)


def test_styles_combine_by_weights_that_need_not_sum_to_one_whatever_their_sizes():
    small, large = moments(features(6, 2, 2, 3)), moments(features(7, 9, 9, 3, offset=2))
    blend = combine([small, large], jnp.asarray([6.0, 2.0]))
    expected = [0.75 * np.asarray(a) + 0.25 * np.asarray(b) for a, b in zip(small[1:], large[1:], strict=True)]
    assert_moments(blend, (4 + 81, *expected))


def test_a_weight_of_zero_leaves_a_style_out():
    first, second = moments(features(8, 3, 3, 2)), moments(features(9, 3, 3, 2, offset=5))
    assert_moments(combine([first, second], jnp.asarray([3.0, 0.0])), (18, first.mean, first.second))


def test_batches_combine_picture_by_picture():
    left, right = features(10, 3, 2, 4, 2), features(11, 3, 2, 5, 2)
    together = combine([moments(left), moments(right)])
    for i in range(3):
        whole = np.concatenate([left[i], right[i]], 1)
        assert_moments(jax.tree.map(lambda leaf, i=i: leaf[i], together), reference.moments(whole))


def test_combine_refuses_no_parts_and_a_wrong_number_of_weights():
    part = moments(features(12, 2, 2, 2))
    with pytest.raises(JaxstyleError, match="at least one"):
        combine([])
    with pytest.raises(JaxstyleError, match="2 Moments"):
        combine([part, part], jnp.ones(3))


@few
@given(shapes, seeds, st.floats(-3, 3))
def test_scale_gives_the_moments_of_scaled_features(shape, seed, factor):
    f = features(seed, *shape)
    assert_moments(scale(moments(f), factor), reference.moments(np.float32(factor) * f), 1e-4)


def test_every_picture_of_a_batch_has_its_own_scale():
    f, factors = features(13, 3, 2, 4, 2), np.array([0.5, 2, -1], np.float32)
    scaled = scale(moments(f), jnp.asarray(factors))
    for i in range(3):
        assert_moments(jax.tree.map(lambda leaf, i=i: leaf[i], scaled), reference.moments(factors[i] * f[i]))


@few
@given(shapes, seeds)
def test_energy_is_the_mean_square(shape, seed):
    f = features(seed, *shape)
    np.testing.assert_allclose(energy(moments(f)), np.mean(f.astype(np.float64) ** 2), rtol=ROUNDING)


@few
@given(st.sampled_from([(4, 5, 3), (2, 1, 4)]), seeds)
def test_covariance_is_numpys(shape, seed):
    f = features(seed, *shape)
    expected = np.cov(reference.positions(f), rowvar=False, ddof=0)
    np.testing.assert_allclose(covariance(moments(f)), expected, rtol=1e-4, atol=1e-5)


def test_the_gram_matrix_is_the_second_moment():
    f = features(14, 2, 3, 4, 5)
    np.testing.assert_allclose(gram_matrix(f), moments(f).second, rtol=ROUNDING, atol=ROUNDING)


def test_leading_axes_are_a_loop():
    f = features(15, 2, 3, 4, 5, 3)
    weights = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 3, 4, 5)), jnp.float32)
    for given_weights in (None, weights):
        batched = moments(f, given_weights)
        assert batched.count.shape == (2, 3) and batched.second.shape == (2, 3, 3, 3)
        for i, j in np.ndindex(2, 3):
            w = None if given_weights is None else given_weights[i, j]
            assert_moments(jax.tree.map(lambda leaf, i=i, j=j: leaf[i, j], batched), reference.moments(f[i, j], w))


@pytest.mark.parametrize("masked", [False, True])
def test_bfloat16_features_are_summed_in_float32(masked):
    # 64² values near 1: a bfloat16 sum stops growing at 256, where half a unit in the last place is 1.
    f = jnp.asarray(features(16, 64, 64, 3) * 0.1 + 1, jnp.bfloat16)
    weights = jnp.ones((64, 64)) if masked else None
    # The features themselves are exact (the reference gets the rounded ones); 4096 float32 additions remain.
    assert_moments(moments(f, weights), reference.moments(np.asarray(f, np.float32)), 2e-5)


def test_moments_of_bfloat16_have_a_gradient_in_bfloat16():
    f = jnp.asarray(features(17, 4, 4, 3), jnp.bfloat16)
    gradient = jax.grad(lambda f: jnp.sum(moments(f).second))(f)
    expected = 2 * np.sum(np.asarray(f, np.float32), -1, keepdims=True) / 16 * np.ones(3)
    assert gradient.dtype == jnp.bfloat16
    reference.assert_near(gradient, expected, 2**-7)  # bfloat16 keeps 8 bits
