"""The optimisers against NumPy twins written from the papers and, where it is installed, against PyTorch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxstyle.pixels.optimizers import adam, carry_state, lbfgs

SHAPE = (2, 3, 2)  # a picture of twelve numbers
HISTORY = 5


def skewed(x):
    """Convex, curvatures from 0.02 to 2, and a quartic so that the Hessian changes."""
    scales = np.geomspace(0.02, 2, 12)
    x = x.reshape(-1) - 1
    scales = jnp.asarray(scales, x.dtype) if isinstance(x, jax.Array) else x.new_tensor(scales)
    return (scales * x**2 / 2 + 0.02 * x**4).sum()


def rosenbrock(x):
    """Not convex; a thousandth of the usual one, so that steps without a line search stay in its valley."""
    x = x.reshape(-1)
    return 1e-2 * (10 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def wells(x):
    """Minima at ±1 in each number, neighbours coupled; it starts between them, where the curvature is negative."""
    x = x.reshape(-1)
    return 0.1 * ((x**2 - 1) ** 2).sum() + 0.05 * ((x[1:] - x[:-1]) ** 2).sum()


STARTS = {
    skewed: np.linspace(-2, 3, 12),
    rosenbrock: np.tile([-1.2, 1.0, 0.5], 4),
    wells: np.geomspace(0.03, 0.3, 12) * np.resize([1, 1, -1], 12),
}
functions = pytest.mark.parametrize("function", STARTS, ids=lambda f: f.__name__)


def start(function):
    return STARTS[function].reshape(SHAPE)


def run(optimizer, function, steps, dtype=np.float64):
    """The iterates `[steps + 1, …]` and the last state, with a learning rate of one."""
    params = jnp.asarray(start(function), dtype)
    state, iterates = optimizer.init(params), [np.asarray(params)]

    @jax.jit
    def step(params, state):
        updates, state = optimizer.update(jax.grad(function)(params), state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(steps):
        params, state = step(params, state)
        iterates.append(np.asarray(params))
    return np.stack(iterates), state


@functools.partial(jax.jit, static_argnums=0)
def slope(function, x):
    return jax.grad(function)(x)


def gradient(function, x):
    return np.asarray(slope(function, jnp.asarray(x, jnp.float64)))


def numpy_lbfgs(function, steps, history=HISTORY):
    """Nocedal & Wright 2006, algorithm 7.4 with γ of eq. 7.20, the history a plain list."""
    x, pairs, before, iterates, skipped = start(function).ravel(), [], None, [], 0
    iterates.append(x)
    for _ in range(steps):
        g = gradient(function, x)
        if before is None:
            direction = -g * min(1, 1 / np.abs(g).sum())  # torch/optim/lbfgs.py: the first step is cautious
        else:
            s, y = x - before[0], g - before[1]
            if y @ s > 1e-10:
                pairs = [*pairs, (s, y)][-history:]
            else:
                skipped += 1
            direction = -two_loops(g, pairs)
        before, x = (x, g), x + direction
        iterates.append(x)
    return np.stack(iterates).reshape(-1, *SHAPE), skipped


def two_loops(g, pairs):
    q, alphas = g.copy(), []
    for s, y in reversed(pairs):
        alphas.append(s @ q / (y @ s))
        q -= alphas[-1] * y
    if pairs:
        s, y = pairs[-1]
        q *= (s @ y) / (y @ y)
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        q += s * (alpha - y @ q / (y @ s))
    return q


@functions
def test_lbfgs_equals_its_numpy_twin_over_thirty_steps(function):
    with jax.enable_x64(True):
        ours, state = run(lbfgs(HISTORY), function, 30)
        expected, skipped = numpy_lbfgs(function, 30)
    # In float64 both take the same steps, six times around the ring; rounding grows along the way.
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6)
    assert state.pairs == 29 - skipped
    assert (skipped > 0) == (function is not skewed)


@functions
def test_lbfgs_in_float32_stays_near_its_twin(function):
    with jax.enable_x64(True):
        expected, _ = numpy_lbfgs(function, 30)
    ours, _ = run(lbfgs(HISTORY), function, 30, np.float32)
    # A step multiplies float32's 1e-7 by the condition number: 7e-7 at first, some 4e-3 after thirty of Rosenbrock's.
    np.testing.assert_allclose(ours[:6], expected[:6], atol=1e-5)
    np.testing.assert_allclose(ours, expected, atol=2e-2)


def test_lbfgs_gets_to_the_minimum():
    iterates, _ = run(lbfgs(), skewed, 60, np.float32)
    np.testing.assert_allclose(iterates[-1], 1, atol=1e-2)


def test_the_first_step_is_at_most_one_long():
    params = jnp.zeros(SHAPE)
    for size, expected in ((100.0, 1.0), (0.01, 0.12)):
        update, _ = lbfgs().update(jnp.full(SHAPE, size), lbfgs().init(params), params)
        np.testing.assert_allclose(jnp.sum(jnp.abs(update)), expected, rtol=1e-6)


def test_a_gradient_of_zero_gives_a_step_of_zero():
    params = jnp.ones(SHAPE)
    update, state = lbfgs().update(jnp.zeros(SHAPE), lbfgs().init(params), params)
    np.testing.assert_array_equal(update, jnp.zeros(SHAPE))
    update, _ = lbfgs().update(jnp.zeros(SHAPE), state, params)
    np.testing.assert_array_equal(update, jnp.zeros(SHAPE))


def feed(points, slopes):
    """State and last update after iterates with these gradients, whatever updates were proposed."""
    optimizer, state = lbfgs(HISTORY), lbfgs(HISTORY).init(jnp.zeros(SHAPE))
    for point, slope in zip(points, slopes, strict=True):
        update, state = optimizer.update(jnp.full(SHAPE, slope), state, jnp.full(SHAPE, point))
    return update, state


@pytest.mark.parametrize("slope", [2.0, 1.0], ids=["negative", "none"])
def test_a_pair_without_positive_curvature_is_not_stored(slope):
    # From 1 to 0 the gradient should fall; here it grows, or stays.
    update, state = feed([1.0, 0.0], [1.0, slope])
    assert state.pairs == 0
    assert not np.any(state.steps) and not np.any(state.changes)
    np.testing.assert_allclose(update, jnp.full(SHAPE, -slope))  # steepest descent, as torch does without pairs


def test_a_pair_of_negative_curvature_leaves_the_older_ones_alone():
    update, state = feed([1.0, 0.0, -1.0], [3.0, 1.0, 2.0])
    assert state.pairs == 1
    np.testing.assert_allclose(update, jnp.full(SHAPE, -1.0), rtol=1e-6)  # 2 over the curvature of 2 seen before


def test_lbfgs_needs_the_parameters():
    params = jnp.zeros(SHAPE)
    with pytest.raises(ValueError, match="parameters"):
        lbfgs().update(params, lbfgs().init(params))


@pytest.mark.parity
@functions
def test_lbfgs_equals_torchs_step_by_step(function):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxstyle[parity]'")
    x = torch.tensor(start(function), dtype=torch.float64, requires_grad=True)
    options = {"lr": 1, "max_iter": 1, "history_size": HISTORY, "tolerance_grad": 0, "tolerance_change": 0}
    optimizer, expected = torch.optim.LBFGS([x], **options), [x.detach().numpy().copy()]

    def closure():
        optimizer.zero_grad()
        loss = function(x)
        loss.backward()
        return loss

    for _ in range(30):
        optimizer.step(closure)
        expected.append(x.detach().numpy().copy())
    with jax.enable_x64(True):
        ours, _ = run(lbfgs(HISTORY), function, 30)
    np.testing.assert_allclose(ours, np.stack(expected), rtol=1e-6, atol=1e-6)


@functions
def test_adam_equals_its_numpy_twin(function):
    rate = 0.05
    x = start(function).ravel()
    mean, square, expected = np.zeros_like(x), np.zeros_like(x), [x]
    with jax.enable_x64(True):
        for i in range(1, 31):  # Kingma & Ba 2015, algorithm 1
            g = gradient(function, x)
            mean, square = 0.9 * mean + 0.1 * g, 0.99 * square + 0.01 * g**2
            x = x - rate * (mean / (1 - 0.9**i)) / (np.sqrt(square / (1 - 0.99**i)) + 1e-8)
            expected.append(x)
        ours, _ = run(optax.chain(adam(), optax.scale(rate)), function, 30)
    np.testing.assert_allclose(ours, np.reshape(expected, (-1, *SHAPE)), rtol=1e-6, atol=1e-6)


@pytest.mark.parity
def test_adam_equals_torchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxstyle[parity]'")
    x = torch.tensor(start(rosenbrock), dtype=torch.float64, requires_grad=True)
    optimizer, expected = torch.optim.Adam([x], lr=0.05, betas=(0.9, 0.99)), [x.detach().numpy().copy()]
    for _ in range(30):
        optimizer.zero_grad()
        rosenbrock(x).backward()
        optimizer.step()
        expected.append(x.detach().numpy().copy())
    with jax.enable_x64(True):
        ours, _ = run(optax.chain(adam(), optax.scale(0.05)), rosenbrock, 30)
    np.testing.assert_allclose(ours, np.stack(expected), rtol=1e-6, atol=1e-6)


def resampled(image, height, width):
    """Linear interpolation between pixel centres, edges held, one axis after the other."""
    for axis, size in ((0, height), (1, width)):
        old = image.shape[axis]
        centres = (np.arange(size) + 0.5) * old / size - 0.5
        line = functools.partial(np.interp, centres, np.arange(old))
        image = np.apply_along_axis(line, axis, image)
    return image


def warmed_up(optimizer, shape, steps=3):
    params = jnp.zeros(shape)
    state = optimizer.init(params)
    for i in range(steps):
        grads = jax.random.normal(jax.random.key(i), shape)
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return state


def test_adams_moments_are_resampled_and_its_count_is_kept():
    state, fresh = warmed_up(adam(), (6, 4, 3)), adam().init(jnp.zeros((9, 6, 3)))
    carried = carry_state(state, fresh)
    assert jax.tree.structure(carried) == jax.tree.structure(fresh)
    assert jax.tree.map(jnp.shape, carried) == jax.tree.map(jnp.shape, fresh)
    assert carried[0].count == 3
    for name in ("mu", "nu"):
        expected = resampled(np.asarray(getattr(state[0], name)), 9, 6)
        np.testing.assert_allclose(getattr(carried[0], name), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(9, 6), (17, 23), (3, 2), (6, 5)])
def test_second_moments_stay_non_negative(size):
    spiky = jnp.zeros((6, 4, 3)).at[2, 1].set(1.0)  # a cubic would undershoot beside it
    state = jax.tree.map(lambda leaf: spiky if leaf.ndim == 3 else leaf, adam().init(spiky))
    carried = carry_state(state, adam().init(jnp.zeros((*size, 3))))
    assert jnp.min(carried[0].nu) >= 0 and jnp.max(carried[0].nu) > 0


def test_a_state_of_the_same_size_is_kept_as_it_is():
    state = warmed_up(adam(), (6, 4, 3))
    carried = carry_state(state, adam().init(jnp.zeros((6, 4, 3))))
    jax.tree.map(np.testing.assert_array_equal, carried, state)


def test_lbfgs_starts_afresh_at_a_new_size():
    state, fresh = warmed_up(lbfgs(3), (6, 4, 3)), lbfgs(3).init(jnp.zeros((9, 6, 3)))
    assert state.pairs > 0
    carried = carry_state(state, fresh)
    assert carried.pairs == 0 and not carried.started
    jax.tree.map(np.testing.assert_array_equal, carried, fresh)
