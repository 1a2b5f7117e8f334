"""The fields every training recipe has, with their defaults, and overriding them by name."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath
from ml_collections import ConfigDict

from jaxstyle.data.config import DataConfig
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.runtime import buckets
from jaxstyle.runtime.buckets import in_bucket

FIXED = ("task", "seed", "batch_size", "data", "model")
"""What cannot change when a run goes on: the batches and the network would not be the same. A task's module may have
more, in a `FIXED` of its own."""

FREE = ("data.data_dir", "data.eval_split", "data.resident_megabytes")
"""What of it can: neither what is trained on nor the network depends on it."""

PATHS = ("folder", "masks", "data_dir")
"""Fields of `data` that are places."""

NAMES = ("features", "styles")
"""Fields that some recipes have, of one name or several: of files, or of what jaxstyle knows (`example:mosaic`)."""

DTYPES = ("float32", "bfloat16", "float16")


def defaults() -> ConfigDict:
    """A training recipe with nothing decided but the ordinary.

    Durations end in `_steps`, `_examples` or `_epochs`; 0 is "not given", and steps count before examples before
    epochs. Recipes therefore state epochs.
    """
    config = ConfigDict()
    config.run = "jaxstyle.training.loop:run"
    config.task = "jaxstyle.tasks.classify"
    config.seed = 0
    config.batch_size = 128  # over all devices and processes
    config.devices = 0  # local devices used; 0 is all
    config.dtype = "float32"  # in which the network computes; its parameters are float32 always
    config.ema_decay = 0.0
    duration(config, "train", epochs=10.0)
    duration(config, "eval", epochs=1.0)
    duration(config, "checkpoint", epochs=1.0)
    config.log_steps = 50
    config.keep = 2  # newest checkpoints kept; the best one is kept besides
    config.best = ""  # metric of the evaluation by which a checkpoint is best
    config.best_mode = "max"
    config.fallback = False  # whether a broken newest checkpoint is passed over for the one before it
    config.profile_steps = 0  # traced for TensorBoard's profile page; 0 is none
    config.progress = "auto"  # on, off, or auto: on a terminal
    config.data = ConfigDict(dataclasses.asdict(DataConfig()))
    config.augment = ConfigDict({"pad": 0, "flip": False})  # pixels of random cropping; mirrorings
    config.remat = False  # whether the backward pass works activations out again: less memory, more time
    config.optimizer = optimizer()
    config.model = ConfigDict()
    return config


def optimizer() -> ConfigDict:
    """How a network's parameters are moved."""
    config = ConfigDict({"name": "adam", "learning_rate": 1e-3, "schedule": "constant", "final": 0.0})
    duration(config, "warmup")
    config.update(b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0, momentum=0.0, nesterov=False)
    config.update(clip_norm=0.0, accumulate=1)
    return config


def duration(config: ConfigDict, name: str, *, steps: int = 0, examples: int = 0, epochs: float = 0.0) -> None:
    """Adds a duration's three fields."""
    config[f"{name}_steps"], config[f"{name}_examples"], config[f"{name}_epochs"] = steps, examples, float(epochs)


def override(config: ConfigDict, changes: Mapping[str, Any]) -> ConfigDict:
    """A copy with some fields changed, named as on the command line: `{"optimizer.learning_rate": 0.01}`.

    Raises:
      JaxstyleError: A name that the config has not; the nearest one is told.
    """
    changed = ConfigDict(config.to_dict())
    known = flat(changed)
    for name, value in changes.items():
        if name not in known:
            raise JaxstyleError(f"the config has no {name!r}; {did_you_mean(name, known)}")
        changed.update_from_flattened_dict({name: value})
    return changed


def flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """All fields with their dotted names."""
    fields = {}
    for name, value in config.items():
        inner = flat(value, f"{prefix}{name}.") if isinstance(value, (Mapping, ConfigDict)) else {}
        fields.update(inner or {f"{prefix}{name}": value})
    return fields


def absolute(workdir: str | os.PathLike) -> epath.Path:
    """A workdir as an absolute path; `gs://…` stays as it is."""
    text = os.fspath(workdir)
    return epath.Path(text if in_bucket(text) else os.path.abspath(os.path.expanduser(text)))


def check(config: Any, workdir: epath.Path) -> None:
    """Looks at the settings that no one else does.

    Raises:
      JaxstyleError: A dtype in which nothing computes, a seed below 0, a workdir that is a file or below one, or in a
        bucket that cannot be reached, or where profiles cannot be written.
    """
    if config.dtype not in DTYPES:
        raise JaxstyleError(f"unknown dtype {config.dtype!r}; {did_you_mean(config.dtype, DTYPES)}")
    if config.seed < 0:
        raise JaxstyleError(f"seed is {config.seed}; it must be at least 0")
    if in_bucket(workdir):
        if config.profile_steps:
            raise JaxstyleError("profiles are written on disk only: leave out profile_steps, or give a --workdir there")
        buckets.check("the workdir", workdir)
        return
    for place in (workdir, *workdir.parents):
        if place.exists():
            if not place.is_dir():
                raise JaxstyleError(f"there can be no workdir {os.fspath(workdir)!r}: {os.fspath(place)!r} is a file")
            break


def with_absolute_paths(config: ConfigDict) -> ConfigDict:
    """A config whose places mean the same from every folder: later commands read it, wherever they are run."""
    given = {f"data.{name}": config.data[name] for name in PATHS if config.data[name]}
    changes: dict[str, Any] = {name: path if settled(path) else os.path.abspath(path) for name, path in given.items()}
    for name in NAMES:
        if isinstance(one := config.get(name, ()), str):
            changes |= {name: absolute_name(one)} if one else {}
        elif one:
            changes[name] = tuple(map(absolute_name, one))
    return override(config, changes)


def settled(path: str) -> bool:
    """Whether a place is of a bucket, or named after the workdir."""
    return in_bucket(path) or path.startswith("{")


def absolute_name(name: str) -> str:
    """A file's name from every folder; any other name as it is."""
    return os.path.abspath(name) if not in_bucket(name) and os.path.exists(name) else name


def at_least(config: Any, least: Mapping[str, float]) -> None:
    """Checks numbers of a config against the smallest that can be.

    Raises:
      JaxstyleError: One is smaller, or not a number.
    """
    given = flat(config)
    for name, bound in least.items():
        if not given[name] >= bound:
            raise JaxstyleError(f"{name} is {given[name]:g}; it must be at least {bound:g}")


def unused(config: Any, *names: str) -> None:
    """Raises `JaxstyleError` for a setting which every recipe has, a task has no use for, and somebody has set."""
    known, before = flat(config), flat(defaults())
    for name in names:
        if known[name] != before[name]:
            raise JaxstyleError(f"{name} is {known[name]!r}, and {config.task} does nothing with it; leave it out")


def read_config(workdir: str | os.PathLike) -> ConfigDict:
    """The config with which a workdir's run was started.

    Raises:
      JaxstyleError: It has none, or what it has is no config.
    """
    path = absolute(workdir) / "config.json"
    try:
        return ConfigDict(json.loads(path.read_text()))
    except FileNotFoundError:
        raise JaxstyleError(f"{os.fspath(workdir)!r} holds no run: there is no config.json") from None
    except ValueError:
        raise JaxstyleError(f"{os.fspath(path)!r} is no config: it is not JSON") from None


def completed(config: ConfigDict, base: ConfigDict) -> ConfigDict:
    """A saved config, with this version's defaults for the fields that the version which saved it did not know."""

    def fill(saved: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
        nested = {name: fill(value, base[name]) for name, value in saved.items() if isinstance(base.get(name), dict)}
        return {**base, **saved, **nested}

    return ConfigDict(fill(config.to_dict(), base.to_dict()))


def as_json(config: ConfigDict) -> str:
    """A config as it is kept in the workdir."""
    return json.dumps(config.to_dict(), indent=2, default=list)


def check_same_run(workdir: epath.Path, config: ConfigDict, base: ConfigDict, more: Sequence[str] = ()) -> None:
    """Checks that a run begun in a workdir, if there is one, can go on with this config, of which `base` is default.

    Args:
      workdir: Absolute.
      config: With absolute paths.
      base: Of its task.
      more: Fields that cannot change either, beside `FIXED`.

    Raises:
      JaxstyleError: Fields that cannot change have changed; they are listed.
    """
    if (workdir / "config.json").exists():
        # What is new since the run began has the default, which is how the run was begun.
        saved = with_absolute_paths(completed(read_config(workdir), base))
        before, now = (flat(json.loads(as_json(one))) for one in (saved, config))
        names = sorted(name for name in {*before, *now} if name.split(".")[0] in {*FIXED, *more} and name not in FREE)
        changed = [f"{n} was {before.get(n)!r}, is {now.get(n)!r}" for n in names if before.get(n) != now.get(n)]
        if changed:
            raise JaxstyleError(
                f"the run in {os.fspath(workdir)!r} cannot go on with another config: {'; '.join(changed)}. "
                "Give the old values, or another --workdir"
            )
