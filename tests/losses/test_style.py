"""Every style distance against its float64 reference, at its degenerate inputs, and against other tools' factors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle import losses
from jaxstyle.losses import wasserstein_distance, wasserstein_root
from jaxstyle.losses.style import floored_root
from jaxstyle.ops.moments import covariance, moments

DISTANCES = {
    "gram": (losses.gram_distance, reference.gram_distance),
    "wasserstein": (wasserstein_distance, reference.wasserstein_distance),
    "mean-std": (losses.mean_std_distance, reference.mean_std_distance),
}
every_distance = pytest.mark.parametrize("name", DISTANCES)


def features(seed, *shape):
    """Correlated, mostly positive, of unequal scales, like a layer of a network."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((shape[-1], shape[-1])) * np.linspace(0.3, 1.5, shape[-1])
    return (np.maximum(rng.standard_normal(shape) @ mixing, -0.1) + rng.uniform(0, 1, shape[-1])).astype(np.float32)


@functools.partial(jax.jit, static_argnums=0)
def of_features(name, f, target):
    return DISTANCES[name][0](moments(f), moments(target))


@functools.partial(jax.jit, static_argnums=0)
def value_and_grad(name, f, target):
    """Of the distance to the moments `target`, by the features `f`."""
    return jax.value_and_grad(lambda f: DISTANCES[name][0](moments(f), target))(f)


moments_of = jax.jit(moments)


@every_distance
@pytest.mark.parametrize("shape", [(6, 5, 4), (3, 9, 6), (7, 7, 1)])
def test_value_and_gradient_equal_the_reference(name, shape):
    f, target = features(1, *shape), features(2, *shape[::-1][1:], shape[-1])
    value, gradient = value_and_grad(name, f, moments_of(target))
    expected = reference.gradient(lambda f: DISTANCES[name][1](f, target), f)
    # The bound that the project promises; float32 rounding is some ten times less.
    np.testing.assert_allclose(value, DISTANCES[name][1](f, target), rtol=1e-4)
    reference.assert_near(gradient, expected, 1e-4)


@every_distance
@settings(derandomize=True, deadline=None, max_examples=10)
@given(st.sampled_from([(6, 5, 4), (1, 4, 3), (2, 2, 1)]), st.integers(0, 2**32 - 1), st.floats(0.1, 3))
def test_value_equals_the_reference_for_any_scale(name, shape, seed, size):
    f, target = features(seed, *shape) * np.float32(size), features(seed + 1, 4, 5, shape[-1])
    expected = DISTANCES[name][1](f, target)
    # The distance is a difference of larger numbers, so the bound is relative to their size, not to its own.
    assert abs(of_features(name, f, target) - expected) <= 1e-4 * (expected + np.mean(target**2) + np.mean(f**2))


@every_distance
def test_distance_of_equal_moments_is_zero(name):
    f = features(3, 8, 9, 5)
    shuffled = np.random.default_rng(0).permutation(f.reshape(-1, 5)).reshape(9, 8, 5)
    # float32 rounding of the sums, which differ in order, and of Wasserstein's traces, which cancel.
    assert abs(of_features(name, f, shuffled)) <= 1e-5 * np.mean(f**2)
    assert of_features(name, f, 1.1 * f) > 1e-3 * np.mean(f**2)


@every_distance
def test_distance_is_symmetric(name):
    f, target = features(4, 6, 6, 4), features(5, 5, 7, 4)
    # Rounding differs, as Wasserstein's root is taken of the second argument only.
    np.testing.assert_allclose(of_features(name, f, target), of_features(name, target, f), rtol=1e-4)


DEGENERATE = {
    "constant": np.full((5, 6, 8), 0.7, np.float32),
    "one pixel high": features(6, 1, 12, 8),
    "one pixel": features(7, 1, 1, 8),
    "fewer positions than channels": features(8, 2, 2, 8),
    "all zero": np.zeros((4, 4, 8), np.float32),
    "dead channels": features(9, 6, 6, 8) * (np.arange(8) < 3),
    "equal channels": np.repeat(features(10, 6, 6, 1), 8, axis=-1),
    "huge": 1e4 * features(11, 5, 5, 8),
    "tiny": 1e-6 * features(12, 5, 5, 8),
}


@every_distance
@pytest.mark.parametrize("picture", DEGENERATE)
@pytest.mark.parametrize("style", ["ordinary", "itself", "all zero", "one pixel"])
def test_value_and_gradient_are_finite_at_degenerate_inputs(name, picture, style):
    f = np.asarray(DEGENERATE[picture], np.float32)
    target = {"ordinary": features(13, 6, 6, 8), "itself": f}.get(style)
    target = DEGENERATE[style] if target is None else target
    value, gradient = value_and_grad(name, f, moments_of(target))
    assert np.all(np.isfinite(gradient))
    # 1e-3, not 1e-4: where directions vanish, a root of float32's rounding (3e-4 of the largest) is left over.
    size = np.mean(np.square(f, dtype=np.float64)) + np.mean(target**2)
    assert abs(value - DISTANCES[name][1](f, target)) <= 1e-3 * (size**2 if name == "gram" else size) + 1e-6


@pytest.mark.parametrize("channels", [32, 128])
def test_wasserstein_of_a_layer_with_fewer_positions_than_channels(channels):
    """Most eigenvalues are then rounding: taken at face value they make the distance negative, some -1 % here."""
    target = features(14, 4, 4, channels)
    target /= np.sqrt(np.mean(target**2))
    f = target * (1 + 0.3 * np.random.default_rng(0).standard_normal(target.shape)).astype(np.float32)
    # The energy is 1; two of the 16 directions may be lost or gained at 3e-4 of the largest each.
    assert abs(of_features("wasserstein", target, target)) < 1e-3
    assert abs(of_features("wasserstein", f, target) - exact_wasserstein(f, target)) < 1e-3
    _, gradient = value_and_grad("wasserstein", f, moments_of(target))
    step = f - 0.1 * np.asarray(gradient) / np.abs(gradient).max()
    assert exact_wasserstein(step, target) < exact_wasserstein(f, target)


def exact_wasserstein(f, target):
    """By eigenvalues in float64: at this size SciPy's root of the product is no longer exact."""
    (mean, cov), (target_mean, target_cov) = (
        (
            reference.positions(x).mean(0),
            np.cov(reference.positions(x), rowvar=False, ddof=0) + 1e-4 * np.eye(x.shape[-1]),
        )
        for x in (f, target)
    )
    factor = np.linalg.cholesky(target_cov)
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(factor.T @ cov @ factor), 0)).sum()
    return np.mean((mean - target_mean) ** 2) + (np.trace(cov + target_cov) - 2 * cross) / len(mean)


def test_wasserstein_moves_a_constant_picture_towards_the_style():
    """At zero covariance there is no direction to grow in, but the mean still pulls."""
    target = features(15, 6, 6, 4)
    f = jnp.full((5, 5, 4), 3.0)
    _, gradient = value_and_grad("wasserstein", f, moments_of(target))
    expected = 2 * (3.0 - target.mean((0, 1))) / (4 * 25)  # of |μ - ν|² / C, over 25 positions
    reference.assert_near(gradient, np.broadcast_to(expected, f.shape), 1e-3)


@every_distance
def test_leading_axes_are_a_loop(name):
    f, target = features(16, 2, 3, 5, 4, 3), features(17, 2, 3, 4, 4, 3)
    batched = of_features(name, f, target)
    assert batched.shape == (2, 3) and batched.dtype == jnp.float32
    for i, j in np.ndindex(2, 3):
        np.testing.assert_allclose(batched[i, j], of_features(name, f[i, j], target[i, j]), rtol=1e-5)


@every_distance
def test_bfloat16_features_give_a_float32_distance(name):
    f = jnp.asarray(features(18, 8, 8, 4), jnp.bfloat16)
    target = features(19, 8, 8, 4)
    value = of_features(name, f, target)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, DISTANCES[name][1](np.asarray(f, np.float32), target), rtol=1e-4)


@pytest.mark.slow
def test_a_root_at_hand_changes_neither_value_nor_gradient():
    f, target = jnp.asarray(features(20, 6, 6, 5)), moments(features(21, 6, 6, 5))
    root = wasserstein_root(target)
    with_root = jax.value_and_grad(lambda f: wasserstein_distance(moments(f), target, root))(f)
    without = jax.value_and_grad(lambda f: wasserstein_distance(moments(f), target))(f)
    np.testing.assert_allclose(with_root[0], without[0], rtol=1e-6)
    np.testing.assert_allclose(with_root[1], without[1], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(
        root @ root, covariance(target) + 1e-4 * jnp.eye(5), rtol=1e-4, atol=1e-5
    )  # it is what its name says


def test_wasserstein_of_shifted_features_is_the_shift_alone():
    """Closed form: equal covariances leave `|μ - ν|² / C`."""
    f, shift = features(22, 7, 7, 3), np.array([0.5, -1, 2], np.float32)
    np.testing.assert_allclose(of_features("wasserstein", f + shift, f), np.mean(shift**2), rtol=1e-4)


def test_wasserstein_of_independent_channels_is_that_of_their_deviations():
    """Closed form: for commuting covariances `tr(S + T - 2 (ST)^½)` is `Σ (σ - τ)²`."""
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float32).reshape(2, 2, 2)
    f, target = signs * np.float32([1, 3]), signs * np.float32([2, 1])
    deviations = [np.sqrt(np.square([1, 3]) + 1e-4), np.sqrt(np.square([2, 1]) + 1e-4)]
    expected = np.mean((deviations[0] - deviations[1]) ** 2)
    np.testing.assert_allclose(of_features("wasserstein", f, target), expected, rtol=1e-5)


def test_gram_distance_is_four_times_gatys():
    f, target = features(23, 5, 6, 4), features(24, 5, 6, 4)
    (ours, theirs), (count, channels) = (reference.positions(x) for x in (f, target)), (30, 4)
    # Gatys et al. 2016, eq. 3 and 4: undivided Gram matrices, 1 / (4 N² M²).
    gatys = np.sum((ours.T @ ours - theirs.T @ theirs) ** 2) / (4 * channels**2 * count**2)
    np.testing.assert_allclose(of_features("gram", f, target) / 4, gatys, rtol=1e-5)


def test_gram_distance_is_neural_styles_times_the_channels_squared():
    f, target = features(25, 5, 6, 4), features(26, 5, 6, 4)
    ours, theirs = (reference.positions(x) for x in (f, target))
    # neural_style.lua, `StyleLoss`: the Gram matrix divided by `input:nElement()`, then `nn.MSECriterion`.
    neural_style = np.mean((ours.T @ ours / ours.size - theirs.T @ theirs / theirs.size) ** 2)
    np.testing.assert_allclose(of_features("gram", f, target) / 4**2, neural_style, rtol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("shape", [(6, 7, 5), (12, 12, 16)])
def test_wasserstein_is_crowsonkbs_term_for_term(shape):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxstyle[parity]'")
    f, target = features(27, *shape), features(28, *shape)

    def mean_and_covariance(x):
        mean = x.mean((-2, -1))
        second = torch.einsum("chw,dhw->cd", x, x) / (x.shape[-2] * x.shape[-1])
        return mean, second - mean[:, None] * mean + 1e-4 * torch.eye(len(mean), dtype=x.dtype)

    def root(matrix):  # exact, where crowsonkb takes twelve Newton–Schulz steps
        values, vectors = torch.linalg.eigh(matrix)
        return vectors @ torch.diag(values.sqrt()) @ vectors.T

    picture = torch.tensor(f.transpose(2, 0, 1), dtype=torch.float64, requires_grad=True)
    mean, cov = mean_and_covariance(picture)
    target_mean, target_cov = mean_and_covariance(torch.tensor(target.transpose(2, 0, 1), dtype=torch.float64))
    cross = root(root(target_cov) @ cov @ root(target_cov))
    loss = torch.mean((mean - target_mean) ** 2) + torch.diagonal(target_cov + cov - 2 * cross).mean()
    loss.backward()

    value, gradient = value_and_grad("wasserstein", f, moments_of(target))
    np.testing.assert_allclose(value, loss.item(), rtol=1e-4)
    reference.assert_near(gradient, picture.grad.numpy().transpose(1, 2, 0), 1e-4)


def test_the_floored_root_has_no_jump_and_no_kink():
    """Value and slope go over into those of the root, and into the least, without a step: so it is on every LAPACK."""
    noise, least = np.float32(0.5), 0.01
    root = jax.vmap(jax.value_and_grad(lambda value: floored_root(value[None], noise[None], least)[0]))
    values = np.linspace(-1, 8, 4001, dtype=np.float32)
    made, slope = map(np.asarray, root(values))
    np.testing.assert_array_equal(made[values <= 1], np.float32(least))
    np.testing.assert_allclose(made[values > 4], np.sqrt(values[values > 4]), rtol=1e-6)
    assert np.abs(np.diff(made)).max() < 1.01 * slope.max() * (values[1] - values[0])
    assert np.abs(np.diff(slope)).max() < 0.01 and slope.max() < 1
    step = 0.01
    ahead, behind = root(values + step)[0], root(values - step)[0]
    np.testing.assert_allclose(
        (ahead - behind) / (2 * step), slope, atol=4e-3
    )  # where the curvature jumps by 0.6: 0.6 · step / 2
