"""jaxstyle's side of a benchmark of a task: the training loop's own compiled step on one device, on one batch."""

from __future__ import annotations

import time
from typing import Any

import jax
import numpy as np

from jaxstyle.training import step
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo


class TaskStep:
    """A training under way, step by step, on the first device.

    Attributes:
      device: On which it runs.
      start: The variables that it began with: `params` and the collections, nested dicts of arrays.
      first_losses: Of the first two steps.
      compile_seconds: Tracing, lowering and compiling the step.
      temporaries: Bytes of the compiled step's scratch memory.

    Args:
      module: Of the task.
      config: Its `Config`.
      batch: Field -> array `[N, …]`, the same at every step.
      classes: What labels mean.
    """

    def __init__(self, module: Any, config: Any, batch: dict[str, np.ndarray], classes: tuple[str, ...] = ()):
        self.device = jax.local_devices()[0]
        count = len(next(iter(batch.values())))
        spec = {name: jax.ShapeDtypeStruct(array.shape[1:], array.dtype) for name, array in batch.items()}
        task = module.make(config, RunInfo(Extent(count, count), 1000, spec, classes))
        self.state = step.on_all(jax.jit(task.init)(jax.random.key(0)), [self.device])
        self.start = jax.device_get({"params": self.state.params, **self.state.collections})
        self.batch = {name: jax.device_put(array[None], self.device) for name, array in batch.items()}
        self.key, self.train_step = jax.random.key(1), step.compile_train(task, [self.device])
        began = time.perf_counter()
        compiled = self.train_step.compile(self.state, self.batch, self.key)
        self.compile_seconds = time.perf_counter() - began
        analysis = compiled.memory_analysis()
        self.temporaries = analysis.temp_size_in_bytes if analysis else None
        self.first_losses = [self.loss(), self.loss()]

    def loss(self) -> float:
        """Of a step, which is taken."""
        self.step()
        return float(self.metrics["loss"])

    def step(self) -> None:
        """One update."""
        self.state, self.metrics = self.train_step(self.state, self.batch, self.key)

    def wait(self) -> None:
        """Returns when the device has done everything asked of it."""
        jax.block_until_ready(self.state)
