"""What every task's step relies on."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.training import step
from jaxstyle.training.state import TrainState, parameter_table


@pytest.mark.parametrize("devices", [1, 2, 8])
def test_example_keys_do_not_depend_on_devices(devices):
    key = jax.random.key(3)
    draw = jax.pmap(
        lambda x, k: jax.vmap(jax.random.uniform)(step.example_keys(k, 16 // devices)),
        axis_name=step.AXIS,
        in_axes=(0, None),
        devices=jax.devices()[:devices],
    )
    wanted = [jax.random.uniform(jax.random.fold_in(key, i)) for i in range(16)]
    np.testing.assert_array_equal(draw(np.zeros(devices), key).reshape(-1), wanted)


def moving(state, batch, key):
    total = jax.lax.pmean(jnp.mean(batch["x"]), step.AXIS)
    return state.replace(step=state.step + 1, params=state.params + total), {"loss": total}


def test_after_a_bad_step_nothing_moves_any_more():
    train = step.compile_train(types.SimpleNamespace(train_step=moving), jax.devices())
    state = step.on_all(TrainState(jnp.int32(0), jnp.float32(0), ()), jax.devices())
    for value in (1.0, np.nan, 1.0):
        state, _ = train(state, {"x": np.full((8, 2), value, np.float32)}, jax.random.key(0))
    assert (int(state.step), float(state.params), bool(state.healthy)) == (1, 1.0, False)


def test_filling_of_the_last_batch_does_not_count_even_if_it_is_nan():
    task = types.SimpleNamespace(eval_step=lambda state, batch, keys: {"x": batch["x"], "two": batch["x"][:, None]})
    evaluate = step.compile_eval(task, jax.devices())
    values, weight = np.full(16, np.nan, np.float32), np.zeros(16, np.float32)
    values[:5], weight[:5] = np.arange(5), 1
    index = np.arange(16, dtype=np.int32).reshape(8, 2)
    batch = {"x": values.reshape(8, 2), step.WEIGHT: weight.reshape(8, 2), step.INDEX: index}
    sums, count = evaluate(step.on_all(jnp.zeros(()), jax.devices()), batch, jax.random.key(0))
    assert (float(sums["x"]), float(count)) == (10.0, 5.0)
    np.testing.assert_array_equal(sums["two"], [10.0])


@pytest.mark.parametrize("devices", [1, 4])
def test_evaluation_keys_are_those_of_the_place_in_the_split(devices):
    task = types.SimpleNamespace(eval_step=lambda state, batch, keys: {"x": jax.vmap(jax.random.uniform)(keys)})
    evaluate = step.compile_eval(task, jax.devices()[:devices])
    key, places = jax.random.key(5), np.array([7, 2, 11, 3], np.int32)
    batch = {name: places.reshape(devices, -1) for name in ("x", step.INDEX)}
    batch[step.WEIGHT] = np.ones_like(batch["x"], np.float32)
    sums, _ = evaluate(step.on_all(jnp.zeros(()), jax.devices()[:devices]), batch, key)
    wanted = sum(jax.random.uniform(jax.random.fold_in(key, place)) for place in (7, 2, 11, 3))
    np.testing.assert_allclose(sums["x"], wanted, rtol=1e-6)


def test_parameter_table_adds_up():
    lines = parameter_table({"a": {"kernel": jnp.zeros((3, 4))}, "b": jnp.zeros(5)}).splitlines()
    assert [line.split() for line in lines] == [["a/kernel", "3×4", "12"], ["b", "5", "5"], ["total", "17"]]


def test_a_state_on_all_devices_is_of_the_types_that_a_step_gives_back():
    """Else the second step is compiled anew."""
    weak = jnp.asarray(1.0)
    assert weak.weak_type
    placed = step.on_all({"weak": weak, "flag": jnp.bool_(True), "count": jnp.int32(3)}, jax.devices()[:2])
    assert not any(leaf.weak_type for leaf in placed.values())
    assert [leaf.dtype.name for leaf in placed.values()] == ["int32", "bool", "float32"]
    assert float(placed["weak"]) == 1.0
