"""What the loop asks of a task, and what it tells it: the only things the two know of each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

import jax
from ml_collections import ConfigDict

from jaxstyle.errors import JaxstyleError
from jaxstyle.training.config import defaults
from jaxstyle.training.durations import Extent
from jaxstyle.training.state import TrainState

Batch = Mapping[str, jax.Array]
Metrics = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a task is told about the run, beside its config.

    Attributes:
      extent: Examples an epoch, examples a batch; turns durations into steps.
      steps: Of the whole run.
      spec: Shape and dtype of every field of one example.
      classes: What the labels mean; empty where there are none.
    """

    extent: Extent
    steps: int
    spec: Mapping[str, jax.ShapeDtypeStruct]
    classes: tuple[str, ...] = ()


class Task(Protocol):
    """Pure functions over a state; any object that has them is a task. A module of tasks has
    `fields(config) -> names of the example fields it wants` and `make(config, setting) -> Task`.

    A task may also have `pictures(state, batch, key) -> {name: [N, H, W, C] in [0, 1]}`, a function that is jitted
    on one device and written at every evaluation, `films(state, batch, key) -> {name: [N, T, H, W, C] in [0, 1]}`
    likewise, and `summary(metrics) -> metrics`, applied on the host to the means of an evaluation; of what that returns
    `charts(metrics) -> {name: [H, W, 3] in [0, 1]}` draws on the host.

    A task whose steps look at arrays that never change, such as a pretrained network, has `fixed() -> pytree`, which is
    called once, on the host; steps find it in `state.fixed`, and checkpoints do not have it.

    A task that divides a device's share of the batch has `parts`, into how many.

    A task that generates has `sample(state, key, count, labels=None) -> [count, H, W, C] in [0, 1]`.
    There `count` is static, `labels` `[count]` int32; a conditional model draws the labels where none are given, and
    another raises `JaxstyleError` where some are. A classifier has `features(state, images [N, H, W, C] in [0, 1]) ->
    ([N, D] features, [N, classes] logits)`. A forecaster has `foresee(state, inputs [N, T, H, W, C] in [0, 1], count)
    -> [N, count, H, W, C] in [0, 1]`, with static `count`, and `inputs` and `outputs`, the frames it was trained on.
    """

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step; `key` is a typed PRNG key."""
        ...

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's share of the batch, inside an axis named `step.AXIS`.

        It returns the state with `step` one larger. Everything returned is `pmean`ed over the axis. Randomness
        comes from `step.example_keys(fold_in(key, state.step), count)`. Metrics are scalars; if one is not finite
        the step is undone and the run stops.
        """
        ...

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """Metrics of every example, each `[per device, …]`; the loop masks and averages them.

        `keys` `[per device]` has one key an example, made of its place in the split, so that an evaluation that draws
        does not depend on the batch size.
        """
        ...


def defaults_of(config: Any) -> ConfigDict:
    """The fields of a config's task with their defaults; of a task that adds none, every recipe's."""
    module = load_task(config)
    return module.defaults() if hasattr(module, "defaults") else defaults()


def load_task(config: Any) -> Any:
    """The module that `config.task` names.

    Raises:
      JaxstyleError: There is none, or it is no task.
    """
    try:
        module = import_module(config.task)
    except ModuleNotFoundError as error:
        if error.name and not config.task.startswith(error.name):
            raise
        raise JaxstyleError(f"there is no task {config.task!r}; write for example 'jaxstyle.tasks.classify'") from None
    missing = [name for name in ("make", "fields") if not hasattr(module, name)]
    if missing:
        raise JaxstyleError(f"{config.task!r} is no task: it has no function {' or '.join(missing)}")
    return module
