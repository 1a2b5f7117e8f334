"""Recurrent cells against float64 NumPy, and the forecaster: loops, teacher forcing, patches, brightness."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.models.conv_recurrent import ConvGRUCell, ConvLSTMCell
from jaxstyle.models.forecaster import Forecaster, Stack
from jaxstyle.models.video_discriminator import VideoDiscriminator
from jaxstyle.ops.resampling import depth_to_space, space_to_depth


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolved(x, layer):
    """3×3, zeros around, in float64."""
    kernel, (_, height, width, _) = np.float64(layer["kernel"]), x.shape
    padded = np.pad(np.float64(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
    parts = [padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)]
    return sum(parts) + np.float64(layer["bias"])


@functools.cache
def stepped(kind, peepholes=False):
    """A cell with random parameters, its state, input, and one step's result."""
    cell = ConvGRUCell(3) if kind == "gru" else ConvLSTMCell(3, peepholes=peepholes)
    x = normal(0, 2, 4, 5, 2)
    state = normal(1, 2, 4, 5, 3) if kind == "gru" else (normal(1, 2, 4, 5, 3), normal(2, 2, 4, 5, 3))
    shapes = jax.eval_shape(cell.init, jax.random.key(0), state, x)["params"]
    params = jax.tree.map(lambda leaf: 0.5 * normal(leaf.size, *leaf.shape), shapes)
    return params, state, x, jax.jit(cell.apply)({"params": params}, state, x)


@pytest.mark.parametrize("peepholes", [False, True])
def test_lstm_is_shis_equation_3(peepholes):
    params, (cell, hidden), x, ((next_cell, next_hidden), out) = stepped("lstm", peepholes)
    enter, forget, change, leave = np.split(convolved(np.concatenate([x, hidden], -1), params["gates"]), 4, -1)
    peep = {name: np.float64(params.get(f"{name}_peephole", 0)) for name in ("enter", "forget", "leave")}
    wanted = sigmoid(forget + peep["forget"] * cell) * cell
    wanted += sigmoid(enter + peep["enter"] * cell) * np.tanh(change)
    np.testing.assert_allclose(next_cell, wanted, rtol=1e-4, atol=1e-5)  # float32 sums of 45 products
    np.testing.assert_allclose(out, sigmoid(leave + peep["leave"] * wanted) * np.tanh(wanted), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(out, next_hidden)
    assert peepholes == any("peephole" in name for name in params)


def test_gru_is_ballas_equations_6_to_9():
    params, state, x, (moved, out) = stepped("gru")
    update, reset = np.split(sigmoid(convolved(np.concatenate([x, state], -1), params["gates"])), 2, -1)
    change = np.tanh(convolved(np.concatenate([x, reset * state], -1), params["change"]))
    np.testing.assert_allclose(moved, (1 - update) * state + update * change, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(out, moved)


def test_initial_forget_bias_is_one_and_initial_state_zero():
    cell = ConvLSTMCell(2)
    state = cell.initial_state((1, 3, 3))
    bias = cell.init(jax.random.key(0), state, normal(0, 1, 3, 3, 1))["params"]["gates"]["bias"]
    np.testing.assert_array_equal(bias, [0, 0, 1, 1, 0, 0, 0, 0])
    assert all(leaf.shape == (1, 3, 3, 2) and not leaf.any() for leaf in state)


def test_patches_and_back():
    frames = normal(0, 2, 6, 9, 2)
    cut = space_to_depth(frames, 3)
    assert cut.shape == (2, 2, 3, 18)
    np.testing.assert_array_equal(depth_to_space(cut, 3), frames)
    np.testing.assert_array_equal(cut[0, 1, 2].reshape(3, 3, 2), frames[0, 3:6, 6:9])


def clip(frames=6):
    return np.random.default_rng(3).uniform(size=(2, frames, 8, 12, 1)).astype(np.float32)


@functools.cache
def made(**options):
    model = Forecaster(channels=1, widths=(3, 2), patch=4, **options)
    return model, jax.jit(model.init, static_argnums=2)(jax.random.key(0), clip()[:, :2], 1)


def applied(model, params, *given, count=3):
    return jax.jit(lambda params, *given: model.apply(params, given[0], count, *given[1:]))(params, *given)


@pytest.mark.parametrize("cell", ["lstm", pytest.param("gru", marks=pytest.mark.slow)])
def test_shapes_and_that_unrolled_steps_are_the_loops(cell):
    model, params = made(cell=cell, classes=5)
    looped = applied(model, params, clip()[:, :3], count=2)
    assert [leaf.shape for leaf in looped] == [(2, 2, 8, 12, 1), (2, 2, 8, 12, 1), (2, 5)]
    unrolled = applied(model.clone(unroll=True), params, clip()[:, :3], count=2)
    plain = applied(model.clone(plain=True), params, clip()[:, :3], count=2)
    for a, b in zip((*looped, *looped), (*unrolled, *plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("place", range(3))
def test_class_logits_depend_on_every_input_frame(place):
    model, params = made(cell="lstm", classes=5)
    frames, but_one = clip()[:, :3], (np.arange(3) != place).reshape(3, 1, 1, 1)
    whole, rest = (applied(model, params, inputs).classes for inputs in (frames, frames * but_one))
    assert np.max(np.abs(whole - rest)) > 1e-3
    assert {"looks_0", "looks_3", "head"} <= set(params["params"])  # names in saved checkpoints


def test_a_tied_forecaster_with_teacher_forcing_predicts_as_from_a_longer_input():
    model, params = made(tied=True)
    assert list(params["params"]) == ["encoder"]
    frames = clip()
    longer = applied(model, params, frames, count=1)
    forced = applied(model, params, frames[:, :3], frames[:, 3:], np.ones((2, 2), bool))
    np.testing.assert_allclose(forced.future[:, :2], longer.past[:, 2:4], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(forced.past, longer.past[:, :2], rtol=1e-4, atol=1e-5)


def test_coarser_cells_have_larger_receptive_fields_and_finer_ones_skip_connections():
    stack = Stack(channels=2, widths=(3, 4, 3), scales=(1, 2, 1))
    patches = normal(0, 1, 4, 12, 2)
    states = stack.bind({}).initial_states((1, 4, 12))
    assert [state[0].shape for state in states] == [(1, 4, 12, 3), (1, 2, 6, 4), (1, 4, 12, 3)]
    params = jax.jit(stack.init)(jax.random.key(0), states, patches)
    run = jax.jit(lambda params, patches: stack.apply(params, states, patches)[1])
    touched = jnp.asarray(patches).at[:, :, 0].add(1)
    apart = np.abs(run(params, touched) - run(params, patches)).max((0, 1, 3))
    assert np.all(apart[:5] > 1e-6) and np.all(apart[5:] == 0)  # 1 pixel, then 2 of the coarse cell, then 1
    params["params"]["cells_1"] = jax.tree.map(jnp.zeros_like, params["params"]["cells_1"])  # the coarse cell gives 0
    apart = np.abs(run(params, touched) - run(params, patches)).max((0, 1, 3))
    assert np.all(apart[:3] > 1e-6) and np.all(apart[3:] == 0)


def test_an_untrained_forecaster_predicts_its_brightness():
    model, params = made(brightness=0.2)
    black = applied(model, params, 0 * clip()[:, :3])
    np.testing.assert_allclose(jax.nn.sigmoid(black.future), 0.2, atol=0.1)


def test_targets_count_only_where_they_are_forced():
    model, params = made()
    frames, forced = clip(), np.array([[True, False], [False, False]])
    alone = applied(model, params, frames[:, :3]).future
    some = applied(model, params, frames[:, :3], frames[:, 3:], forced).future
    np.testing.assert_allclose(some[1], alone[1], rtol=1e-5, atol=1e-6)  # nothing is forced in the second clip
    np.testing.assert_allclose(some[0, 0], alone[0, 0], rtol=1e-5, atol=1e-6)  # the first step has no target
    assert np.max(np.abs(some[0, 1:] - alone[0, 1:])) > 1e-4
    own = np.asarray(jax.nn.sigmoid(alone))  # forcing its own predictions changes nothing
    np.testing.assert_allclose(applied(model, params, frames[:, :3], own, forced).future, alone, rtol=1e-4, atol=1e-5)


def test_bfloat16_gives_float32():
    model, params = made(cell="lstm", classes=5)
    half = model.clone(dtype=jnp.bfloat16)
    leaves = jax.eval_shape(lambda params: half.apply(params, clip()[:, :4], 3), params)
    assert {leaf.dtype for leaf in leaves} == {jnp.float32.dtype}


def test_the_discriminators_logits_depend_on_the_order_of_frames():
    model = VideoDiscriminator((3, 16, 16, 1), width=2)
    clips = np.random.default_rng(0).uniform(size=(2, 3, 16, 16, 1)).astype(np.float32)
    params = model.init(jax.random.key(0), clips)
    logits, reversed_logits = (model.apply(params, given) for given in (clips, clips[:, ::-1]))
    assert logits.shape == (2,) and np.max(np.abs(logits - reversed_logits)) > 1e-7
