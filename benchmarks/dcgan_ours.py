"""jaxstyle's side of the DCGAN benchmark: the training loop's own compiled step on one device."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxstyle.tasks import gan
from jaxstyle.tasks.gan_config import Config
from jaxstyle.tasks.gan_networks import LATENTS, Minibatch
from jaxstyle.training import step
from jaxstyle.training.config import override
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo


class Start(NamedTuple):
    """What both sides begin with.

    Attributes:
      params: Player -> nested dict of arrays, as flax has them.
      images: `[N, H, W, 3]` uint8.
      noise: `[N, Z]`, of the first step.
      learning_rate: Of both players' Adam.
      betas: Its decays.
    """

    params: dict[str, Any]
    images: np.ndarray
    noise: np.ndarray
    learning_rate: float
    betas: tuple[float, float]


class Ours:
    """A training under way, step by step, on the first device.

    Attributes:
      start: What it began with.
      first_losses: The discriminator's and the generator's of the first step.
      compile_seconds: Tracing, lowering and compiling the step.
      temporaries: Bytes of the compiled step's scratch memory.
    """

    def __init__(self, size: int, batch: int):
        self.device = jax.local_devices()[0]
        config = override(Config(), {"batch_size": batch, "devices": 1, "model.batch_norm": True})
        spec = {"image": jax.ShapeDtypeStruct((size, size, 3), np.uint8)}
        task = gan.make(config, RunInfo(Extent(batch, batch), 1000, spec))
        self.state = step.on_all(jax.jit(task.init)(jax.random.key(0)), [self.device])
        images = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
        self.batch, self.key = {"image": jax.device_put(images[None], self.device)}, jax.random.key(1)
        noise = task.networks.noise(Minibatch(images, None, first_keys(self.key, batch)).keys_for(LATENTS))
        adam = config.optimizer
        self.start = Start(
            jax.device_get(self.state.params), images, np.asarray(noise), adam.learning_rate, (adam.b1, adam.b2)
        )
        self.train_step = step.compile_train(task, [self.device])
        began = time.perf_counter()
        compiled = self.train_step.compile(self.state, self.batch, self.key)
        self.compile_seconds = time.perf_counter() - began
        analysis = compiled.memory_analysis()
        self.temporaries = analysis.temp_size_in_bytes if analysis else None
        self.step()
        self.first_losses = float(self.metrics["loss"]), float(self.metrics["generator_loss"])

    def step(self) -> None:
        """Both updates, on the same pictures every time and fresh noise."""
        self.state, self.metrics = self.train_step(self.state, self.batch, self.key)

    def wait(self) -> None:
        """Returns when the device has done everything asked of it."""
        jax.block_until_ready(self.state)


def first_keys(key: jax.Array, count: int) -> jax.Array:
    """The keys of the first step's examples, as `step.example_keys` makes them inside of it."""
    first = jax.random.fold_in(key, 0)
    return jax.vmap(lambda place: jax.random.fold_in(first, place))(np.arange(count))
