"""A learning rate found by a range test: the rate rises step by step until the loss does, too (Smith 2017)."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.signal
from ml_collections import ConfigDict

from jaxstyle.errors import JaxstyleError
from jaxstyle.training import config_file, starting
from jaxstyle.training import step as steps
from jaxstyle.training.config import TrainingConfig, check_common
from jaxstyle.training.loop import Training
from jaxstyle.training.optimizers import Optimizer
from jaxstyle.training.task import fixed_of, typed_config

LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 140  # twenty steps a decade
KEPT = 0.9  # share of the past in the running mean of the loss
FIRST = 20  # losses, of rates at which nothing is learnt
RISEN = 4.0  # the test ends where the running mean is so many times as far above the least as the first is


class RangeTest(NamedTuple):
    """The result of `find_rate`.

    Attributes:
      rates: `[S]`, one a step.
      losses: `[S]`, running means.
      rate: The proposal.
    """

    rates: np.ndarray
    losses: np.ndarray
    rate: float


def find_rate(config: ConfigDict | TrainingConfig) -> RangeTest:
    """Trains with a rate that rises from `LOWEST` to `HIGHEST`, in a workdir that is deleted.

    Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3; the rate rises exponentially.

    Args:
      config: A task's `Config`, or the `ConfigDict` of a recipe; its rate and schedule do not count.

    Raises:
      JaxstyleError: Bad input, a task with several optimisers or without a loss, or a loss that falls at no rate.
    """
    settings = config_file.with_absolute_paths(typed_config(config))
    check_common(settings)
    with tempfile.TemporaryDirectory() as folder:
        training = Training(settings, config_file.absolute(folder))
        rates, losses = losses_of(training)
    rate = proposal(rates, losses)
    if rate is None:
        raise JaxstyleError(f"the loss falls at no learning rate from {LOWEST:g} to {HIGHEST:g}")
    return RangeTest(rates, smoothed(losses), rate)


def losses_of(training: Training) -> tuple[np.ndarray, np.ndarray]:
    """Takes the steps; returns their rates and their losses, up to where the running mean has risen."""
    task: Any = training.task
    moved = [name for name, value in vars(task).items() if isinstance(value, Optimizer)]
    if len(moved) != 1:
        raise JaxstyleError(f"a learning rate is found for one optimiser, and {training.config.task} has {len(moved)}")

    def rising(step: jax.Array) -> jax.Array:
        return LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))

    optimizer = dataclasses.replace(getattr(task, moved[0]), schedule=rising)
    task = dataclasses.replace(task, **{moved[0]: optimizer})
    state = training.first_state()
    if training.arrays is not None:
        state = starting.started(state, training.arrays, training.config.init_from)
    state = steps.on_all(state.with_fixed(fixed_of(task)), training.devices)
    program, losses = steps.compile_train(task, training.devices), []
    for step in range(STEPS):
        state, metrics = program(state, training.batch(step), training.train_key)
        if "loss" not in metrics:
            raise JaxstyleError(f"{training.config.task} has no one loss by which a learning rate is found")
        if not np.isfinite(loss := float(metrics["loss"])):
            break
        losses.append(loss)
        means = smoothed(losses)
        if step >= FIRST and means[-1] > means.min() + RISEN * (means[0] - means.min()) > means.min():
            break
    return LOWEST * (HIGHEST / LOWEST) ** (np.arange(len(losses)) / (STEPS - 1)), np.array(losses)


def smoothed(losses: Sequence[float] | np.ndarray) -> np.ndarray:
    """Running means `[S]` of losses `[S]`, unbiased."""
    sums = scipy.signal.lfilter([1 - KEPT], [1, -KEPT], losses)
    return sums / (1 - KEPT ** np.arange(1, len(losses) + 1))


def proposal(rates: np.ndarray, losses: np.ndarray) -> float | None:
    """Returns a tenth of the rate at which the running mean of the loss is least; None where it never falls.

    It falls where it comes below the first losses by more than their noise. The place where it falls fastest, which is
    also taken, was noise in trials with small batches.
    """
    if len(losses) <= FIRST:
        return None
    means, first = smoothed(losses)[FIRST:], losses[:FIRST]
    return float(rates[FIRST + np.argmin(means)] / 10) if means.min() < first.mean() - 0.9 * first.std() else None
