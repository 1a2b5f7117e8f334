"""A run's workdir, opened to read: what trained it and where it stands. The run may be finished or still going on."""

from __future__ import annotations

import dataclasses
import json
import os
from contextlib import closing
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.runtime import atomic
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.config import absolute, completed, read_config
from jaxstyle.training.durations import Extent
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Setting, defaults_of, load_task

SETTING = "setting.json"


@dataclasses.dataclass(frozen=True)
class Run:
    """What a workdir holds.

    Attributes:
      folder: Absolute.
      config: With which it was started.
      setting: What its task was told beside the config.
      task: Its pure functions.
      state: Of one checkpoint, numpy arrays.
    """

    folder: epath.Path
    config: ConfigDict
    setting: Setting
    task: Any
    state: TrainState


def open_run(workdir: str | os.PathLike, checkpoint: str = "newest") -> Run:
    """Opens a workdir without changing it, and without its data.

    Args:
      workdir: Of a run of `jaxstyle.training.loop`; may be `gs://…`.
      checkpoint: `"newest"`, `"best"` by the metric that the config names, or a step such as `"5000"`.

    Raises:
      JaxstyleError: It holds no such run or checkpoint, or one of another version.
    """
    folder = absolute(workdir)
    saved = read_config(workdir)
    if "task" not in saved:
        raise JaxstyleError(f"{os.fspath(workdir)!r} holds no training: its config names no task")
    config = completed(saved, defaults_of(saved))
    setting = read_setting(folder)
    module = load_task(config)
    try:
        task = module.make(config, setting)
    except (KeyError, AttributeError) as error:  # what ml_collections raises for a field that there is not
        where = os.fspath(workdir)
        raise JaxstyleError(
            f"the run in {where!r} is of another version, its config lacks something: {error}"
        ) from error
    if not (folder / "checkpoints").exists():
        raise JaxstyleError(f"{os.fspath(workdir)!r} holds no checkpoint yet; wait for the first, or train on")
    with closing(Checkpoints(folder / "checkpoints", best=config.best, mode=config.best_mode)) as all_:
        return Run(folder, config, setting, task, all_.restore(template(task), chosen(all_, checkpoint)))


def chosen(checkpoints: Checkpoints, name: str) -> int | None:
    """The step that a checkpoint's name means; None for the newest."""
    if name == "newest":
        return None
    if name == "best":
        if not checkpoints.best or checkpoints.best_step() is None:
            raise JaxstyleError("the run keeps no best checkpoint: its recipe names no metric, or it is too early")
        return checkpoints.best_step()
    if not name.isdigit():
        raise JaxstyleError(f"no checkpoint {name!r}; write a step, or {did_you_mean(name, ('newest', 'best'))}")
    if int(name) not in checkpoints.steps():
        raise JaxstyleError(f"no checkpoint of step {name}; there are {', '.join(map(str, checkpoints.steps()))}")
    return int(name)


def template(task: Any) -> Any:
    """The shapes and dtypes of a task's state, as arrays; to compute the first state would only take time."""
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def save_setting(folder: epath.Path, setting: Setting) -> None:
    """Keeps what later commands must tell the task, so that they need neither its data nor a flag."""
    spec = {name: [list(leaf.shape), leaf.dtype.name] for name, leaf in setting.spec.items()}
    fields = {**dataclasses.asdict(setting), "spec": spec}
    atomic.write_text(folder / SETTING, json.dumps(fields, indent=2))


def read_setting(folder: epath.Path) -> Setting:
    """What `save_setting` kept.

    Raises:
      JaxstyleError: There is nothing, or it is torn.
    """
    path = folder / SETTING
    try:
        fields = json.loads(path.read_text())
        extent, classes = Extent(**fields["extent"]), tuple(fields["classes"])
        spec = {n: jax.ShapeDtypeStruct(tuple(shape), np.dtype(dtype)) for n, (shape, dtype) in fields["spec"].items()}
        return Setting(extent, fields["steps"], spec, classes)
    except FileNotFoundError:
        raise JaxstyleError(f"{os.fspath(folder)!r} has no {SETTING}; the training command writes it anew") from None
    except (ValueError, KeyError, TypeError):
        raise JaxstyleError(f"{os.fspath(path)!r} is damaged; the training command writes it anew") from None
