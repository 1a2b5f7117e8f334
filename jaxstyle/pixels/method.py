"""The optimisation of one picture as pure functions: its state, one step, and the state at the next scale."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxstyle.pixels.optimizers import carry_state
from jaxstyle.pixels.parametrizations import Parametrization

Terms = dict[str, Any]


class HyperParameters(NamedTuple):
    """Numbers that may differ from picture to picture without another compilation.

    Attributes:
      learning_rate: Scalar; multiplies the optimiser's updates.
      average_decay: Scalar in [0, 1); the weight of the past in the average over iterates. 0 means no average.
      key: `[2]` uint32, PRNG key data of the picture; a step's key is `fold_in(key, step)`.
    """

    learning_rate: Any
    average_decay: Any
    key: Any


class State(NamedTuple):
    """One picture's optimisation.

    Attributes:
      params: What the parametrisation decodes.
      optimizer: State of the optax transformation.
      average: Exponential average of `params` over the steps of this stage, not yet bias-corrected.
      weight: Scalar, what `average` must be divided by.
      step: Scalar int32, steps taken since the start of the run.
      matches: What the loss has found to match the picture with; of losses that match nothing, and before the first
        step of a stage, empty.
    """

    params: Any
    optimizer: Any
    average: Any
    weight: jax.Array
    step: jax.Array
    matches: tuple[Any, ...] = ()


class Method(NamedTuple):
    """The method by which a picture is optimised; hashable, since equal methods share their compiled programs.

    Attributes:
      parametrization: Which numbers are moved.
      loss: `(picture [H, W, 3], data, shared, key) -> (loss, terms)`; pure; `terms` are named scalars.
      optimizer: optax transformation of one picture's parameters with a learning rate of one.
      match_every: Steps between two calls of `loss.match(picture, data, shared)`, of which the first is before the
        first step of each stage; 0 of losses that match nothing. `data.having(matches)` is what the loss then gets.
    """

    parametrization: Parametrization
    loss: Any
    optimizer: optax.GradientTransformation
    match_every: int = 0


def start(method: Method, image: jax.Array) -> State:
    """The state of one picture `[H, W, 3]` before its first step."""
    params = method.parametrization.encode(image)
    return fresh_average(params, method.optimizer.init(params), jnp.int32(0))


def fresh_average(params: Any, optimizer: Any, step: jax.Array) -> State:
    """A state whose average over iterates begins here."""
    return State(params, optimizer, jax.tree.map(jnp.zeros_like, params), jnp.float32(0), step)


def advance(method: Method, state: State, hyper: HyperParameters, data: Any, shared: Any) -> tuple[State, Terms]:
    """Takes one step of one picture; one whose loss, gradient or update is not finite leaves the state as it was."""
    key = jax.random.fold_in(jax.random.wrap_key_data(hyper.key), state.step)
    data = data.having(state.matches) if state.matches else data

    def loss(params: Any) -> tuple[jax.Array, Terms]:
        return method.loss(method.parametrization.decode(params), data, shared, key)

    (value, terms), grads = jax.value_and_grad(loss, has_aux=True)(state.params)
    norm = optax.tree.norm(grads)
    updates, optimizer = method.optimizer.update(grads, state.optimizer, state.params)
    updates = jax.tree.map(lambda update: hyper.learning_rate * update, updates)
    params = method.parametrization.project(optax.apply_updates(state.params, updates))
    keep = hyper.average_decay
    average = jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, state.average, params)
    moved = State(params, optimizer, average, keep * state.weight + (1 - keep), state.step + 1, state.matches)
    size = optax.tree.norm(updates)
    good = jnp.isfinite(value) & jnp.isfinite(norm) & jnp.isfinite(size)
    moved = jax.tree.map(lambda new, old: jnp.where(good, new, old), moved, state)
    return moved, {**terms, "loss": value, "gradient": norm, "update": size}


def match(method: Method, state: State, data: Any, shared: Any) -> State:
    """The state with its picture matched anew; what was found stays until the next time."""
    return state._replace(matches=method.loss.match(picture(method, state), data, shared))


def averaged(state: State) -> Any:
    """The parameters' average over the iterates of the stage, or the parameters themselves before its first step."""

    def mean(total: jax.Array, now: jax.Array) -> jax.Array:
        return jnp.where(state.weight > 0, total / jnp.maximum(state.weight, 1e-12), now)

    return jax.tree.map(mean, state.average, state.params)


def picture(method: Method, state: State) -> jax.Array:
    """The picture a state stands for: its averaged iterate, `[H, W, 3]` in [0, 1]."""
    return jnp.clip(method.parametrization.decode(averaged(state)), 0, 1)


def enlarge(method: Method, height: int, width: int, state: State) -> State:
    """The state with which the next, larger stage begins: the averaged picture, the optimiser's state carried."""
    params = method.parametrization.resize(averaged(state), height, width)
    optimizer = method.optimizer.init(params)
    if method.parametrization.spatial:
        optimizer = carry_state(state.optimizer, optimizer, periodic=method.parametrization.periodic)
    return fresh_average(params, optimizer, state.step)


def add_detail(method: Method, state: State, detail: jax.Array) -> State:
    """The state with `detail` added to its picture, both `[H, W, 3]`; its average over iterates begins anew."""
    params = method.parametrization.encode(jnp.clip(picture(method, state) + detail, 0, 1))
    return fresh_average(params, state.optimizer, state.step)
