"""The one training loop: `run(config, workdir)`, for every task and any number of devices and processes.

The host keeps one step in flight ahead of the devices and fetches metrics only now and then. Batches, noise and order
are functions of (seed, step), and the step is in the state: a run that was killed goes on bit for bit.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from jaxstyle.data import pipeline
from jaxstyle.data.dataset import Dataset
from jaxstyle.data.fingerprints import fingerprints
from jaxstyle.data.order import Order
from jaxstyle.errors import Diverged, JaxstyleError
from jaxstyle.runtime import atomic
from jaxstyle.runtime.interrupts import interruptible
from jaxstyle.runtime.locks import only_run_in
from jaxstyle.runtime.settings import named
from jaxstyle.training import branches, config_file, devices, loggers, run_info, same_data, starting, unwritable
from jaxstyle.training import step as steps
from jaxstyle.training.checkpoints import Checkpoints, remove_unfinished
from jaxstyle.training.config import TrainingConfig, check_common
from jaxstyle.training.devices import Agreement, agreed, barrier, check_share, choose_devices, leader_first
from jaxstyle.training.divergence import advice, history, repeated
from jaxstyle.training.durations import UNITS, Extent, due
from jaxstyle.training.evaluation import Evaluation, Stopped, open_split
from jaxstyle.training.meter import Meter, Profiler
from jaxstyle.training.patience import check_patience, gives_up
from jaxstyle.training.run_info import RunInfo
from jaxstyle.training.state import TrainState, parameter_table
from jaxstyle.training.task import CountsClasses, Samples, SplitsBatches, fixed_of, load_task, template, typed_config
from jaxstyle.training.writers import Writers

ONCE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""Compiler options of CPUs for the first state, which is computed once: its random numbers would take LLVM a second a
kernel."""


def run(config: ConfigDict | TrainingConfig, workdir: str | os.PathLike) -> TrainState:
    """Trains, or goes on training, what a config describes.

    Args:
      config: A task's `Config`, or the `ConfigDict` of a recipe.
      workdir: Folder for everything the run writes, `gs://…` too; the same config and workdir go on where it stopped.

    Returns:
      The state at the end, or where Ctrl-C or SIGTERM stopped it; either way it is saved.

    Raises:
      JaxstyleError: Bad input.
      Diverged: A loss or gradient is no longer finite; it names step and term.
    """
    folder = config_file.absolute(workdir)
    settings = config_file.with_absolute_paths(typed_config(config))
    check_common(settings)
    config_file.check_workdir(folder, profiles=settings.profile_steps > 0)
    leads, is_new = jax.process_index() == 0, not folder.exists()
    with unwritable.told(folder), ExitStack() as stack:
        if leads and not is_new:
            stack.enter_context(only_run_in(folder))
        config_file.check_same_run(folder, settings)
        training = agreed(Training, settings, folder)
        resume_step = 0 if config_file.is_repeated(folder, settings) else settings.resume_step
        barrier("config checked")
        if leads:
            folder.mkdir(parents=True, exist_ok=True)
            if is_new:
                stack.enter_context(only_run_in(folder))
            atomic.remove_leftovers(folder)
            remove_unfinished(folder / "checkpoints")
        kept = Checkpoints(folder / "checkpoints", settings.keep, settings.best, settings.best_mode)
        checkpoints = stack.enter_context(closing(kept))
        training.begin(checkpoints, resume_step)
        if leads:  # not before: what cannot go on leaves the run as it is
            atomic.write_text(folder / "config.json", config_file.as_json(settings))
            run_info.save(folder, training.info)
        with interruptible() as stop, closing(training.writers()) as writers:
            finished = training.train(stop, checkpoints, writers)
    if not finished and leads:
        print(f"stopped after step {int(training.state.step)} of {training.total}, saved; to go on: {repeated()}")
    return training.state


class Training:
    """A run: its data, its task, its compiled steps and its state.

    Args:
      config: Its task's `Config`, with absolute paths.
      workdir: Absolute.

    Raises:
      JaxstyleError: Bad input.
    """

    state: TrainState

    def __init__(self, config: TrainingConfig, workdir: epath.Path):
        self.config, self.workdir = config, workdir
        module = load_task(config.task)
        module.check(config)
        self.arrays = starting.arrays_for(config.init_from, workdir)
        self.devices = choose_devices(config.devices, config.batch_size)
        fields, splits = module.fields(config), (config.data.split, config.data.eval_split)
        tell = config.progress != "off"
        source, held_out = leader_first(
            lambda: [open_split(config.data, split, workdir, fields, tell) for split in splits]
        )
        extent = Extent(max(one.count for one in source.sources), config.batch_size)
        self.total = extent.steps(config, "train")
        if not self.total:
            names = [named(f"train_{unit}") for unit in UNITS]
            raise JaxstyleError(f"the config gives no length: set {names[0]}, {names[1]} or {names[2]}")
        data = fingerprints(splits[0], source) | fingerprints(splits[1], held_out)
        self.info = RunInfo(extent, self.total, pipeline.example_spec(source, fields), source.classes, data)
        same_data.check_processes(data)
        same_data.check_going_on(workdir, config, self.info)
        if isinstance(module, CountsClasses) and module.counts_classes(config):
            self.info = dataclasses.replace(self.info, training_counts=source.class_counts())
        self.task = module.make(config, self.info)
        if isinstance(self.task, Samples) and "label" in fields and source.classes:
            self.info = dataclasses.replace(self.info, class_counts=held_out.class_counts())
        parts = self.task.parts if isinstance(self.task, SplitsBatches) else 1
        check_share(config.batch_size, len(self.devices), parts)
        self.sources = [
            (self.order(one, number), self.placed(one, fields)) for number, one in enumerate(source.sources)
        ]
        self.init_key, self.train_key = (jax.random.fold_in(jax.random.key(config.seed), i) for i in range(2))
        self.train_step = steps.compile_train(self.task, self.devices)
        self.evaluation = Evaluation(self.task, config, self.info, held_out, self.devices)
        check_patience(config, extent.steps(config, "eval"))
        if config.best or self.arrays is not None:
            state = jax.eval_shape(self.task.init, self.init_key)
            starting.check_fits(state, self.arrays, config.init_from)
            self.evaluation.check_best(config.best, state)

    def order(self, source: Dataset, number: int) -> Order:
        """The order in which a source's examples are drawn; `JaxstyleError` where there are no classes to balance."""
        config = self.config
        if config.balanced and not source.classes:
            raise JaxstyleError(f"{named('balanced')} is of classes, and {source.title} has none: leave it out")
        labels = np.asarray(source.labels(), np.int32).tobytes() if config.balanced else b""
        return Order(source.count, config.batch_size, config.seed, number, labels)

    def placed(self, source: Dataset, fields: Sequence[str]) -> pipeline.Batches:
        """Batches of a source's own fields among those that the task wants."""
        own = [name for name in fields if name in source.read(0)]
        data = pipeline.place(source, own, self.devices, self.config.data.resident_megabytes)
        pipeline.check_classes(data, source.classes)
        return data

    def begin(self, checkpoints: Checkpoints, step: int = 0) -> None:
        """Makes the state before the first step, or restores that of a step; 0 is the newest there is, if any."""
        if checkpoints.steps() or step:
            way_out = f"{named('fallback')}=True"
            begin = self.begin_fresh
            state = checkpoints.restore(template(self.task), step or None, self.config.fallback, way_out, begin)
            branches.set_newer_aside(self.workdir, checkpoints, int(state.step))
        else:
            state = self.first_state()
            if self.arrays is not None:
                state = starting.started(state, self.arrays, self.config.init_from)
            if jax.process_index() == 0 and self.config.progress != "off":
                print(parameter_table(state.params), file=sys.stderr)
        self.state = steps.on_all(state.with_fixed(fixed_of(self.task)), self.devices)

    def first_state(self) -> TrainState:
        """Returns the state before the first step."""
        options = ONCE if self.devices[0].platform == "cpu" else None
        return jax.jit(self.task.init, compiler_options=options)(self.init_key)

    def begin_fresh(self, clauses: Sequence[str]) -> TrainState:
        """Says what begins fresh with settings that have changed, and returns the state from which it is taken."""
        if jax.process_index() == 0:
            print(f"jaxstyle: the run goes on with other settings: {'; '.join(clauses)}", file=sys.stderr)
        return self.first_state()

    def save(self, checkpoints: Checkpoints, scores: dict[str, float] | None = None) -> None:
        """Writes the state, without what the task has anyway."""
        checkpoints.save(self.state.with_fixed(None), scores)

    def writers(self) -> Writers:
        """Writers of this run's numbers, pictures and films."""
        logger = loggers.make_logger(self.config.logger, self.config, self.workdir)
        return Writers(self.workdir, int(self.state.step), self.total, self.config.progress, logger)

    def batch(self, step: int) -> pipeline.Batch:
        """This process's share of the batch of a step, `[devices, per device, …]`."""
        parts = [data(pipeline.local_slice(order.indices(step), len(self.devices))) for order, data in self.sources]
        return steps.staged(self.task, {name: value for part in parts for name, value in part.items()}, step)

    def train(self, stop: Callable[[], bool], checkpoints: Checkpoints, writers: Writers) -> bool:
        """Takes the steps that are left; False when it was asked to stop before the last."""
        every = {name: self.info.extent.steps(self.config, name) for name in ("eval", "checkpoint")}
        streamed = any(isinstance(data, pipeline.Streamed) for _, data in self.sources)
        batches = pipeline.Prefetcher(self.batch, self.total) if streamed else None
        meter = Meter(self.config.batch_size, int(self.state.step))
        step = meter.step
        profiler = Profiler(self.workdir / "profile", step, self.total, self.config.profile_steps)
        stops = Agreement(stop)
        try:
            if due(step, every["eval"], self.total) and step and not writers.has(step, "eval"):
                with self.saved_before_errors(meter, checkpoints, writers):
                    self.evaluate_and_write(step, writers, stops)  # it was broken off
            given_up = step < self.total and gives_up(self.config, writers)
            while step < self.total and not given_up and not stops():
                profiler.before(step)
                with self.saved_before_errors(meter, checkpoints, writers):
                    batch = agreed(meter.waiting, batches, step) if batches else meter.waiting(self.batch, step)
                self.state, metrics = self.train_step(self.state, batch, self.train_key)
                step += 1
                meter.took(metrics)
                saves, evaluates = (due(step, every[name], self.total) for name in ("checkpoint", "eval"))
                if saves or evaluates or due(step, self.config.log_steps, self.total):
                    self.log(meter, checkpoints, writers)
                with self.saved_before_errors(meter, checkpoints, writers):
                    scores = self.evaluate_and_write(step, writers, stops) if evaluates else None
                if saves or (scores and self.config.best):  # what was not kept cannot be the best
                    self.save(checkpoints, scores)
                given_up = evaluates and step < self.total and gives_up(self.config, writers)
                if saves or evaluates:
                    meter.restart()
            self.log(meter, checkpoints, writers)
            self.save(checkpoints)
        finally:
            profiler.close()
            if batches:
                batches.close()
        return not stops.asked

    @contextmanager
    def saved_before_errors(self, meter: Meter, checkpoints: Checkpoints, writers: Writers) -> Iterator[None]:
        """Saves the state where examples cannot be read, before the error goes on.

        An error of which not all processes know goes on at once: the others would not save with this one.
        """
        try:
            yield
        except Exception as error:
            step = int(self.state.step)
            if not step or not devices.known_to_all(error):
                raise
            self.log(meter, checkpoints, writers)
            self.save(checkpoints)
            told = f"the state after step {step} is saved, from which the same command goes on"
            if isinstance(error, JaxstyleError):
                raise JaxstyleError(f"{error}; {told}") from error
            error.add_note(told)
            raise

    def log(self, meter: Meter, checkpoints: Checkpoints, writers: Writers) -> None:
        """Fetches the metrics of the steps since the last call, and writes their means.

        Raises:
          Diverged: One is not finite. The state is not saved: the step that was not finite would come again.
        """
        if not meter.pending:
            return
        first = meter.step - len(meter.pending) + 1
        fetched, speed = meter.fetch()
        for i, metrics in enumerate(fetched):
            bad = sorted(name for name, value in metrics.items() if not np.all(np.isfinite(value)))
            if bad:
                losses = history(writers.rows("train"), fetched[: i + 1], first)
                checkpoints.wait()
                way_out = advice(self.config, checkpoints.steps(), losses)
                raise Diverged(f"step {first + i} is not finite in {', '.join(bad)}; {way_out}")
        means = {name: np.mean([metrics[name] for metrics in fetched], axis=0) for name in fetched[0]}
        writers.scalars(meter.step, "train", {**means, **speed})
        writers.progress(meter.step, float(means["loss"]) if "loss" in means else None)

    def evaluate(self, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
        """The task's metrics over the evaluation split; see `Evaluation.scores`."""
        return self.evaluation.scores(self.state, stop)

    def evaluate_and_write(self, step: int, writers: Writers, stop: Callable[[], bool]) -> dict[str, float] | None:
        """Evaluates, writes the metrics and the task's pictures and films.

        Returns:
          The scalar metrics; None where `stop` broke the evaluation off.
        """
        try:
            scores = self.evaluate(stop)
        except Stopped:
            return None
        writers.scalars(step, "eval", scores)
        pictures, films = self.evaluation.shown(self.state, scores)
        writers.pictures(step, pictures)
        writers.films(step, films)
        return {name: float(value) for name, value in scores.items() if np.ndim(value) == 0}
