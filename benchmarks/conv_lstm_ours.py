"""jaxstyle's side of the ConvLSTM benchmark: the training loop's own compiled step on one device."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxstyle.tasks import forecast
from jaxstyle.training import step
from jaxstyle.training.durations import Extent
from jaxstyle.training.task import Setting

INPUTS, OUTPUTS, SIDE = 10, 10, 64


class Start(NamedTuple):
    """What both sides begin with.

    Attributes:
      params: Of the one stack of cells, nested dict of arrays, as flax has them.
      video: `[N, T, H, W, 1]` uint8.
      inputs: How many frames are seen.
      patch: Side of a patch.
      learning_rate: Of Adam.
      betas: Its decays.
    """

    params: dict[str, Any]
    video: np.ndarray
    inputs: int
    patch: int
    learning_rate: float
    betas: tuple[float, float]


class Ours:
    """A training under way, step by step, on the first device.

    Attributes:
      start: What it began with.
      first_losses: Of the first two steps.
      compile_seconds: Tracing, lowering and compiling the step.
      temporaries: Bytes of the compiled step's scratch memory.
    """

    def __init__(self, widths: tuple[int, ...], batch: int, unroll: str = "auto"):
        self.device = jax.local_devices()[0]
        config = forecast.defaults()
        config.update(batch_size=batch, devices=1)
        config.model.update(widths=widths, inputs=INPUTS, outputs=OUTPUTS, unroll=unroll)
        shape = (INPUTS + OUTPUTS, SIDE, SIDE, 1)
        setting = Setting(Extent(batch, batch), 1000, {"video": jax.ShapeDtypeStruct(shape, np.uint8)})
        task = forecast.make(config, setting)
        self.state = step.on_all(jax.jit(task.init)(jax.random.key(0)), [self.device])
        video = np.random.default_rng(0).integers(0, 256, (batch, *shape), np.uint8)
        self.batch, self.key = {"video": jax.device_put(video[None], self.device)}, jax.random.key(1)
        params, adam = jax.device_get(self.state.params)["forecaster"]["encoder"], config.optimizer
        self.start = Start(params, video, INPUTS, config.model.patch, adam.learning_rate, (adam.b1, adam.b2))
        self.train_step = step.compile_train(task, [self.device])
        began = time.perf_counter()
        compiled = self.train_step.lower(self.state, self.batch, self.key).compile()  # the calls below find it compiled
        self.compile_seconds = time.perf_counter() - began
        analysis = compiled.memory_analysis()
        self.temporaries = analysis.temp_size_in_bytes if analysis else None
        self.first_losses = self.loss(), self.loss()

    def loss(self) -> float:
        """That of a step."""
        self.step()
        return float(self.metrics["loss"])

    def step(self) -> None:
        """A step on the same clips every time."""
        self.state, self.metrics = self.train_step(self.state, self.batch, self.key)

    def wait(self) -> None:
        """Returns when the device has done everything asked of it."""
        jax.block_until_ready(self.state)
