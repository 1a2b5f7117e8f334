"""The settings of a training: typed dataclasses that hold every default, and their form as flags.

A task adds fields of its own in a subclass of `TrainingConfig`. A recipe in `configs/` makes a `ConfigDict` of it by
`as_config`, so that `--config.optimizer.learning_rate=0.01` changes one field; the loop turns it back by `typed`.
"""

from __future__ import annotations

import dataclasses
import os
import types
import typing
from collections.abc import Container, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np
from ml_collections import ConfigDict, FieldReference

from jaxstyle.data.config import DataConfig
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.runtime.settings import named
from jaxstyle.training.loggers import find_logger

T = TypeVar("T")
DTYPES = ("float32", "bfloat16", "float16")
PROGRESS = ("auto", "on", "off")
ACCEPTED: dict[Any, Any] = {bool: bool, int: int, float: (int, float), str: str}
WANTED: dict[Any, str] = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}
WANTED[int | str] = "a number or a text"


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """Random changes of training pictures; see `jaxstyle.data.augment`."""

    pad: int = 0  # pixels of random cropping
    flip: bool = False  # mirrorings


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The update rule of a network's parameters; see `jaxstyle.training.optimizers`."""

    name: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    hold: float = 0.0  # share of the run, after the warm-up, before the learning rate begins to fall
    final: float = 0.0  # share of the learning rate that is left at the end
    warmup_steps: int = 0
    warmup_examples: int = 0
    warmup_epochs: float = 0.0
    b1: float = 0.9
    b2: float = 0.999
    final_b2: float = 0.0  # b2 at the end, on a cosine; 0 leaves it
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    nesterov: bool = False
    clip_norm: float = 0.0  # of the gradient; 0 clips nothing
    accumulate: int = 1  # steps whose gradients make one update
    freeze: str = ""  # regular expression; parameters whose names begin so are not trained
    rates: tuple[
        str, ...
    ] = ()  # `REGEX=FACTOR` of the learning rate of parameters whose names begin so; the first counts


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The fields that every task has.

    Durations end in `_steps`, `_examples` or `_epochs`; 0 is "not given", and steps count before examples before
    epochs. Recipes therefore state epochs.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("task", "seed", "batch_size", "balanced", "data", "model")
    """Fields that cannot change when a run goes on: the batches or the network would not be the same."""
    CHANNELS: ClassVar[Container[int]] = (1, 3)
    """Numbers of channels that pictures of a folder may have."""

    run: str = "jaxstyle.training.loop:run"
    task: str = "jaxstyle.tasks.classify"
    seed: int = 0
    batch_size: int = 128  # over all devices and processes
    balanced: bool = False  # whether an epoch has as many examples of every class, however many there are
    devices: int = 0  # local devices used; 0 is all
    dtype: str = "float32"  # in which the network computes; its parameters are float32 always
    ema_decay: float = 0.0
    train_steps: int = 0
    train_examples: int = 0
    train_epochs: float = 10.0
    eval_steps: int = 0
    eval_examples: int = 0
    eval_epochs: float = 1.0
    checkpoint_steps: int = 0
    checkpoint_examples: int = 0
    checkpoint_epochs: float = 1.0
    log_steps: int = 50
    keep: int = 2  # newest checkpoints kept; the best one is kept besides
    best: str = ""  # metric of the evaluation by which a checkpoint is best
    best_mode: str = "max"
    patience: int = 0  # evaluations without a better value of `best`, after which the run stops; 0 never does
    init_from: str = ""  # run, or file of weights, with whose parameters a run begins, as far as they fit
    resume_step: int = 0  # of a kept checkpoint from which the run goes on; 0 is the newest
    fallback: bool = False  # whether a broken newest checkpoint is passed over for the one before it
    profile_steps: int = 0  # traced for TensorBoard's profile page; 0 is none
    logger: str = ""  # `file.py:function` that makes what gets numbers and pictures, too: `jaxstyle.training.loggers`
    progress: str = "auto"  # on, off, or auto: on a terminal
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
    remat: bool = False  # whether the backward pass works activations out again: less memory, more time
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)


def as_config(config: Any) -> ConfigDict:
    """A config dataclass, or a copy of a `ConfigDict`, as a `ConfigDict`, which flags can change."""
    values = config.to_dict() if isinstance(config, ConfigDict) else dataclasses.asdict(config)
    if "size" in (data := values.get("data", {})):
        data["size"] = FieldReference(data["size"], field_type=object)  # a number or a text
    return ConfigDict(values)


def typed(kind: type[T], values: Any, prefix: str = "") -> T:
    """A config dataclass with the declared type of every field.

    Args:
      kind: The dataclass, whose fields are numbers, texts, truths, tuples of these, or dataclasses likewise.
      values: A mapping or `ConfigDict`; fields that it lacks have their defaults. One of `kind` is returned as it is.
      prefix: What stands before its fields' names in a sentence.

    Raises:
      JaxstyleError: A name that `kind` has not, or a value of another type.
    """
    if isinstance(values, kind):
        return values
    if not isinstance(values, (Mapping, ConfigDict)):
        raise JaxstyleError(
            f"{named(prefix.rstrip('.')) if prefix else 'the config'} is {values!r}; it must have fields"
        )
    declared, known = typing.get_type_hints(kind), [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            near = did_you_mean(prefix + name, [prefix + each for each in known])
            raise JaxstyleError(f"the config has no {prefix + name!r}; {near}")
    return kind(**{name: converted(declared[name], value, prefix + name) for name, value in values.items()})


def converted(kind: Any, value: Any, name: str) -> Any:
    """A value in a field's declared type: lists become tuples, whole numbers floats, NumPy's numbers Python's.

    Raises:
      JaxstyleError: It is of another type.
    """
    if dataclasses.is_dataclass(kind):
        return typed(kind, value, f"{name}.")  # type: ignore[arg-type]
    value = plain(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        raise JaxstyleError(f"{named(name)} is a number beyond 2^63, which nothing here can be")
    if typing.get_origin(kind) is tuple and isinstance(value, (list, tuple)):
        return tuple(converted(typing.get_args(kind)[0], element, name) for element in value)
    for one in typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,):
        if isinstance(value, ACCEPTED.get(one, ())) and isinstance(value, bool) == (one is bool):
            return one(value)
    raise JaxstyleError(f"{named(name)} is {value!r}; it must be {WANTED.get(kind, 'a tuple')}")


def plain(value: Any) -> Any:
    """Returns Python's own numbers for NumPy's, a text for a path, a tuple for a list or an array."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value))
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def override(config: T, changes: Mapping[str, Any]) -> T:
    """Returns a copy with some fields changed.

    Args:
      config: A config dataclass, or a `ConfigDict`.
      changes: Values by the fields' names, written as on the command line: `{"optimizer.learning_rate": 0.01}`. NumPy's
        numbers and paths will do.

    Raises:
      JaxstyleError: A name that the config has not, and the nearest one; or a value of another type.
    """
    changed = as_config(config)
    known = flat(changed)
    for name, value in changes.items():
        if name not in known:
            raise JaxstyleError(f"the config has no {name!r}; {did_you_mean(name, known)}")
        try:
            changed.update_from_flattened_dict({name: plain(value)})
        except TypeError:
            wanted = WANTED.get(type(known[name]), "a tuple")
            raise JaxstyleError(f"{named(name)} is {value!r}; it must be {wanted}") from None
    return changed if isinstance(config, ConfigDict) else typed(type(config), changed)


def flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """All fields with their dotted names."""
    fields = {}
    for name, value in (dataclasses.asdict(config) if dataclasses.is_dataclass(config) else config).items():  # type: ignore
        inner = flat(value, f"{prefix}{name}.") if isinstance(value, (Mapping, ConfigDict)) else {}
        fields.update(inner or {f"{prefix}{name}": value})
    return fields


def check_common(config: TrainingConfig) -> None:
    """Checks the fields that no one else does.

    Raises:
      JaxstyleError: An unknown `dtype`, `progress` or `logger`, a seed or step below 0, or channels that the task
        does not take.
    """
    one_of(config, {"dtype": DTYPES, "progress": PROGRESS})
    find_logger(config.logger)
    at_least(config, {"seed": 0, "resume_step": 0, "patience": 0})
    if config.data.channels not in config.CHANNELS:
        wanted = f"{config.task} takes pictures of 1 or 3 channels"
        raise JaxstyleError(f"{named('data.channels')} is {config.data.channels}, and {wanted}")


def one_of(config: Any, known: Mapping[str, Any]) -> None:
    """Checks names of a config, such as `{"model.cell": ("lstm", "gru")}`.

    Raises:
      JaxstyleError: One is not among those known.
    """
    given = flat(config)
    for name, names in known.items():
        if given[name] not in names:
            raise JaxstyleError(f"unknown {named(name)} {given[name]!r}; {did_you_mean(given[name], names)}")


def at_least(config: Any, least: Mapping[str, float]) -> None:
    """Checks numbers of a config against the smallest that can be.

    Raises:
      JaxstyleError: One is smaller, or not a number.
    """
    given = flat(config)
    for name, bound in least.items():
        if not given[name] >= bound:
            raise JaxstyleError(f"{named(name)} is {given[name]:g}; it must be at least {bound:g}")


def unused(config: TrainingConfig, *names: str) -> None:
    """Raises `JaxstyleError` for a field that every recipe has, the task has no use for, and somebody has set."""
    given, default = flat(config), flat(TrainingConfig())
    for name in names:
        if given[name] != default[name]:
            raise JaxstyleError(f"{named(name)} is {given[name]!r}, but {config.task} does not use it: leave it out")
