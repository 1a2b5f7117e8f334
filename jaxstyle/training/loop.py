"""The one training loop: `run(config, workdir)`, for every task and any number of devices and processes.

The host keeps one step in flight ahead of the devices and looks at numbers only now and then. Batches, noise and
order are functions of (seed, step), and the step is in the state: a run that was killed goes on bit for bit.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from jaxstyle.data import pipeline
from jaxstyle.data.config import DataConfig
from jaxstyle.data.dataset import Dataset
from jaxstyle.data.opening import open_dataset
from jaxstyle.data.order import Order, padded_batches
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.runtime import atomic
from jaxstyle.runtime.interrupts import interruptible
from jaxstyle.training import config as configs
from jaxstyle.training import step as steps
from jaxstyle.training import workdir as workdirs
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.devices import Agreement, barrier, check_share, choose_devices, leader_first
from jaxstyle.training.durations import Extent, due
from jaxstyle.training.meter import Meter, Profiler
from jaxstyle.training.state import TrainState, parameter_table
from jaxstyle.training.task import Setting, defaults_of, load_task
from jaxstyle.training.writers import Writers

ONCE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""How CPUs compile what runs once: the first state, whose random numbers else take a second of LLVM's a kernel."""


class Diverged(JaxstyleError):
    """A loss or gradient is no longer finite; the last good state is saved."""


class Stopped(Exception):
    """An evaluation was broken off; it is made up for when the run goes on."""


def run(config: ConfigDict, workdir: str | os.PathLike) -> TrainState:
    """Trains, or goes on training, what a config describes.

    Args:
      config: As `jaxstyle.training.config.defaults()` has it, with the task's own fields.
      workdir: Folder for everything the run writes, `gs://…` too; the same config and workdir go on where it stopped.

    Returns:
      The state at the end, or where Ctrl-C or SIGTERM stopped it; either way it is saved.

    Raises:
      JaxstyleError: Bad input.
      Diverged: A loss or gradient is no longer finite; it names step and term.
    """
    folder = configs.absolute(workdir)
    configs.check(config, folder)
    config = configs.with_absolute_paths(config)
    training = Training(config, folder)
    configs.check_same_run(folder, config, defaults_of(config), getattr(load_task(config), "FIXED", ()))
    barrier("config checked")
    if jax.process_index() == 0:
        folder.mkdir(parents=True, exist_ok=True)
    with closing(Checkpoints(folder / "checkpoints", config.keep, config.best, config.best_mode)) as checkpoints:
        training.begin(checkpoints)
        if jax.process_index() == 0:  # not before: what cannot go on leaves the run as it is
            atomic.write_text(folder / "config.json", configs.as_json(config))
            workdirs.save_setting(folder, training.setting)
        with interruptible() as stop, closing(training.writers()) as writers:
            finished = training.go(stop, checkpoints, writers)
    if not finished and jax.process_index() == 0:
        print(f"stopped after step {int(training.state.step)} of {training.total}, saved; to go on: {command()}")
    return training.state


def command() -> str:
    """The command line that repeats this process."""
    script = sys.argv[0]
    return shlex.join(["python", *sys.argv]) if script.endswith(".py") else "call run(config, workdir) again"


class Training:
    """A run: its data, its task, its compiled steps and where it stands.

    Args:
      config: See `run`.
      workdir: Absolute; where the run writes.
      trains: False to evaluate only: the training split is not read.

    Raises:
      JaxstyleError: Bad input.
    """

    state: TrainState

    def __init__(self, config: ConfigDict, workdir: epath.Path, trains: bool = True):
        self.config, self.workdir = config, workdir
        self.devices = choose_devices(config.devices, config.batch_size)
        module = load_task(config)
        fields = tuple(module.fields(config))
        splits = (config.data.split, config.data.eval_split)
        source, held_out = leader_first(lambda: [self.dataset(split, "label" in fields) for split in splits])
        self.extent = Extent(source.count, config.batch_size)
        self.total = self.extent.steps(config, "train")
        if config.progress not in ("on", "off", "auto"):
            raise JaxstyleError(f"progress is {config.progress!r}; write 'on', 'off' or 'auto'")
        if not self.total:
            raise JaxstyleError("the config gives no length: set train_steps, train_examples or train_epochs")
        spec = pipeline.example_spec(source, fields)
        self.setting = Setting(self.extent, self.total, spec, source.classes)
        self.task = module.make(config, self.setting)
        parts = getattr(self.task, "parts", 1)
        if trains:
            check_share(config.batch_size, len(self.devices), parts)
            self.data = pipeline.place(source, fields, self.devices, config.data.resident_megabytes)
            pipeline.check_classes(self.data, source.classes)
        self.eval_data = pipeline.place(held_out, fields, self.devices, config.data.resident_megabytes)
        self.eval_count = held_out.count
        self.order = Order(source.count, config.batch_size, config.seed)
        root = jax.random.key(config.seed)
        self.init_key, self.train_key, self.eval_key = (jax.random.fold_in(root, i) for i in range(3))
        self.train_step = steps.compile_train(self.task, self.devices)
        self.eval_step = steps.compile_eval(self.task, self.devices)
        self.shows = {n: jax.jit(getattr(self.task, n)) for n in ("pictures", "films") if hasattr(self.task, n)}
        if trains and config.best:
            self.check_best()

    def metrics(self) -> list[str]:
        """The names of what an evaluation gives, found out without running it."""
        lead = (len(self.devices), 1)
        batch = {name: np.zeros((*lead, *leaf.shape), leaf.dtype) for name, leaf in self.setting.spec.items()}
        batch |= {steps.WEIGHT: np.ones(lead, np.float32), steps.INDEX: np.zeros(lead, np.int32)}
        state = getattr(self, "state", None)
        if state is None:
            fixed = self.task.fixed() if hasattr(self.task, "fixed") else None
            state = jax.eval_shape(self.task.init, self.init_key).with_fixed(fixed)
        sums, _ = jax.eval_shape(self.eval_step.mapped, state, batch, self.eval_key)
        means = {name: np.ones(leaf.shape) for name, leaf in sums.items()}
        return list(self.task.summary(means) if hasattr(self.task, "summary") else means)

    def check_best(self) -> None:
        """Raises `JaxstyleError` where the evaluation does not give what checkpoints are to be chosen by."""
        best, names = self.config.best, self.metrics()
        if best not in names:
            raise JaxstyleError(f"best is {best!r}, which the evaluation does not give; {did_you_mean(best, names)}")

    def dataset(self, split: str, labels: bool) -> Dataset:
        """A split of the config's dataset; `labels` says whether the task wants classes."""
        data = DataConfig.of(self.config.data)
        data_dir = data.data_dir.replace("{workdir}", os.fspath(self.workdir))
        return open_dataset(dataclasses.replace(data, data_dir=data_dir), split, labels=labels)

    def begin(self, checkpoints: Checkpoints) -> None:
        """The state before the first step, or the newest checkpoint's where there is one."""
        if checkpoints.steps():
            state = checkpoints.restore(
                workdirs.template(self.task), fallback=self.config.fallback, way_out="--config.fallback=True"
            )
            checkpoints.drop_after(int(state.step))
        else:
            options = ONCE if self.devices[0].platform == "cpu" else None
            state = jax.jit(self.task.init, compiler_options=options)(self.init_key)
            if jax.process_index() == 0 and self.config.progress != "off":
                print(parameter_table(state.params), file=sys.stderr)
        self.state = self.placed(state)

    def placed(self, state: TrainState) -> TrainState:
        """A state on all devices, with what the task's steps look at and never change."""
        fixed = self.task.fixed() if hasattr(self.task, "fixed") else None
        return steps.on_all(state.with_fixed(fixed), self.devices)

    def save(self, checkpoints: Checkpoints, scores: dict[str, float] | None = None) -> None:
        """Writes the state, without what the task has anyway."""
        checkpoints.save(self.state.with_fixed(None), scores)

    def writers(self) -> Writers:
        """Where this run's numbers go."""
        return Writers(self.workdir, int(self.state.step), self.total, self.config.progress)

    def batch(self, step: int) -> pipeline.Batch:
        """This process's share of the batch of a step, `[devices, per device, …]`."""
        return self.data(pipeline.local_slice(self.order.indices(step), len(self.devices)))

    def go(self, stop: Callable[[], bool], checkpoints: Checkpoints, writers: Writers) -> bool:
        """Takes the steps that are left; False when it was asked to stop before the last."""
        every = {name: self.extent.steps(self.config, name) for name in ("eval", "checkpoint")}
        batches = pipeline.Prefetcher(self.batch, self.total) if isinstance(self.data, pipeline.Streamed) else None
        meter = Meter(self.config.batch_size, int(self.state.step))
        step = meter.step
        profiler = Profiler(self.workdir / "profile", step, self.total, self.config.profile_steps)
        stops = Agreement(stop)
        try:
            if due(step, every["eval"], self.total) and step and not writers.has(step, "eval"):
                self.evaluate_and_write(step, writers, stops)  # it was broken off
            while step < self.total and not stops():
                profiler.before(step)
                with meter.waiting():
                    batch = (batches or self.batch)(step)
                self.state, metrics = self.train_step(self.state, batch, self.train_key)
                step += 1
                meter.took(metrics)
                saves, evaluates = (due(step, every[name], self.total) for name in ("checkpoint", "eval"))
                if saves or evaluates or due(step, self.config.log_steps, self.total):
                    self.report(meter, checkpoints, writers)
                scores = self.evaluate_and_write(step, writers, stops) if evaluates else None
                if saves or (scores and self.config.best):  # what was not kept cannot be the best
                    self.save(checkpoints, scores)
                if saves or evaluates:
                    meter.restart()
            self.report(meter, checkpoints, writers)
            self.save(checkpoints)
        finally:
            profiler.close()
            if batches:
                batches.close()
        return not stops.asked

    def report(self, meter: Meter, checkpoints: Checkpoints, writers: Writers) -> None:
        """Looks at the metrics of the steps since the last report, and writes their means."""
        if not meter.pending:
            return
        first = meter.step - len(meter.pending) + 1
        fetched, speed = meter.fetch()
        for i, metrics in enumerate(fetched):
            bad = sorted(name for name, value in metrics.items() if not np.all(np.isfinite(value)))
            if bad:
                self.state = self.state.replace(healthy=steps.on_all(np.True_, self.devices))
                self.save(checkpoints)
                raise Diverged(
                    f"step {first + i} is not finite in {', '.join(bad)}: lower the learning rate or clip the gradient "
                    f"(--config.optimizer.clip_norm=1); the state after step {int(self.state.step)} is saved"
                )
        means = {name: np.mean([metrics[name] for metrics in fetched], axis=0) for name in fetched[0]}
        writers.scalars(meter.step, "train", {**means, **speed})
        writers.progress(meter.step, float(means["loss"]) if "loss" in means else None)

    def evaluate(self, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
        """The task's metrics over the whole evaluation split, each example counted once.

        Raises:
          Stopped: It was asked to stop.
        """
        totals: dict[str, Any] = {}
        examples = 0.0
        for indices, weight in padded_batches(self.eval_count, self.config.batch_size):
            if stop():
                raise Stopped
            at, weight = (pipeline.local_slice(part, len(self.devices)) for part in (indices, weight))
            batch = {**self.eval_data(at), steps.INDEX: at.astype(np.int32), steps.WEIGHT: weight}
            sums, count = jax.device_get(self.eval_step(self.state, batch, self.eval_key))
            totals = {name: totals.get(name, 0.0) + np.asarray(value, np.float64) for name, value in sums.items()}
            examples += float(count)
        means = {name: total / examples for name, total in totals.items()}
        return self.task.summary(means) if hasattr(self.task, "summary") else means

    def evaluate_and_write(self, step: int, writers: Writers, stop: Callable[[], bool]) -> dict[str, float] | None:
        """Evaluates, writes the metrics and the task's pictures and films; the scalar metrics come back, or None where
        it was asked to stop before."""
        try:
            scores = self.evaluate(stop)
        except Stopped:
            return None
        writers.scalars(step, "eval", scores)
        if hasattr(self.task, "charts"):
            writers.pictures(step, {name: chart[None] for name, chart in self.task.charts(scores).items()})
        if self.shows:
            count = min(64, self.eval_count)
            spread = np.arange(count) * self.eval_count // count  # of all classes, where they lie one after the other
            indices = spread.repeat(len(self.devices)).reshape(-1, len(self.devices)).T
            shown = {name: value[0] for name, value in jax.device_get(self.eval_data(indices)).items()}
            local = jax.device_get(self.state)
            for name, show in self.shows.items():
                getattr(writers, name)(step, jax.device_get(show(local, shown, self.eval_key)))
        return {name: float(value) for name, value in scores.items() if np.ndim(value) == 0}
