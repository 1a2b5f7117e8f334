"""Style models out of the workdirs of their trainings."""

from __future__ import annotations

import os

import jax

from jaxstyle.errors import JaxstyleError
from jaxstyle.feedforward.model import StyleModel
from jaxstyle.training.workdir import open_run


def trained_model(workdir: str | os.PathLike, checkpoint: str = "newest") -> StyleModel:
    """The network that a training has made so far; it needs neither photos nor paintings.

    Args:
      workdir: Of a finished or running training of `jaxstyle.tasks.fast_style` or `any_style`.
      checkpoint: `"newest"`, `"best"` or a step.

    Returns:
      The model, its styles named after their files.

    Raises:
      JaxstyleError: There is no such run or checkpoint, or it trains no style network.
    """
    run = open_run(workdir, checkpoint)
    if not hasattr(run.task, "stylist"):
        raise JaxstyleError(f"the run in {os.fspath(workdir)!r} is of {run.config.task}, which makes no style network")
    network, params, styles = run.task.stylist(run.state)
    notes = {"features": os.path.basename(run.config.features), "steps": str(int(run.state.step))}
    notes |= {"content_weight": f"{run.config.content_weight:g}", "seed": str(run.config.seed)}
    model = StyleModel(network, jax.device_get(params), styles, notes)
    model.check()
    return model
