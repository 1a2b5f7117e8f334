"""Durations, schedules, optimisers, overriding by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.training.config import defaults, optimizer, override
from jaxstyle.training.durations import Extent, due
from jaxstyle.training.optimizers import DECAYING, OPTIMIZERS, make_optimizer
from jaxstyle.training.schedules import make_schedule

EXTENT = Extent(examples=1000, batch_size=10)


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({}, 0),
        ({"train_steps": 7}, 7),
        ({"train_examples": 50}, 5),
        ({"train_epochs": 0.5}, 50),
        ({"train_epochs": 2.0, "train_examples": 50}, 5),
        ({"train_epochs": 2.0, "train_examples": 50, "train_steps": 3}, 3),
        ({"train_epochs": 1e-9}, 1),
    ],
)
def test_durations(given, steps):
    assert EXTENT.steps(given, "train") == steps


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_durations_that_cannot_be(value):
    with pytest.raises(JaxstyleError, match="train_epochs is"):
        EXTENT.steps({"train_epochs": value}, "train")


def test_due_at_multiples_and_at_the_end():
    assert [step for step in range(1, 8) if due(step, 3, 7)] == [3, 6, 7]
    assert not any(due(step, 0, 7) for step in range(1, 8))


def settings(**changes):
    config = optimizer()
    config.update(changes)
    return config


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [  # learning rate 1, 10 steps of warm-up, 110 in all, a tenth left: by hand
        ("constant", [0.0, 0.5, 1.0, 1.0, 1.0]),
        ("linear", [0.0, 0.5, 1.0, 0.55, 0.1]),
        ("cosine", [0.0, 0.5, 1.0, 0.55, 0.1]),
    ],
)
def test_schedules(schedule, expected):
    rate = make_schedule(settings(learning_rate=1.0, schedule=schedule, warmup_steps=10, final=0.1), EXTENT, 110)
    np.testing.assert_allclose([rate(step) for step in (0, 5, 10, 60, 110)], expected, atol=1e-6)


def test_bad_schedules():
    with pytest.raises(JaxstyleError, match=r"unknown schedule 'cosin'; did you mean 'cosine'?"):
        make_schedule(settings(schedule="cosin"), EXTENT, 10)
    with pytest.raises(JaxstyleError, match="the warm-up takes 100 steps, the whole run 10"):
        make_schedule(settings(warmup_epochs=1.0), EXTENT, 10)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_downhill(name):
    maker = make_optimizer(settings(name=name, learning_rate=0.05), EXTENT, 100)
    state = maker.start({"x": jnp.ones(3)})
    for _ in range(20):
        state = maker.move(state, jax.tree.map(lambda x: 2 * x, state.params))
    assert float(jnp.sum(state.params["x"] ** 2)) < 1.0
    assert int(state.step) == 20


def test_accumulated_steps_make_the_update_of_their_mean():
    grads = [jnp.array([1.0, -2.0]), jnp.array([3.0, 0.0])]
    one = make_optimizer(settings(name="sgd", learning_rate=0.1), EXTENT, 100)
    two = make_optimizer(settings(name="sgd", learning_rate=0.1, accumulate=2), EXTENT, 100)
    start = {"x": jnp.zeros(2)}
    state = two.start(start)
    for grad in grads:
        state = two.move(state, {"x": grad})
    wanted = one.move(one.start(start), {"x": (grads[0] + grads[1]) / 2})
    np.testing.assert_allclose(state.params["x"], wanted.params["x"], rtol=1e-6)


@pytest.mark.parametrize("name", DECAYING)
def test_weight_decay_draws_kernels_to_zero_and_nothing_else(name):
    maker = make_optimizer(settings(name=name, learning_rate=0.1, weight_decay=0.5), EXTENT, 100)
    start = {"kernel": jnp.full((2, 2), 4.0), "bias": jnp.full(2, 4.0)}
    state = maker.move(maker.start(start), jax.tree.map(jnp.zeros_like, start))
    np.testing.assert_allclose(state.params["kernel"], 4 * (1 - 0.1 * 0.5), rtol=1e-6)
    np.testing.assert_array_equal(state.params["bias"], 4)


def test_weight_decay_of_another_optimizer_is_told():
    with pytest.raises(JaxstyleError, match="weight_decay is for adamw and sgd; leave it 0 for 'adam'"):
        make_optimizer(settings(name="adam", weight_decay=0.1), EXTENT, 100)


def test_schedule_counts_steps_not_updates_when_accumulating():
    maker = make_optimizer(settings(name="sgd", learning_rate=1.0, schedule="linear", accumulate=5), EXTENT, 10)
    state = maker.start({"x": jnp.zeros(1)})
    for _ in range(10):
        state = maker.move(state, {"x": jnp.ones(1)})
    np.testing.assert_allclose(state.params["x"], -(1.0 + 0.5), rtol=1e-6)  # rates at steps 0 and 5


def test_clipping_bounds_the_update():
    maker = make_optimizer(settings(name="sgd", learning_rate=1.0, clip_norm=1.0), EXTENT, 10)
    state = maker.move(maker.start({"x": jnp.zeros(2)}), {"x": jnp.array([30.0, 40.0])})
    np.testing.assert_allclose(state.params["x"], [-0.6, -0.8], rtol=1e-6)


def test_moving_average_follows_and_is_no_alias():
    maker = make_optimizer(settings(name="sgd", learning_rate=1.0), EXTENT, 10, ema_decay=0.5)
    state = maker.start({"x": jnp.ones(2)})
    assert state.ema["x"].unsafe_buffer_pointer() != state.params["x"].unsafe_buffer_pointer()
    state = maker.move(state, {"x": jnp.ones(2)})
    np.testing.assert_allclose(state.ema["x"], 2 / 11, rtol=1e-6)  # decay (1 + 1) / (10 + 1) at first
    assert state.best_params is state.ema


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"optimizer.learning_rat": 1.0}, "no 'optimizer.learning_rat'; did you mean 'optimizer.learning_rate'?"),
        ({"batch_sise": 1}, "did you mean 'batch_size'?"),
    ],
)
def test_a_misspelt_name_is_told_the_nearest(changes, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        override(defaults(), changes)


def test_override_changes_a_copy():
    config = defaults()
    assert override(config, {"optimizer.learning_rate": 0.5}).optimizer.learning_rate == 0.5
    assert config.optimizer.learning_rate == 1e-3
    assert "batch_size" in config
