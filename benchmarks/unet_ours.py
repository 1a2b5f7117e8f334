"""jaxstyle's side of the U-Net benchmark: the training loop's own compiled step on one device."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxstyle.tasks import segment
from jaxstyle.training import step
from jaxstyle.training.durations import Extent
from jaxstyle.training.task import Setting


class Start(NamedTuple):
    """What both sides begin with.

    Attributes:
      params: Nested dict of arrays, as flax has them.
      images: `[N, H, W, 3]` uint8.
      masks: `[N, H, W]` uint8, 0 or 1.
      learning_rate: Of Adam.
    """

    params: dict[str, Any]
    images: np.ndarray
    masks: np.ndarray
    learning_rate: float


class Ours:
    """A training under way, step by step, on the first device.

    Attributes:
      start: What it began with.
      first_losses: Of the first two steps; the second is after an update, and so checks the gradients as well.
      compile_seconds: Tracing, lowering and compiling the step.
      temporaries: Bytes of the compiled step's scratch memory.
    """

    def __init__(self, size: int, batch: int, width: int):
        self.device = jax.local_devices()[0]
        config = segment.defaults()
        config.update(batch_size=batch, devices=1)
        config.data.mask_classes = ("background", "object")
        config.model.width = width
        spec = {"image": jax.ShapeDtypeStruct((size, size, 3), np.uint8)}
        task = segment.make(config, Setting(Extent(batch, batch), 1000, spec))
        self.state = step.on_all(jax.jit(task.init)(jax.random.key(0)), [self.device])
        images, masks = pictures(size, batch)
        placed = jax.device_put({"image": images[None], "mask": masks[None]}, self.device)
        self.batch, self.key = placed, jax.random.key(1)
        params = jax.device_get(self.state.params)
        self.start = Start(params, images, masks, config.optimizer.learning_rate)
        self.train_step = step.compile_train(task, [self.device])
        began = time.perf_counter()
        compiled = self.train_step.lower(self.state, self.batch, self.key).compile()  # the calls below find it compiled
        self.compile_seconds = time.perf_counter() - began
        analysis = compiled.memory_analysis()
        self.temporaries = analysis.temp_size_in_bytes if analysis else None
        self.first_losses = [self.loss(), self.loss()]

    def loss(self) -> float:
        """Of a step, which is taken."""
        self.step()
        return float(self.metrics["loss"])

    def step(self) -> None:
        """An update, on the same pictures every time."""
        self.state, self.metrics = self.train_step(self.state, self.batch, self.key)

    def wait(self) -> None:
        """Returns when the device has done everything asked of it."""
        jax.block_until_ready(self.state)


def pictures(size: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise `[N, size, size, 3]` uint8 with a brighter disc in each, and the discs as masks `[N, size, size]` uint8."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    centres, radii = rng.uniform(0, size, (2, batch, 1, 1)), rng.uniform(size / 8, size / 3, (batch, 1, 1))
    masks = ((y - centres[0]) ** 2 + (x - centres[1]) ** 2 < radii**2).astype(np.uint8)
    return rng.integers(0, 156, (batch, size, size, 3), np.uint8) + 100 * masks[..., None], masks
