"""jaxstyle's side of the benchmark: the loop's own compiled step on one picture, and the loop itself."""

from __future__ import annotations

import time
from typing import Any

import jax
import numpy as np
import scipy.linalg  # noqa: F401  # loads the BLAS that is limited below
from case import (
    AVERAGE_DECAY,
    CONTENT,
    CONTENT_LAYERS,
    CONTENT_WEIGHT,
    LEARNING_RATE,
    MEAN,
    START,
    STD,
    STYLE,
    STYLE_LAYERS,
    STYLE_WEIGHTS,
    TV_WEIGHT,
    WIDTHS,
    Case,
    network_weights,
    picture,
)
from threadpoolctl import threadpool_limits

from jaxstyle.features.vgg import VGG
from jaxstyle.perceptual.loss import PerceptualLoss, Weights
from jaxstyle.pixels.loop import Callback, Problem, compiled, optimize
from jaxstyle.pixels.method import HyperParameters, Method, advance, start
from jaxstyle.pixels.objectives import ObjectiveLoss, StageObjective
from jaxstyle.pixels.optimizers import adam
from jaxstyle.pixels.parametrizations import RGB
from jaxstyle.pixels.schedule import Stage
from jaxstyle.runtime.sharding import BatchSharding

threadpool_limits(limits=1, user_api="blas")  # as `optimize` does around its steps; PyTorch's threads stay as they are
ADAM = adam()  # made once: equal methods share their compiled programs


def network_params() -> dict[str, Any]:
    """The random network's parameters, with torchvision's normalisation as the colour map."""
    kernel = np.diag(1 / np.float32(STD))
    bias = -np.float32(MEAN) / np.float32(STD)
    return {"preprocess": {"kernel": kernel, "bias": bias}, **network_weights()}


def batch_of_one(tree: Any) -> Any:
    """Every leaf with a leading axis of one, the picture's."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[None], tree)


def problem(case: Case, iterations: int = 1) -> Problem:
    """The stylisation of one picture at one scale."""
    loss = PerceptualLoss(VGG(WIDTHS), CONTENT_LAYERS, STYLE_LAYERS, case.loss, case.dtype)
    params = jax.device_put(network_params())

    @jax.jit
    def objective(content: jax.Array, style: jax.Array, params: Any) -> StageObjective:
        styles = loss.style_targets([loss.style_moments(style, params)], np.ones(1), None, None)
        weights = Weights(np.float32(CONTENT_WEIGHT), np.float32(TV_WEIGHT), np.float32(STYLE_WEIGHTS))
        return StageObjective(loss.objective(loss.content_targets(content, params), styles, weights))

    data = batch_of_one(objective(picture(case.size, CONTENT), picture(case.size, STYLE), params))
    stages = [Stage(case.size, case.size, case.size, iterations)]
    method = Method(RGB, ObjectiveLoss(loss.network, dtype=case.dtype, descends=True), ADAM)
    begun = picture(case.size, START)[None]
    return Problem(method, stages, begun, hyper_parameters(), lambda stage: data, params)


def hyper_parameters() -> HyperParameters:
    """Learning rate, average and key of one picture."""
    key = np.asarray(jax.random.key_data(jax.random.key(0)))
    return batch_of_one(HyperParameters(np.float32(LEARNING_RATE), np.float32(AVERAGE_DECAY), key))


def run_once(case: Case, callback: Callback) -> None:
    """One iteration through `loop.optimize`, as a user's command takes it."""
    optimize(problem(case), jax.local_devices()[:1], callbacks=[callback])


class Ours:
    """A stylisation under way, step by step, on the first device.

    Attributes:
      first_loss: The loss of the picture started from.
      compile_seconds: Tracing, lowering and compiling the step.
      temporaries: Bytes of the compiled step's scratch memory.
    """

    def __init__(self, case: Case):
        self.device = jax.local_devices()[0]
        task = problem(case)
        sharding = BatchSharding(1, [self.device])
        devices, static = tuple(sharding.devices), (task.method,)
        self.step_program = compiled(advance, static, devices, in_axes=(0, 0, 0, None), donate=(0,))
        self.state = compiled(start, static, devices)(sharding.scatter(task.start))
        data = sharding.scatter(task.data(task.stages[0]))
        self.rest = sharding.scatter(task.hyper), data, sharding.replicate(task.shared)
        began = time.perf_counter()
        program = self.step_program.compile(self.state, *self.rest)
        self.compile_seconds = time.perf_counter() - began
        analysis = program.memory_analysis()
        self.temporaries = analysis.temp_size_in_bytes if analysis else None
        self.step()
        self.first_loss = float(self.terms["loss"][0, 0])

    def step(self) -> None:
        """One iteration: gradient, Adam, clamp, average over iterates."""
        self.state, self.terms = self.step_program(self.state, *self.rest)

    def wait(self) -> None:
        """Returns when the device has done everything asked of it."""
        jax.block_until_ready(self.state)

    def device_memory(self) -> int | None:
        """Most bytes ever held on the accelerator, None on CPU."""
        return (self.device.memory_stats() or {}).get("peak_bytes_in_use") if self.device.platform != "cpu" else None
