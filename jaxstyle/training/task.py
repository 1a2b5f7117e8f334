"""The protocols by which the loop and the commands of `jaxstyle.inference` reach a task, and nothing else of it.

A task is a module of the form `TaskModule`, whose `make` gives an object of the form `Task`. Every other protocol here
is a capability that such an object may have besides; `isinstance` finds it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.training.config import TrainingConfig, typed
from jaxstyle.training.run_info import RunInfo
from jaxstyle.training.state import TrainState

Batch = Mapping[str, jax.Array]
Metrics = dict[str, jax.Array]


class TaskModule(Protocol):
    """A module of `jaxstyle.tasks`, or any other that `config.task` names.

    Attributes:
      Config: Its fields and their defaults.
    """

    Config: type[TrainingConfig]

    def check(self, config: Any) -> None:
        """Raises `JaxstyleError` for mistakes in the config and the files it names; called before all else."""

    def fields(self, config: Any) -> tuple[str, ...]:
        """Names of the example's fields that the task wants, such as `("image", "label")`; pure."""
        ...

    def make(self, config: Any, info: RunInfo) -> Task:
        """The task; raises `JaxstyleError` where config and data do not suit each other."""
        ...


@runtime_checkable
class CountsClasses(Protocol):
    """A module of a task that may want to know how often each class is trained on."""

    def counts_classes(self, config: Any) -> bool:
        """Whether it does: `RunInfo.training_counts` are then there for `make`."""
        ...


class Task(Protocol):
    """Pure functions over a state."""

    def init(self, key: jax.Array) -> TrainState: ...  # the state before the first step; `key` is a typed PRNG key

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's share of the batch, inside an axis named `step.AXIS`.

        It returns the state with `step` one larger. Everything returned is `pmean`ed over the axis. Randomness
        comes from `step.example_keys(fold_in(key, state.step), count)`. Metrics are scalars; if one is not finite
        the step is undone and the run stops.
        """
        ...

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """Metrics of every example, each `[per device, …]`; the evaluation masks and averages them.

        `keys` `[per device]` has one key an example, made of its place in the split, so that an evaluation that draws
        does not depend on the batch size.
        """
        ...


@runtime_checkable
class HasFixed(Protocol):
    """Steps read arrays that never change, such as a pretrained network: from `state.fixed`; checkpoints lack them."""

    def fixed(self) -> Any: ...  # a pytree; called once, on the host


@runtime_checkable
class SplitsBatches(Protocol):
    """A step divides a device's share of the batch into `parts` of equal size."""

    @property
    def parts(self) -> int: ...  # at least 1


@runtime_checkable
class StagesBatches(Protocol):
    """Steps are of several programs, one a shape of the batch; on the host a step's batch `[devices, …]` gets it."""

    def staged(self, batch: dict[str, Any], number: int) -> dict[str, Any]: ...


@runtime_checkable
class Summarizes(Protocol):
    """An evaluation's means are not yet what it gives."""

    def summary(self, means: Mapping[str, Any]) -> dict[str, Any]:
        """Metrics, of every mean that `eval_step` has a metric for; on the host."""
        ...


@runtime_checkable
class DrawsCharts(Protocol):
    """Every evaluation writes charts."""

    def charts(self, scores: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Charts `[H, W, 3]` in [0, 1] by name, of an evaluation's metrics; on the host."""
        ...


@runtime_checkable
class ShowsPictures(Protocol):
    """Every evaluation writes pictures."""

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Pictures `[N, H, W, C]` in [0, 1] by name, of 64 examples of the split or fewer; jitted on one device."""
        ...


@runtime_checkable
class ShowsFilms(Protocol):
    """Every evaluation writes films."""

    def films(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Films `[N, T, H, W, C]` in [0, 1] by name; otherwise as `ShowsPictures`."""
        ...


@runtime_checkable
class Samples(Protocol):
    """A generator of pictures."""

    def sample(self, state: TrainState, key: jax.Array, count: int, labels: jax.Array | None = None) -> jax.Array:
        """`[count, H, W, C]` in [0, 1]; `count` is static.

        Labels are `[count]` int32. Without them a conditional model draws its own; with them another raises
        `JaxstyleError`.
        """
        ...


@runtime_checkable
class DecodesLatents(Protocol):
    """A generator of pictures from standard normal latents, each of so many numbers."""

    @property
    def latents(self) -> int: ...
    def decode(self, state: TrainState, latents: jax.Array, labels: jax.Array | None) -> jax.Array:
        """`[N, H, W, C]` in [0, 1] of latents `[N, latents]` and, of a conditional model, labels `[N]`."""
        ...


@runtime_checkable
class EncodesPictures(Protocol):
    """An encoder of pictures, the other half of one that decodes latents."""

    def encode(self, state: TrainState, pictures: jax.Array, labels: jax.Array | None) -> jax.Array:
        """Latents `[N, latents]` of pictures `[N, H, W, C]` in [0, 1] and, of a conditional model, labels `[N]`."""
        ...


@runtime_checkable
class HasStyles(Protocol):
    """A generator that may map latents to a style a layer; where it does not, all raise `JaxstyleError`."""

    def truncated(self, share: float) -> Task: ...  # the same task, whose pictures go so far from the mean one
    def styles(self, state: TrainState, latents: jax.Array, labels: jax.Array | None) -> jax.Array: ...  # [N, L, W]
    def decode_styles(self, state: TrainState, styles: jax.Array) -> jax.Array: ...  # [N, H, W, C] in [0, 1]


@runtime_checkable
class Classifies(Protocol):
    """A classifier of pictures."""

    def features(self, state: TrainState, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Features `[N, D]` and logits `[N, classes]` of images `[N, H, W, C]` in [0, 1]."""
        ...


@runtime_checkable
class Segments(Protocol):
    """A classifier of pixels.

    Attributes:
      model: Its `factor` (sides must be multiples of it) and `radius` (pixels on which one pixel's logits depend).
      channels: Of the pictures, 1 or 3.
    """

    @property
    def model(self) -> Any: ...
    @property
    def channels(self) -> int: ...
    def logits(self, state: TrainState, pictures: jax.Array) -> jax.Array:
        """`[N, H, W, classes]` of pictures `[N, H, W, C]` in [0, 1]."""
        ...


@runtime_checkable
class Forecasts(Protocol):
    """A forecaster of clips.

    Attributes:
      inputs: Frames that it is given.
      outputs: Frames that it forecast in training.
      classes: Names of the clips' classes; empty where it does not classify them.
    """

    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    def forecast(self, state: TrainState, inputs: jax.Array, count: int) -> jax.Array:
        """The frames that follow, `[N, count, H, W, C]` in [0, 1] of clips `[N, T, H, W, C]`; `count` is static."""
        ...

    def class_logits(self, state: TrainState, clips: jax.Array) -> jax.Array:
        """`[N, classes]` of clips `[N, T, H, W, C]` in [0, 1]."""
        ...


@runtime_checkable
class Stylizes(Protocol):
    """The training of a network that stylises pictures."""

    def style_network(self, state: TrainState) -> tuple[Any, Any, tuple[str, ...]]:
        """The network, its parameters, and the names of the styles it has learnt (none if it takes any style)."""
        ...


@runtime_checkable
class Translates(Protocol):
    """The training of networks that translate pictures between two domains, `a` and `b`.

    Attributes:
      made: Domains of which it makes pictures: both, or `b` alone.
    """

    @property
    def made(self) -> tuple[str, ...]: ...
    def translator(self, state: TrainState, to: str) -> tuple[Any, Any]:
        """The network that makes pictures of a domain, and its parameters."""
        ...

    def translate(self, state: TrainState, pictures: jax.Array, to: str) -> jax.Array:
        """Pictures `[N, H, W, 3]` in [0, 1] of one domain as pictures of another, `to`."""
        ...


def fixed_of(task: Task) -> Any:
    """The arrays that a task's steps read and never change, or None."""
    return task.fixed() if isinstance(task, HasFixed) else None


def template(task: Task) -> TrainState:
    """Arrays of the shapes and dtypes of a task's state; to compute the first state would only take time."""
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def load_task(name: str) -> TaskModule:
    """The module that `config.task` names.

    Raises:
      JaxstyleError: There is none, or it is no task.
    """
    unknown = JaxstyleError(f"there is no task {name!r}; write for example 'jaxstyle.tasks.classify'")
    if not (isinstance(name, str) and all(part.isidentifier() for part in name.split("."))):
        raise unknown
    try:
        module: Any = import_module(name)
    except ModuleNotFoundError as error:
        if error.name and not name.startswith(error.name):
            raise
        raise unknown from None
    missing = [part for part in ("Config", "check", "fields", "make") if not hasattr(module, part)]
    if missing:
        raise JaxstyleError(f"{name!r} is no task: it has no {' and no '.join(missing)}")
    return module


def typed_config(config: Any) -> TrainingConfig:
    """Makes a task's dataclass of a recipe's `ConfigDict`, or of such a dataclass with numbers of NumPy's or paths.

    Raises:
      JaxstyleError: There is no such task, or a field that the task has not, or a value of another type.
    """
    if isinstance(config, TrainingConfig):
        return typed(type(config), dataclasses.asdict(config))
    return typed(load_task(config.get("task")).Config, config)
