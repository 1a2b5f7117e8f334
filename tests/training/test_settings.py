"""Durations, schedules, optimisers, typed configs and overriding by name."""

import dataclasses
import json
import pathlib
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.tasks.fast_style import Config
from jaxstyle.training.config import OptimizerConfig, TrainingConfig, as_config, flat, override, typed
from jaxstyle.training.config_file import as_json
from jaxstyle.training.durations import Extent, due
from jaxstyle.training.optimizers import DECAYING, OPTIMIZERS, make_optimizer
from jaxstyle.training.schedules import make_schedule
from jaxstyle.training.task import typed_config

EXTENT = Extent(examples=1000, batch_size=10)


def duration(**given):
    """A config that states a duration."""
    return types.SimpleNamespace(**{"train_steps": 0, "train_examples": 0, "train_epochs": 0.0, **given})


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
    assert EXTENT.steps(duration(**given), "train") == steps


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_durations_that_cannot_be(value):
    with pytest.raises(JaxstyleError, match="train_epochs is"):
        EXTENT.steps(duration(train_epochs=value), "train")


def test_due_at_multiples_and_at_the_end():
    assert [step for step in range(1, 8) if due(step, 3, 7)] == [3, 6, 7]
    assert not any(due(step, 0, 7) for step in range(1, 8))


def settings(**changes):
    return OptimizerConfig(**changes)


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


def test_a_learning_rate_is_held_before_it_falls():
    held = settings(learning_rate=1.0, schedule="linear", warmup_steps=10, hold=0.5, final=0.2)
    rate = make_schedule(held, EXTENT, 110)
    np.testing.assert_allclose([rate(step) for step in (0, 10, 60, 85, 110)], [0.0, 1.0, 1.0, 0.6, 0.2], atol=1e-6)
    with pytest.raises(JaxstyleError, match=r"optimizer\.hold is 1; it must be from 0 to below 1"):
        make_optimizer(settings(hold=1.0), EXTENT, 10)


def test_bad_schedules():
    with pytest.raises(JaxstyleError, match=r"unknown optimizer.schedule 'cosin'; did you mean 'cosine'?"):
        make_optimizer(settings(schedule="cosin"), EXTENT, 10)
    with pytest.raises(JaxstyleError, match=r"optimizer\.warmup takes 100 steps, the whole run 10"):
        make_optimizer(settings(warmup_epochs=1.0), EXTENT, 10)


def test_a_second_optimizers_fields_are_named_as_the_recipe_has_them():
    with pytest.raises(JaxstyleError, match=r"discriminator_optimizer\.b1 is 1; it must be from 0 to below 1"):
        make_optimizer(settings(b1=1.0), EXTENT, 10, name="discriminator_optimizer")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_downhill(name):
    maker = make_optimizer(settings(name=name, learning_rate=0.05), EXTENT, 100)
    state = maker.start({"x": jnp.ones(3)})
    for _ in range(20):
        state = maker.apply_gradients(state, jax.tree.map(lambda x: 2 * x, state.params))
    assert float(jnp.sum(state.params["x"] ** 2)) < 1.0
    assert int(state.step) == 20


def test_accumulated_steps_make_the_update_of_their_mean():
    grads = [jnp.array([1.0, -2.0]), jnp.array([3.0, 0.0])]
    one = make_optimizer(settings(name="sgd", learning_rate=0.1), EXTENT, 100)
    two = make_optimizer(settings(name="sgd", learning_rate=0.1, accumulate=2), EXTENT, 100)
    start = {"x": jnp.zeros(2)}
    state = two.start(start)
    for grad in grads:
        state = two.apply_gradients(state, {"x": grad})
    wanted = one.apply_gradients(one.start(start), {"x": (grads[0] + grads[1]) / 2})
    np.testing.assert_allclose(state.params["x"], wanted.params["x"], rtol=1e-6)


@pytest.mark.parametrize("name", DECAYING)
def test_weight_decay_draws_kernels_to_zero_and_nothing_else(name):
    maker = make_optimizer(settings(name=name, learning_rate=0.1, weight_decay=0.5), EXTENT, 100)
    start = {"kernel": jnp.full((2, 2), 4.0), "bias": jnp.full(2, 4.0)}
    state = maker.apply_gradients(maker.start(start), jax.tree.map(jnp.zeros_like, start))
    np.testing.assert_allclose(state.params["kernel"], 4 * (1 - 0.1 * 0.5), rtol=1e-6)
    np.testing.assert_array_equal(state.params["bias"], 4)


def test_weight_decay_of_another_optimizer_is_told():
    with pytest.raises(JaxstyleError, match="weight_decay is for adamw and sgd; leave it 0 for 'adam'"):
        make_optimizer(settings(name="adam", weight_decay=0.1), EXTENT, 100)


def test_b2_moves_on_a_cosine_as_by_hand():
    """Adam in float64 NumPy, its bias corrected by the b2 of the step, as PyTorch does when it is set between steps."""
    maker = make_optimizer(settings(learning_rate=0.1, b1=0.0, b2=0.9, final_b2=0.99), EXTENT, 10)
    state, place, second = maker.start({"x": jnp.ones(1)}), 1.0, 0.0
    for number in range(6):
        b2 = 0.99 - 0.09 * (1 + np.cos(np.pi * number / 10)) / 2
        slope = place * (number + 1)
        second = b2 * second + (1 - b2) * slope**2
        place -= 0.1 * slope / (np.sqrt(second / (1 - b2 ** (number + 1))) + 1e-8)
        state = maker.apply_gradients(state, {"x": state.params["x"] * (number + 1)})
        np.testing.assert_allclose(state.params["x"], [place], rtol=1e-4)  # a small place is what float32 is left with
    with pytest.raises(JaxstyleError, match="final_b2 is for adam and adamw; leave it 0 for 'sgd'"):
        make_optimizer(settings(name="sgd", final_b2=0.9), EXTENT, 10)


def test_schedule_counts_steps_not_updates_when_accumulating():
    maker = make_optimizer(settings(name="sgd", learning_rate=1.0, schedule="linear", accumulate=5), EXTENT, 10)
    state = maker.start({"x": jnp.zeros(1)})
    for _ in range(10):
        state = maker.apply_gradients(state, {"x": jnp.ones(1)})
    np.testing.assert_allclose(state.params["x"], -(1.0 + 0.5), rtol=1e-6)  # rates at steps 0 and 5


def test_clipping_bounds_the_update():
    maker = make_optimizer(settings(name="sgd", learning_rate=1.0, clip_norm=1.0), EXTENT, 10)
    state = maker.apply_gradients(maker.start({"x": jnp.zeros(2)}), {"x": jnp.array([30.0, 40.0])})
    np.testing.assert_allclose(state.params["x"], [-0.6, -0.8], rtol=1e-6)


def test_moving_average_follows_and_is_no_alias():
    maker = make_optimizer(settings(name="sgd", learning_rate=1.0), EXTENT, 10, ema_decay=0.5)
    state = maker.start({"x": jnp.ones(2)})
    assert state.ema["x"].unsafe_buffer_pointer() != state.params["x"].unsafe_buffer_pointer()
    state = maker.apply_gradients(state, {"x": jnp.ones(2)})
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
        override(TrainingConfig(), changes)


@pytest.mark.parametrize("config", [TrainingConfig(), as_config(TrainingConfig())])
def test_override_changes_a_copy(config):
    assert override(config, {"optimizer.learning_rate": 0.5}).optimizer.learning_rate == 0.5
    assert config.optimizer.learning_rate == 1e-3


@pytest.mark.parametrize("config", [Config(), as_config(Config())])
def test_override_takes_numbers_of_numpy_and_paths(config):
    changes = {
        "optimizer.learning_rate": np.float32(0.5),
        "optimizer.warmup_epochs": np.int64(2),
        "batch_size": np.int32(8),
        "fallback": np.True_,
        "data.folder": pathlib.Path("pets"),
        "data.mask_classes": np.array(["a", "b"]),
        "styles": [pathlib.Path("a.png")],
    }
    made = override(config, changes)
    found = {name: flat(made)[name] for name in changes}
    assert list(found.values()) == [0.5, 2.0, 8, True, "pets", ("a", "b"), ("a.png",)]
    assert [type(value) for value in found.values()] == [float, float, int, bool, str, tuple, tuple]
    for value in (8.5, "8"):
        with pytest.raises(JaxstyleError, match=f"batch_size is {value!r}; it must be a whole number"):
            override(config, {"batch_size": value})


def test_a_dataclass_of_numbers_of_numpy_and_paths_is_as_one_of_pythons():
    data = dataclasses.replace(TrainingConfig().data, folder=pathlib.Path("pets"), size=np.int64(16))
    made = typed_config(TrainingConfig(seed=np.int64(3), data=data))
    assert json.loads(as_json(made))["data"]["folder"] == "pets"
    assert (type(made.seed), type(made.data.size)) == (int, int)


def test_a_config_of_flags_becomes_the_dataclass_again():
    config = TrainingConfig(seed=3, data=dataclasses.replace(TrainingConfig().data, mask_classes=("a", "b")))
    assert typed(TrainingConfig, as_config(config)) == config
    given = {"batch_size": np.int64(8), "ema_decay": 1, "data": {"mask_classes": ["a"], "size": 16}}
    made = typed(TrainingConfig, given)
    assert (made.batch_size, made.ema_decay, made.data.mask_classes, made.data.size) == (8, 1.0, ("a",), 16)
    assert (type(made.batch_size), type(made.ema_decay), made.data.split) == (int, float, "train")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"batch_size": 8.5}, "batch_size is 8.5; it must be a whole number"),
        ({"batch_size": True}, "batch_size is True; it must be a whole number"),
        ({"fallback": 1}, "fallback is 1; it must be True or False"),
        ({"optimizer": {"b1": "0.9"}}, "optimizer.b1 is '0.9'; it must be a number"),
        ({"optimizer": "adam"}, "optimizer is 'adam'; it must have fields"),
        ({"data": {"mask_classes": "cell"}}, "data.mask_classes is 'cell'; it must be a tuple"),
        ({"data": {"nam": "mnist"}}, "the config has no 'data.nam'; did you mean 'data.name'?"),
    ],
)
def test_a_value_of_another_type_is_one_sentence(given, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        typed(TrainingConfig, given)
