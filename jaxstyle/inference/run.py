"""A trained run, opened from its workdir to be used. Its training may be finished or still going on."""

from __future__ import annotations

import dataclasses
import os
from contextlib import closing
from typing import Any

from etils import epath

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.runtime import buckets
from jaxstyle.training import config_file, run_info
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import RunInfo, load_task, template


@dataclasses.dataclass(frozen=True)
class Run:
    """A workdir's contents.

    Attributes:
      folder: Absolute.
      config: With which it was started; its task's `Config`.
      info: The length of the run, and the shapes and classes of its data.
      task: Its pure functions; `isinstance` with a protocol of `jaxstyle.training.task` says what it can do.
      state: Of one checkpoint, numpy arrays.
    """

    folder: epath.Path
    config: Any
    info: RunInfo
    task: Any
    state: TrainState


def open_run(workdir: str | os.PathLike, checkpoint: str | int = "newest") -> Run:
    """Opens a workdir without changing it, and without its data.

    Args:
      workdir: Of a run of `jaxstyle.training.loop`; may be `gs://…`.
      checkpoint: `"newest"`, `"best"` by the metric that the config names, or a step such as `5000`.

    Raises:
      JaxstyleError: It holds no such run or checkpoint, or one of another version.
    """
    folder = config_file.absolute(workdir)
    if buckets.in_bucket(folder):
        buckets.check("the workdir", folder)
    saved = config_file.read_config(workdir)
    if "task" not in saved:
        raise JaxstyleError(f"{os.fspath(workdir)!r} holds no training: its config names no task")
    module = load_task(saved["task"])
    config, info = config_file.completed(module.Config, saved), run_info.read(folder)
    task = module.make(config, info)
    if not (folder / "checkpoints").exists():
        raise JaxstyleError(f"{os.fspath(workdir)!r} holds no checkpoint yet; wait for the first, or train on")
    with closing(Checkpoints(folder / "checkpoints", best=config.best, mode=config.best_mode)) as checkpoints:
        state = checkpoints.restore(template(task), chosen(checkpoints, checkpoint))
        return Run(folder, config, info, task, state)


def chosen(checkpoints: Checkpoints, name: str | int) -> int | None:
    """The step that a checkpoint's name means; None for the newest."""
    name = str(name)
    if name == "newest":
        return None
    if name == "best":
        if not checkpoints.best or checkpoints.best_step() is None:
            raise JaxstyleError("the run keeps no best checkpoint: its recipe names no metric, or it is too early")
        return checkpoints.best_step()
    if not name.isdecimal():
        raise JaxstyleError(f"no checkpoint {name!r}; write a step, or {did_you_mean(name, ('newest', 'best'))}")
    if int(name) not in checkpoints.steps():
        raise JaxstyleError(f"no checkpoint of step {name}; there are {', '.join(map(str, checkpoints.steps()))}")
    return int(name)
