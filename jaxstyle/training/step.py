"""Compiled programs of a task for all devices, and the parts of a step that every task needs.

The state stays unstacked and is donated; the batch is `[devices, per device, …]`; everything returned is
equal on all devices, because the task averaged it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.runtime import compiling
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, StagesBatches, Task

AXIS = "batch"
WEIGHT = "example_weight"
"""Field of an evaluation batch: 1 for an example, 0 for padding of the last batch."""
INDEX = "example_index"
"""Field of an evaluation batch: the example's place in the split, of which its key is made."""

TrainStep = Callable[[TrainState, Batch, jax.Array], tuple[TrainState, Metrics]]


def example_keys(key: jax.Array, count: int) -> jax.Array:
    """One key for each of this device's examples, by its place in the global batch: `[count]`.

    With the device folded in instead, noise would depend on how many devices there are.

    Args:
      key: Of the step: `fold_in(key, state.step)`.
      count: Examples on this device.
    """
    places = lax.axis_index(AXIS) * count + jnp.arange(count)
    return jax.vmap(lambda place: jax.random.fold_in(key, place))(places)


def gradients(loss: Callable[[Any], tuple[jax.Array, Any]], params: Any) -> tuple[Any, Any]:
    """Gradients of the global batch's mean loss.

    Args:
      loss: Parameters -> (mean loss of this device's examples, pytree of other means).
      params: Pytree of arrays.

    Returns:
      (gradients, (loss, others)), all averaged over the devices.
    """
    value, grads = jax.value_and_grad(loss, has_aux=True)(params)
    return lax.pmean((grads, value), AXIS)


def norm(grads: Any) -> jax.Array:
    """The norm of all gradients together, a scalar."""
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf.astype(jnp.float32))) for leaf in jax.tree.leaves(grads)))


def mapped(devices: Sequence[jax.Device]) -> Sequence[jax.Device] | None:
    """The devices of a pmap: with several processes all of theirs, else the axis would end at this process."""
    return None if jax.process_count() > 1 else devices


def guarded(train_step: TrainStep) -> TrainStep:
    """A step that leaves the state as it was, and marks it unhealthy, when one of its metrics is not finite."""

    def step(state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        moved, metrics = train_step(state, batch, key)
        good = state.healthy
        for value in metrics.values():
            good &= jnp.all(jnp.isfinite(value))
        moved = jax.tree.map(lambda new, old: jnp.where(good, new, old), moved, state)
        return moved.replace(healthy=good), metrics

    return step


def staged(task: Task, batch: dict[str, Any], number: int) -> dict[str, Any]:
    """The batch of a step `[devices, …]` as a task whose steps are of several programs wants it."""
    return task.staged(batch, number) if isinstance(task, StagesBatches) else batch


def compile_train(task: Task, devices: Sequence[jax.Device]) -> compiling.Program:
    """`(state, batch, key) -> (state, metrics)` over local devices; the state given is used up."""
    return compiling.pmap(
        guarded(task.train_step),
        axis_name=AXIS,
        in_axes=(None, 0, None),
        out_axes=(None, None),
        donate_argnums=(0,),
        devices=mapped(devices),
    )


def compile_eval(task: Task, devices: Sequence[jax.Device]) -> compiling.Program:
    """`(state, batch, key) -> (sums over the examples that count, their number)`, over all devices."""

    def total(state: TrainState, batch: Batch, key: jax.Array) -> tuple[Metrics, jax.Array]:
        weight = batch[WEIGHT]
        keys = jax.vmap(lambda place: jax.random.fold_in(key, place))(batch[INDEX])
        metrics = task.eval_step(state, {k: v for k, v in batch.items() if k not in (WEIGHT, INDEX)}, keys)

        def add(value: jax.Array) -> jax.Array:
            counts = weight.reshape(weight.shape + (1,) * (value.ndim - 1)) > 0
            return jnp.sum(jnp.where(counts, value.astype(jnp.float32), 0.0), axis=0)  # where: 0 · NaN is NaN

        return lax.psum(({name: add(value) for name, value in metrics.items()}, jnp.sum(weight)), AXIS)

    return compiling.pmap(
        total, axis_name=AXIS, in_axes=(None, 0, None), out_axes=(None, None), devices=mapped(devices)
    )


def on_all(tree: Any, devices: Sequence[jax.Device]) -> Any:
    """A pytree's copy on every device, unstacked: the form in which a step takes and returns its state.

    Numbers of a weak type, which an initialiser may give, are of their own type then, as they come back from a step: a
    step that was given others would be compiled twice.
    """

    def strong(leaf: jax.Array) -> jax.Array:
        return lax.convert_element_type(leaf, leaf.dtype) if jnp.issubdtype(leaf.dtype, jnp.number) else leaf

    same = jax.pmap(
        lambda tree, _: jax.tree.map(strong, tree),
        axis_name=AXIS,
        in_axes=(None, 0),
        out_axes=None,
        devices=mapped(devices),
    )
    return same(tree, np.zeros(len(devices)))  # pmap wants something that is mapped
