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
from jaxstyle.losses import wasserstein_distance, wasserstein_distances, wasserstein_root, wasserstein_roots
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
    """In most directions the covariance is then rounding, beside the 1e-4 that is added to it."""
    target = features(14, 4, 4, channels)
    target /= np.sqrt(np.mean(target**2))
    f = target * (1 + 0.3 * np.random.default_rng(0).standard_normal(target.shape)).astype(np.float32)
    # The energy is 1. Of equal moments rounding is left, squared; else it is relative to what is added, some 1e-2.
    assert 0 <= of_features("wasserstein", target, target) < 1e-8
    assert abs(of_features("wasserstein", f, target) - exact_wasserstein(f, target)) < 1e-5
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


def layer(seed, *shape):
    """Energy 1 and variances from 1 down to 1e-5 of the largest, like a layer of a network."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(np.random.default_rng(0).standard_normal((shape[-1],) * 2))[0]
    f = rng.standard_normal(shape) * np.geomspace(1, 3e-3, shape[-1]) @ left
    return (f / np.sqrt(np.mean(f**2)) * np.sqrt(0.5) + np.sqrt(0.5)).astype(np.float32)


@pytest.mark.parametrize("apart", [1.0, 0.05, 0.008])
def test_wasserstein_keeps_its_digits_near_convergence(apart):
    """Down to distances of 4e-5 of the energy; central differences at steps from 1e-3 to 1e-5 of the energy's root."""
    target = layer(31, 24, 24, 48)
    f = target + np.float32(apart) * (layer(32, 24, 24, 48) * np.float32(1.3) - target)
    value, gradient = value_and_grad("wasserstein", f, moments_of(target))
    exact, expected = exact_wasserstein(f, target), exact_gradient(f, target)
    assert apart > 0.01 or exact < 4e-5
    # Rounding of a covariance, 1e-7, is some 1e-3 of the least variance, and counts for more the nearer both are.
    np.testing.assert_allclose(value, exact, rtol=1e-3)
    assert np.linalg.norm(gradient - expected) < 0.01 * np.linalg.norm(expected)
    along = np.float32(expected / np.sqrt(np.mean(expected**2)))
    for direction in (along, along + np.random.default_rng(0).standard_normal(f.shape).astype(np.float32)):
        for step, tolerance in ((1e-3, 0.002), (1e-4, 0.005), (1e-5, 0.05)):  # float32 has 6e-8 of a feature
            ahead, behind = (of_features("wasserstein", f + h * direction, target) for h in np.float32([step, -step]))
            np.testing.assert_allclose((ahead - behind) / (2 * step), np.vdot(gradient, direction), rtol=tolerance)


def exact_gradient(f, target):
    """`2/(C M) ((μ - ν) + (I - A) (f - μ))` in float64, with the map A of Dowson & Landau's optimal coupling."""
    f, target = reference.positions(f), reference.positions(target)
    cov, target_cov = (np.cov(x, rowvar=False, ddof=0) + 1e-4 * np.eye(x.shape[1]) for x in (f, target))
    factor = np.linalg.cholesky(target_cov)
    values, vectors = np.linalg.eigh(factor.T @ cov @ factor)
    transport = factor @ (vectors / np.sqrt(values)) @ vectors.T @ factor.T
    centred = f - f.mean(0)
    made = f.mean(0) - target.mean(0) + centred - centred @ transport
    return (2 / f.size * made).reshape(24, 24, -1)


def test_wasserstein_of_a_large_flat_picture_is_finite():
    """Its sum of 262,144 equal squares is off by so much that the covariance is not even positive with 1e-4 added."""
    f, target = jnp.full((512, 512, 64), 0.7), moments_of(features(33, 16, 16, 64))
    value, gradient = value_and_grad("wasserstein", f, target)
    assert np.isfinite(value) and np.isfinite(gradient).all()
    np.testing.assert_allclose(value, of_features("wasserstein", f[:16, :16], features(33, 16, 16, 64)), rtol=1e-2)


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_wasserstein_lowers_without_eigenvalues(platform):
    target = moments_of(features(34, 8, 8, 16))
    gradient = jax.jit(jax.grad(lambda f: wasserstein_distance(moments(f), target)))
    traced = gradient.trace(jax.ShapeDtypeStruct((8, 8, 16), jnp.float32))
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert "dot_general" in text and "while" in text  # products, until the singular values are 1
    assert "f64" not in text and "syev" not in text and "eigh" not in text.lower()


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
    expected = covariance(target) + 1e-4 * jnp.eye(5)
    np.testing.assert_allclose(root[0].T @ root[0], expected, rtol=1e-4, atol=1e-5)  # it is what its name says
    np.testing.assert_allclose(root[1] @ root[0], jnp.eye(5), atol=1e-5)


def test_layers_at_once_are_each_as_alone():
    """Narrow ones are padded to one batch, also where one of them is flat; one is too wide for that."""
    pairs = [(features(40 + c, 9, 9, c), features(60 + c, 8, 8, c)) for c in (3, 1, 12, 130)]
    pairs[0] = np.full_like(pairs[0][0], 0.7), pairs[0][1]
    targets = [moments(jnp.asarray(target)) for _, target in pairs]
    roots = wasserstein_roots(targets)

    @functools.partial(jax.value_and_grad, has_aux=True)
    def together(layers):
        found = wasserstein_distances([moments(f) for f in layers], targets, roots)
        return sum(found), found

    (_, values), slopes = jax.jit(together)([jnp.asarray(f) for f, _ in pairs])
    for (f, target), value, slope, root in zip(pairs, values, slopes, roots, strict=True):
        alone, own = value_and_grad("wasserstein", jnp.asarray(f), moments(jnp.asarray(target)))
        # The iteration ends when the last matrix of a batch is done, so that a layer may be nearer than alone.
        np.testing.assert_allclose(value, alone, rtol=1e-4)
        reference.assert_near(slope, own, 2e-3)
        np.testing.assert_allclose(root, wasserstein_root(moments(jnp.asarray(target))), rtol=1e-6)
        if f.std() and f.shape[-1] < 80:  # else the covariance has no full rank, and float64 keeps what float32 cannot
            np.testing.assert_allclose(value, DISTANCES["wasserstein"][1](f, target), rtol=1e-4)


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
