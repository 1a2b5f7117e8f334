"""A task's own evaluation: its metrics over a whole split, each example counted once, and what it shows of it."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from etils import epath

from jaxstyle.data import pipeline
from jaxstyle.data.config import DataConfig
from jaxstyle.data.dataset import Dataset
from jaxstyle.data.domains import SECOND
from jaxstyle.data.frame_pairs import frame_pairs
from jaxstyle.data.opening import open_dataset
from jaxstyle.data.order import padded_batches
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.runtime.settings import named
from jaxstyle.training import step as steps
from jaxstyle.training.config import TrainingConfig
from jaxstyle.training.devices import agreed
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import DrawsCharts, RunInfo, ShowsFilms, ShowsPictures, Summarizes, Task, fixed_of

SHOWN = 64
"""Examples, at most, of which a task's pictures and films are made."""


class Stopped(Exception):
    """An evaluation was broken off; it is made up for when the run goes on."""


def open_split(data: DataConfig, split: str, workdir: epath.Path, fields: Sequence[str], tell: bool = True) -> Dataset:
    """Opens a split of a config's dataset, and says on stderr what it holds and what was left out.

    Args:
      data: `{workdir}` in its `data_dir` stands for `workdir`.
      split: Such as `train`.
      workdir: Absolute.
      fields: Names of the example's fields that the task wants.
      tell: False says nothing.

    Raises:
      JaxstyleError: See `open_dataset`; or a second domain is named, and the task has no use for it.
    """
    if data.two_domains and not any(name.endswith(SECOND) for name in fields):
        name = named(f"data.{'folder_b' if data.folder_b else 'name_b'}")
        raise JaxstyleError(f"{name} names a second domain, which is for translation: leave it out")
    data_dir = data.data_dir.replace("{workdir}", os.fspath(workdir))
    dataset = open_dataset(dataclasses.replace(data, data_dir=data_dir), split, labels="label" in fields)
    dataset = frame_pairs(dataset) if "flow" in fields else dataset
    if tell and jax.process_index() == 0:
        print(f"jaxstyle: {dataset.describe()}", file=sys.stderr)
    return dataset


class Evaluation:
    """A task's evaluation, compiled for some devices.

    Args:
      task: To be evaluated.
      config: Of its run; names batch size, seed and how much data the devices may hold.
      info: Of its run.
      dataset: The split.
      devices: Local devices.
    """

    def __init__(
        self, task: Task, config: TrainingConfig, info: RunInfo, dataset: Dataset, devices: Sequence[jax.Device]
    ):
        self.task, self.info, self.devices, self.batch_size = task, info, devices, config.batch_size
        self.data = pipeline.place(dataset, tuple(info.spec), devices, config.data.resident_megabytes)
        self.dataset, self.count = dataset, dataset.count
        self.key = jax.random.fold_in(jax.random.key(config.seed), 2)
        self.step = steps.compile_eval(task, devices)
        self.pictures = jax.jit(task.pictures) if isinstance(task, ShowsPictures) else None
        self.films = jax.jit(task.films) if isinstance(task, ShowsFilms) else None

    def batch(self, indices: np.ndarray) -> pipeline.Batch:
        """The examples at `indices` `[devices, per device]` of this process; all processes raise an error of any."""
        return agreed(self.data, indices) if isinstance(self.data, pipeline.Streamed) else self.data(indices)

    def metrics(self, state: TrainState) -> list[str]:
        """The names of the metrics, found out without evaluating; of `state` the shapes are enough."""
        lead = (len(self.devices), 1)
        batch = {name: np.zeros((*lead, *leaf.shape), leaf.dtype) for name, leaf in self.info.spec.items()}
        batch |= {steps.WEIGHT: np.ones(lead, np.float32), steps.INDEX: np.zeros(lead, np.int32)}
        sums, _ = jax.eval_shape(self.step.mapped, state, batch, self.key)
        return list(self.summary({name: np.ones(leaf.shape) for name, leaf in sums.items()}))

    def check_best(self, best: str, state: TrainState) -> None:
        """Checks the metric by which checkpoints are chosen; "" is none.

        Raises:
          JaxstyleError: The evaluation does not give it.
        """
        if best and best not in (names := self.metrics(state.with_fixed(fixed_of(self.task)))):
            raise JaxstyleError(
                f"{named('best')} is {best!r}, which the evaluation does not give; {did_you_mean(best, names)}"
            )

    def summary(self, means: dict[str, Any]) -> dict[str, Any]:
        """The metrics that a task makes of its means."""
        return self.task.summary(means) if isinstance(self.task, Summarizes) else means

    def scores(self, state: TrainState, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
        """The metrics of a state, scalars and arrays in float64.

        Raises:
          Stopped: `stop` returned True.
        """
        totals: dict[str, Any] = {}
        examples = 0.0
        for indices, weight in padded_batches(self.count, self.batch_size):
            if stop():
                raise Stopped
            places, weight = (pipeline.local_slice(part, len(self.devices)) for part in (indices, weight))
            batch = {**self.batch(places), steps.INDEX: places.astype(np.int32), steps.WEIGHT: weight}
            sums, count = jax.device_get(self.step(state, batch, self.key))
            totals = {name: totals.get(name, 0.0) + np.asarray(value, np.float64) for name, value in sums.items()}
            examples += float(count)
        return self.summary({name: total / examples for name, total in totals.items()})

    def shown(self, state: TrainState, scores: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The task's pictures `[N, H, W, C]`, its charts of some scores among them, and its films `[N, T, H, W, C]`."""
        pictures: dict[str, Any] = {}
        if isinstance(self.task, DrawsCharts):
            pictures |= {name: chart[None] for name, chart in self.task.charts(scores).items()}
        if not (self.pictures or self.films):
            return pictures, {}
        count = min(SHOWN, self.count)
        spread = np.arange(count) * self.count // count  # of all classes, where they lie one after the other
        indices = spread.repeat(len(self.devices)).reshape(-1, len(self.devices)).T
        batch = {name: value[0] for name, value in jax.device_get(self.batch(indices)).items()}
        local = jax.device_get(state)
        made = [jax.device_get(show(local, batch, self.key)) if show else {} for show in (self.pictures, self.films)]
        return pictures | made[0], made[1]
