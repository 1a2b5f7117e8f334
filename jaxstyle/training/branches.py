"""A run that goes on from a checkpoint before its newest: what came after that is set aside, and nothing is lost."""

from __future__ import annotations

import itertools
import os
import sys

import jax
from etils import epath

from jaxstyle.training import run_info, writers
from jaxstyle.training.checkpoints import Checkpoints

KEPT = ("config.json", run_info.FILE, writers.METRICS)


def set_newer_aside(workdir: epath.Path, checkpoints: Checkpoints, step: int) -> None:
    """Makes a workdir `after-STEP` of the checkpoints after a step, in their run's own; says so on stderr.

    Args:
      workdir: Of the run, absolute.
      checkpoints: Those of the run; every process calls this.
      step: From which the run goes on.
    """
    newer = [str(other) for other in checkpoints.steps() if other > step]
    if not newer:
        return
    folder = free_name(workdir, step)
    if jax.process_index() == 0:
        (folder / "checkpoints").mkdir(parents=True)
        for name in KEPT:
            if (workdir / name).exists():
                (workdir / name).copy(folder / name)
        for kind in ("pictures", "films"):
            move_shown(workdir / kind, folder / kind, step)
    checkpoints.move_newer(step, folder / "checkpoints")
    if jax.process_index() == 0:
        print(
            f"jaxstyle: the run goes on from step {step}; what came after that (checkpoints: {', '.join(newer)}) is "
            f"kept in {os.fspath(folder)!r}, a workdir of its own that you may delete",
            file=sys.stderr,
        )


def free_name(workdir: epath.Path, step: int) -> epath.Path:
    """Returns the first of `after-STEP`, `after-STEP-2`, … that is not there."""
    names = itertools.chain([f"after-{step}"], (f"after-{step}-{number}" for number in itertools.count(2)))
    return next(workdir / name for name in names if not (workdir / name).exists())


def move_shown(folder: epath.Path, target: epath.Path, step: int) -> None:
    """Moves the files of later steps, whose names end in their steps: `seen-0000010.png`."""
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        number = path.stem.rpartition("-")[2]
        if number.isdecimal() and int(number) > step:
            target.mkdir(exist_ok=True)
            path.rename(target / path.name)
