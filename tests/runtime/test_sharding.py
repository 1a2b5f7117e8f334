"""Pictures sharded over devices: nothing is lost on the way, and nothing depends on how many there are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.sharding import BatchSharding, choose_devices, sharded_map


def tree(count):
    rng = np.random.default_rng(0)
    return {"image": rng.normal(size=(count, 2, 3)).astype(np.float32), "step": np.arange(count, dtype=np.int32)}


def step(state, shared):
    """Of one picture: something that differs from picture to picture and reads what all share."""
    image = jnp.tanh(state["image"] @ shared["kernel"]) + jnp.float32(state["step"])
    return {"image": image, "step": state["step"] + 1}, jnp.sum(image)


SHARED = {"kernel": np.arange(9, dtype=np.float32).reshape(3, 3) / 9}


@pytest.mark.parametrize("devices", [1, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 9, 17])
def test_gather_undoes_scatter(count, devices):
    sharding = BatchSharding(count, choose_devices(devices))
    scattered = sharding.scatter(tree(count))
    assert sharding.per_device == -(-count // devices)  # no device has more pictures than it must
    assert len(sharding.devices) == -(-count // sharding.per_device)  # and no device has none
    for leaf in jax.tree.leaves(scattered):
        assert leaf.shape[:2] == (len(sharding.devices), sharding.per_device)
        assert leaf.sharding.device_set == set(sharding.devices)
        assert {shard.data.shape[0] for shard in leaf.addressable_shards} == {1}
    jax.tree.map(np.testing.assert_array_equal, sharding.gather(scattered), tree(count))


def test_a_batch_is_filled_up_with_its_first_pictures():
    scattered = BatchSharding(5, choose_devices(3)).scatter(np.arange(5.0))
    np.testing.assert_array_equal(scattered, [[0, 1], [2, 3], [4, 0]])


def test_scatter_does_not_change_dtypes():
    scattered = BatchSharding(4, choose_devices(2)).scatter(tree(4))
    assert (scattered["image"].dtype, scattered["step"].dtype) == (jnp.float32, jnp.int32)


def test_replicate_puts_a_whole_copy_on_every_device():
    sharding = BatchSharding(3, choose_devices(3))
    replicated = sharding.replicate(SHARED)["kernel"]
    assert replicated.sharding.device_set == set(sharding.devices)
    for shard in replicated.addressable_shards:
        np.testing.assert_array_equal(shard.data, SHARED["kernel"])


@pytest.mark.parametrize("count", [2, 5])
def test_the_result_does_not_depend_on_the_number_of_devices(count):
    results = []
    for devices in (1, 3, 8):
        sharding = BatchSharding(count, choose_devices(devices))
        mapped = sharded_map(step, sharding.devices, (0, None))
        state, losses = mapped(sharding.scatter(tree(count)), sharding.replicate(SHARED))
        results.append((sharding.gather(state), sharding.gather(losses)))
    batch = tree(count)
    for i in range(count):
        alone, loss = step(jax.tree.map(lambda leaf, i=i: leaf[i], batch), SHARED)
        # float32 rounding: matrix products of another batch size add up in another order.
        np.testing.assert_allclose(results[0][0]["image"][i], alone["image"], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(results[0][1][i], loss, rtol=1e-5)
    for other in results[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), results[0], other)


def test_a_step_copies_nothing_between_host_and_devices():
    sharding = BatchSharding(5, choose_devices(3))
    mapped = sharded_map(step, sharding.devices, (0, None))
    state, shared = sharding.scatter(tree(5)), sharding.replicate(SHARED)
    on_one_device = jax.device_put(SHARED, sharding.devices[0])
    state, _ = mapped(state, shared)  # compiled outside of the guard
    with jax.transfer_guard("disallow"):
        for _ in range(3):
            state, losses = mapped(state, shared)
        with pytest.raises(ValueError, match="sharding"):  # what `replicate` is there to avoid is not done in silence
            mapped(state, on_one_device)
        with pytest.raises(Exception, match="transfer"):
            mapped(state, SHARED)
    np.testing.assert_array_equal(sharding.gather(state)["step"], np.arange(5) + 4)
    assert sharding.gather(losses).shape == (5,)


def test_a_donated_state_is_used_up():
    sharding = BatchSharding(2, choose_devices(2))
    mapped = sharded_map(step, sharding.devices, (0, None), donate=(0,))
    state = sharding.scatter(tree(2))
    mapped(state, sharding.replicate(SHARED))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def test_all_devices_are_chosen_unless_a_number_is_given():
    assert choose_devices() == jax.local_devices()
    assert choose_devices(3) == jax.local_devices()[:3]


@pytest.mark.parametrize("count", [-1, 0, 9])
def test_a_wrong_number_of_devices_is_refused_with_the_right_ones(count):
    with pytest.raises(JaxstyleError, match=rf"^{count} devices .*there are 8: choose 1 to 8"):
        choose_devices(count)
