"""Optimisers by name, with clipping, accumulation over steps and the moving average of parameters."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.training.durations import Extent
from jaxstyle.training.schedules import make_schedule
from jaxstyle.training.state import TrainState, copied

OPTIMIZERS = ("adam", "adamw", "muon", "sgd", "rmsprop")
DECAYING = ("adamw", "sgd")

LIMITS = {
    **dict.fromkeys(("learning_rate", "final", "weight_decay", "clip_norm", "eps"), math.inf),
    **dict.fromkeys(("b1", "b2", "momentum"), 1),
}
"""Below what numbers must be; all are at least 0."""

STATISTICS_DECAY = 0.9
"""Of the running averages of batch statistics where the parameters have no moving average."""

ADAM_RMS = 0.2  # root mean square of Adam's updates at learning rate 1, so that Muon wants the same rates


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """An optax transformation, and how it is driven.

    Attributes:
      transform: Of the gradients, the learning rate included.
      schedule: Learning rate at a step of the run, for the log.
      accumulate: Steps whose gradients make one update.
      ema_decay: Of the moving average of the parameters; 0 keeps none.
    """

    transform: optax.GradientTransformation
    schedule: optax.Schedule
    accumulate: int = 1
    ema_decay: float = 0.0

    def start(self, params: Any, collections: Any = None) -> TrainState:
        """The state before the first step."""
        ema = copied(params) if self.ema_decay else None
        return TrainState(jnp.int32(0), params, self.transform.init(params), ema, collections or {})

    def move(self, state: TrainState, grads: Any, collections: Any = None) -> TrainState:
        """The state after a step with these gradients, already averaged over the devices."""
        params, optimizer = self.update(state.params, state.optimizer, grads)
        return state.replace(
            step=state.step + 1,
            params=params,
            optimizer=optimizer,
            ema=self.follow(state.ema, params, state.step),
            collections=state.collections if collections is None else collections,
        )

    def update(self, params: Any, optimizer: Any, grads: Any) -> tuple[Any, Any]:
        """Parameters and the transformation's state after a step, for tasks that move several networks."""
        updates, optimizer = self.transform.update(grads, optimizer, params)
        return optax.apply_updates(params, updates), optimizer

    def follow(self, ema: Any, params: Any, step: jax.Array) -> Any:
        """The moving average after a step; it follows faster in the beginning, and only where something moved."""
        if ema is None:
            return None
        updates = (step + 1) // self.accumulate
        decay = jnp.minimum(self.ema_decay, (1.0 + updates) / (10.0 + updates))  # as TensorFlow's, with num_updates
        decay = jnp.where((step + 1) % self.accumulate == 0, decay, 1.0)
        return jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, ema, params)

    def follow_statistics(self, collections: Any, statistics: Any, step: jax.Array) -> Any:
        """Collections after a step: those of batch statistics are averaged as the parameters that they belong to.

        Args:
          collections: Name -> pytree, the running averages among them.
          statistics: Name -> pytree, of the step's batch; some of the names.
          step: Number of the step, scalar.
        """
        rule = dataclasses.replace(self, ema_decay=self.ema_decay or STATISTICS_DECAY)
        running = {name: rule.follow(collections[name], seen, step) for name, seen in statistics.items()}
        return {**collections, **running}


def make_optimizer(config: Any, extent: Extent, steps: int, ema_decay: float = 0.0) -> Optimizer:
    """An optimiser from its part of a config (`jaxstyle.training.config.optimizer()` tells the fields).

    Raises:
      JaxstyleError: Unknown optimiser or schedule, or a number that cannot be.
    """
    if config.name not in OPTIMIZERS:
        raise JaxstyleError(f"unknown optimizer {config.name!r}; {did_you_mean(config.name, OPTIMIZERS)}")
    if config.accumulate < 1:
        raise JaxstyleError(f"optimizer.accumulate is {config.accumulate}; it must be at least 1")
    for name, limit in LIMITS.items():
        if not 0 <= config[name] < limit:
            most = " to below 1" if limit == 1 else ", and finite"
            raise JaxstyleError(f"optimizer.{name} is {config[name]:g}; it must be from 0{most}")
    if not 0 <= ema_decay < 1:
        raise JaxstyleError(f"ema_decay is {ema_decay:g}; it must be from 0 to below 1")
    if config.weight_decay and config.name not in DECAYING:
        raise JaxstyleError(f"optimizer.weight_decay is for {' and '.join(DECAYING)}; leave it 0 for {config.name!r}")
    schedule = make_schedule(config, extent, steps)
    every, decay = config.accumulate, config.weight_decay

    def rate(count: Any) -> Any:  # optax counts updates, the schedule counts steps
        return schedule(count * every)

    steps_of = {
        "adam": lambda: optax.adam(rate, config.b1, config.b2, config.eps),
        "adamw": lambda: optax.adamw(rate, config.b1, config.b2, config.eps, weight_decay=decay, mask=kernels),
        "muon": lambda: optax.contrib.muon(
            rate, muon_weight_dimension_numbers=matrices, consistent_rms=ADAM_RMS, adam_b1=config.b1, adam_b2=config.b2
        ),
        "sgd": lambda: optax.chain(
            optax.add_decayed_weights(decay, mask=kernels),
            optax.sgd(rate, config.momentum or None, nesterov=config.nesterov),
        ),
        "rmsprop": lambda: optax.rmsprop(rate, eps=config.eps, momentum=config.momentum or None),
    }
    transform = steps_of[config.name]()
    if config.clip_norm:
        transform = optax.chain(optax.clip_by_global_norm(config.clip_norm), transform)
    if every > 1:
        transform = optax.MultiSteps(transform, every).gradient_transformation()
    return Optimizer(transform, schedule, every, ema_decay)


def kernels(params: Any) -> Any:
    """Which parameters weight decay draws to 0: kernels, neither biases nor scales."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def matrices(params: Any) -> Any:
    """How Muon (Jordan et al. 2024) sees parameters: kernels as matrices from all inputs to the outputs, others not."""

    def seen(leaf: jax.Array) -> Any:
        inputs = tuple(range(leaf.ndim - 1))
        return optax.contrib.MuonDimensionNumbers(inputs, leaf.ndim - 1) if leaf.ndim > 1 else None

    return jax.tree.map(seen, params)
