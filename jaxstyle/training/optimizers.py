"""Optimisers by name, with gradient clipping, accumulation over steps and an exponential moving average."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.runtime.settings import named
from jaxstyle.training.config import OptimizerConfig
from jaxstyle.training.durations import Extent
from jaxstyle.training.restoring import leaf_name
from jaxstyle.training.schedules import SCHEDULES, make_schedule
from jaxstyle.training.state import TrainState, copied

OPTIMIZERS = ("adam", "adamw", "muon", "sgd", "rmsprop")
DECAYING = ("adamw", "sgd")
MOVING = ("adam", "adamw")
"""Those whose b2 may change over the run."""

LIMITS = {
    **dict.fromkeys(("learning_rate", "final", "weight_decay", "clip_norm", "eps"), math.inf),
    **dict.fromkeys(("b1", "b2", "final_b2", "momentum", "hold"), 1),
}
"""Numbers and the limits they must be below; all are at least 0."""

STATISTICS_DECAY = 0.9
"""Decay of the running averages of batch statistics where the parameters have no moving average."""

ADAM_RMS = 0.2  # root mean square of Adam's updates at learning rate 1, so that Muon wants the same rates


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """An optax transformation, with what surrounds it: schedule, accumulation, moving average.

    Attributes:
      transform: Of the gradients, at a learning rate of 1: its state knows no schedule, so that a state that begins in
        the middle of a run does not begin the schedule again.
      schedule: Learning rate at a step of the run.
      accumulate: Steps whose gradients make one update.
      ema_decay: Of the moving average of the parameters; 0 keeps none.
      at: Step -> the transformation then, whose state is that of `transform`; None where it is the same at all steps.
    """

    transform: optax.GradientTransformation
    schedule: optax.Schedule
    accumulate: int = 1
    ema_decay: float = 0.0
    at: Callable[[jax.Array], optax.GradientTransformation] | None = None

    def start(self, params: Any, collections: Any = None) -> TrainState:
        """The state before the first step."""
        ema = copied(params) if self.ema_decay else None
        return TrainState(jnp.int32(0), params, self.transform.init(params), ema, collections or {})

    def apply_gradients(self, state: TrainState, grads: Any, collections: Any = None) -> TrainState:
        """The state after a step with these gradients, already averaged over the devices."""
        params, optimizer = self.update(state.params, state.optimizer, grads, state.step)
        return state.replace(
            step=state.step + 1,
            params=params,
            optimizer=optimizer,
            ema=self.averaged(state.ema, params, state.step),
            collections=state.collections if collections is None else collections,
        )

    def update(self, params: Any, optimizer: Any, grads: Any, step: jax.Array) -> tuple[Any, Any]:
        """Parameters and the transformation's state after a step, for tasks that move several networks."""
        transform = self.at(step) if self.at else self.transform
        updates, optimizer = transform.update(grads, optimizer, params)
        rate = self.schedule(step // self.accumulate * self.accumulate)
        return optax.apply_updates(params, jax.tree.map(lambda leaf: rate * leaf, updates)), optimizer

    def averaged(self, ema: Any, params: Any, step: jax.Array) -> Any:
        """The moving average after a step; it follows faster in the beginning, and only steps that made an update."""
        if ema is None:
            return None
        updates = (step + 1) // self.accumulate
        decay = jnp.minimum(self.ema_decay, (1.0 + updates) / (10.0 + updates))  # as TensorFlow's, with num_updates
        decay = jnp.where((step + 1) % self.accumulate == 0, decay, 1.0)
        return jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, ema, params)

    def averaged_statistics(self, collections: Any, statistics: Any, step: jax.Array) -> Any:
        """Collections after a step: those of batch statistics are averaged as the parameters that they belong to.

        Args:
          collections: Name -> pytree, the running averages among them.
          statistics: Name -> pytree, of the step's batch; some of the names.
          step: Number of the step, scalar.
        """
        rule = dataclasses.replace(self, ema_decay=self.ema_decay or STATISTICS_DECAY)
        running = {name: rule.averaged(collections[name], new, step) for name, new in statistics.items()}
        return {**collections, **running}


def make_optimizer(
    config: OptimizerConfig, extent: Extent, steps: int, ema_decay: float = 0.0, *, name: str = "optimizer"
) -> Optimizer:
    """Makes an optimiser.

    Args:
      config: Its part of a recipe.
      extent: Turns durations into steps.
      steps: Of the whole run.
      ema_decay: Of the moving average of the parameters; 0 keeps none.
      name: Field of the recipe that `config` is, for error messages.

    Raises:
      JaxstyleError: An unknown optimiser or schedule, or a number that cannot be.
    """
    check_optimizer(config, name)
    if not 0 <= ema_decay < 1:
        raise JaxstyleError(f"{named('ema_decay')} is {ema_decay:g}; it must be from 0 to below 1")
    schedule = make_schedule(config, extent, steps, name)
    share = optax.cosine_decay_schedule(1.0, steps)

    def at(step: jax.Array) -> optax.GradientTransformation:
        left = share(step)
        return make_transform(config, left * config.b2 + (1 - left) * config.final_b2, name)

    transform = make_transform(config, config.b2, name)
    return Optimizer(transform, schedule, config.accumulate, ema_decay, at if config.final_b2 else None)


def make_transform(config: OptimizerConfig, b2: jax.Array | float, name: str) -> optax.GradientTransformation:
    """Makes the transformation of a config's gradients at a learning rate of 1, with another `b2`."""
    every, decay = config.accumulate, config.weight_decay
    steps_of = {
        "adam": lambda: optax.adam(1.0, config.b1, b2, config.eps),
        "adamw": lambda: optax.adamw(1.0, config.b1, b2, config.eps, weight_decay=decay, mask=kernels),
        "muon": lambda: optax.contrib.muon(
            1.0, muon_weight_dimension_numbers=matrices, consistent_rms=ADAM_RMS, adam_b1=config.b1, adam_b2=b2
        ),
        "sgd": lambda: optax.chain(
            optax.add_decayed_weights(decay, mask=kernels),
            optax.sgd(1.0, config.momentum or None, nesterov=config.nesterov),
        ),
        "rmsprop": lambda: optax.rmsprop(1.0, eps=config.eps, momentum=config.momentum or None),
    }
    transform = steps_of[config.name]()
    if config.clip_norm:
        transform = clipped(transform, config.clip_norm)
    if parts := rates_by_part(config, name):
        transform = by_part(transform, parts, name)
    if every > 1:
        transform = optax.MultiSteps(transform, every).gradient_transformation()
    return transform


def clipped(transform: optax.GradientTransformation, most: float) -> optax.GradientTransformation:
    """Clips the norm of the gradient; the state is that of `transform`, so that a run can begin to clip."""
    clip = optax.clip_by_global_norm(most)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return transform.update(clip.update(updates, optax.EmptyState())[0], state, params)

    return optax.GradientTransformation(transform.init, update)


def by_part(
    transform: optax.GradientTransformation, parts: Sequence[tuple[re.Pattern, float]], name: str
) -> optax.GradientTransformation:
    """Multiplies the updates of parts of the parameters, of which 0 leaves them as they are, also by weight decay.

    The state is that of `transform`, so that a run can begin to freeze, and to train what was frozen.

    Args:
      transform: Of all parameters. Gradients of frozen ones do not count for it, nor for the norm by which it clips.
      parts: Pattern of the beginning of names, such as `stem/kernel`, and factor; the first that matches counts.
      name: Field of the recipe, for error messages.
    """

    def factors(params: Any) -> Any:
        def factor(path: Any, _: Any) -> float:
            return next((number for pattern, number in parts if pattern.match(leaf_name(path))), 1.0)

        return jax.tree_util.tree_map_with_path(factor, params)

    def init(params: Any) -> Any:
        names = [leaf_name(path) for path, _ in jax.tree.leaves_with_path(params)]
        for pattern, _ in parts:
            if not any(map(pattern.match, names)):
                near = did_you_mean(pattern.pattern, sorted({each.partition("/")[0] for each in names}))
                fields = f"{named(f'{name}.freeze')} and {named(f'{name}.rates')}"
                raise JaxstyleError(f"no parameter's name begins with {pattern.pattern!r}, of {fields}; {near}")
        if not any(jax.tree.leaves(factors(params))):
            raise JaxstyleError(f"{named(f'{name}.freeze')} and {named(f'{name}.rates')} leave no parameter to train")
        return transform.init(params)

    def scaled(factor: float, leaf: jax.Array) -> jax.Array:
        return factor * leaf if factor else jnp.zeros_like(leaf)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        each = factors(updates)
        moving = jax.tree.map(lambda factor, leaf: leaf if factor else jnp.zeros_like(leaf), each, updates)
        updates, state = transform.update(moving, state, params)
        return jax.tree.map(scaled, each, updates), state

    return optax.GradientTransformation(init, update)


def rates_by_part(config: OptimizerConfig, name: str = "optimizer") -> list[tuple[re.Pattern, float]]:
    """Reads `freeze` and `rates`: patterns of names, and factors of the learning rate.

    Raises:
      JaxstyleError: One is no regular expression, or no factor.
    """
    entries = [(f"{name}.freeze", config.freeze, f"{config.freeze}=0", "a regular expression")] if config.freeze else []
    entries += [(f"{name}.rates", each, each, "REGEX=FACTOR, as in ('encoder=0.1',)") for each in config.rates]
    parts = []
    for field, given, entry, wanted in entries:
        pattern, _, factor = entry.rpartition("=")
        try:
            parts.append((re.compile(pattern), float(factor)))
        except (re.error, ValueError):
            parts.append((re.compile(""), math.nan))
        if not (pattern and 0 <= parts[-1][1] < math.inf):
            raise JaxstyleError(f"{named(field)} has {given!r}; write {wanted}")
    return parts


def check_optimizer(config: OptimizerConfig, name: str = "optimizer") -> None:
    """Raises `JaxstyleError` for an unknown optimiser or schedule, or a number that cannot be."""
    for field, known in (("name", OPTIMIZERS), ("schedule", SCHEDULES)):
        if (given := getattr(config, field)) not in known:
            raise JaxstyleError(f"unknown {named(f'{name}.{field}')} {given!r}; {did_you_mean(given, known)}")
    rates_by_part(config, name)
    if config.accumulate < 1:
        raise JaxstyleError(f"{named(f'{name}.accumulate')} is {config.accumulate}; it must be at least 1")
    for field, limit in LIMITS.items():
        if not 0 <= getattr(config, field) < limit:
            most = " to below 1" if limit == 1 else ", and finite"
            raise JaxstyleError(f"{named(f'{name}.{field}')} is {getattr(config, field):g}; it must be from 0{most}")
    if config.final_b2 and config.name not in MOVING:
        raise JaxstyleError(
            f"{named(f'{name}.final_b2')} is for {' and '.join(MOVING)}; leave it 0 for {config.name!r}"
        )
    if config.weight_decay and config.name not in DECAYING:
        raise JaxstyleError(
            f"{named(f'{name}.weight_decay')} is for {' and '.join(DECAYING)}; leave it 0 for {config.name!r}"
        )


def kernels(params: Any) -> Any:
    """A mask of the parameters under weight decay: kernels, neither biases nor scales."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def matrices(params: Any) -> Any:
    """Dimension numbers for Muon (Jordan et al. 2024): kernels are matrices from all inputs to outputs, others none."""

    def dimensions(leaf: jax.Array) -> Any:
        inputs = tuple(range(leaf.ndim - 1))
        return optax.contrib.MuonDimensionNumbers(inputs, leaf.ndim - 1) if leaf.ndim > 1 else None

    return jax.tree.map(dimensions, params)
