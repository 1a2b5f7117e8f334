"""The one optimisation loop of every pixel job.

A step is a pure function of one picture; it is vmapped over the pictures of a device and pmapped over devices, and
Python calls it. (A `lax.scan` over steps would be several times slower on CPU.) The host looks at the losses only
now and then, and always at least one step behind, so that the device never waits for it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxstyle.errors import JaxstyleError
from jaxstyle.pixels.optimizers import carry_state
from jaxstyle.pixels.parametrizations import Parametrization
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.spread import Spread, spread_map

Terms = dict[str, Any]
Objective = Callable[..., tuple[jax.Array, Terms]]

REPORT_EVERY = 25  # steps
REPORT_SECONDS = 0.2


class Knobs(NamedTuple):
    """What may differ from picture to picture without another compilation.

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
    """

    params: Any
    optimizer: Any
    average: Any
    weight: jax.Array
    step: jax.Array


class Method(NamedTuple):
    """How one picture is optimised. It is hashable: equal methods share their compiled programs.

    Attributes:
      parametrization: Which numbers are moved.
      objective: `(picture [H, W, 3], data, shared, key) -> (loss, terms)`; pure; `terms` are named scalars.
      optimizer: optax transformation of one picture's parameters with a learning rate of one.
    """

    parametrization: Parametrization
    objective: Objective
    optimizer: optax.GradientTransformation


class Problem(NamedTuple):
    """A pixel job: a method, and what it is applied to.

    Attributes:
      method: How each picture is optimised.
      stages: Scales, smallest first.
      data: `stage -> pytree of arrays [N, …]`, what the objective needs of each picture at that stage.
      shared: Pytree of arrays that all pictures share (network parameters).
    """

    method: Method
    stages: Sequence[Stage]
    data: Callable[[Stage], Any]
    shared: Any


class Report(NamedTuple):
    """What a watcher of the loop is told.

    Attributes:
      stage: Index into `Problem.stages`.
      plan: `Problem.stages`.
      iteration: Steps taken in this stage.
      terms: One dict a step since the last report: the objective's terms, `loss`, and the norms `gradient` and
        `update`, each `[N]`.
      seconds: Since the run began (or was resumed).
      pictures: Fetches the pictures as they are now, `[N, H, W, 3]` in [0, 1].
      snapshot: Fetches everything needed to go on from here.
    """

    stage: int
    plan: Sequence[Stage]
    iteration: int
    terms: list[dict[str, np.ndarray]]
    seconds: float
    pictures: Callable[[], np.ndarray]
    snapshot: Callable[[], Snapshot]


class Snapshot(NamedTuple):
    """Everything needed to go on: the position in the plan and the pictures' states `[N, …]`."""

    stage: int
    iteration: int
    state: State


class Watcher(Protocol):
    """Anything called with every `Report`."""

    def __call__(self, report: Report, /) -> None: ...


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
      pictures: `[N, H, W, 3]` in [0, 1].
      unfinished: Where it was stopped, None when it came to its end.
    """

    pictures: np.ndarray
    unfinished: Snapshot | None


class Diverged(JaxstyleError):
    """A loss, gradient or update is no longer finite; `pictures` are the last good ones."""

    def __init__(self, message: str, pictures: np.ndarray):
        super().__init__(message)
        self.pictures = pictures


def start(method: Method, image: jax.Array) -> State:
    """The state of one picture `[H, W, 3]` before its first step."""
    params = method.parametrization.encode(image)
    return fresh_average(params, method.optimizer.init(params), jnp.int32(0))


def fresh_average(params: Any, optimizer: Any, step: jax.Array) -> State:
    """A state whose average over iterates begins here."""
    return State(params, optimizer, jax.tree.map(jnp.zeros_like, params), jnp.float32(0), step)


def advance(method: Method, state: State, knobs: Knobs, data: Any, shared: Any) -> tuple[State, Terms]:
    """One step of one picture. A step whose loss, gradient or update is not finite leaves the state as it was."""
    key = jax.random.fold_in(jax.random.wrap_key_data(knobs.key), state.step)

    def loss(params: Any) -> tuple[jax.Array, Terms]:
        return method.objective(method.parametrization.decode(params), data, shared, key)

    (value, terms), grads = jax.value_and_grad(loss, has_aux=True)(state.params)
    norm = optax.tree.norm(grads)
    updates, optimizer = method.optimizer.update(grads, state.optimizer, state.params)
    updates = jax.tree.map(lambda update: knobs.learning_rate * update, updates)
    params = method.parametrization.project(optax.apply_updates(state.params, updates))
    keep = knobs.average_decay
    average = jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, state.average, params)
    moved = State(params, optimizer, average, keep * state.weight + (1 - keep), state.step + 1)
    size = optax.tree.norm(updates)
    good = jnp.isfinite(value) & jnp.isfinite(norm) & jnp.isfinite(size)
    moved = jax.tree.map(lambda new, old: jnp.where(good, new, old), moved, state)
    return moved, {**terms, "loss": value, "gradient": norm, "update": size}


def picture(method: Method, state: State) -> jax.Array:
    """The picture a state stands for: its averaged iterate, `[H, W, 3]` in [0, 1]."""

    def mean(total: jax.Array, now: jax.Array) -> jax.Array:
        return jnp.where(state.weight > 0, total / jnp.maximum(state.weight, 1e-12), now)

    return jnp.clip(method.parametrization.decode(jax.tree.map(mean, state.average, state.params)), 0, 1)


def enlarge(method: Method, height: int, width: int, state: State) -> State:
    """The state with which the next, larger stage begins: the averaged picture, the optimiser's state carried."""
    averaged = method.parametrization.encode(picture(method, state))
    params = method.parametrization.resize(averaged, height, width)
    return fresh_average(params, carry_state(state.optimizer, method.optimizer.init(params)), state.step)


@functools.lru_cache(maxsize=64)
def program(
    function: Callable[..., Any],
    static: tuple[Any, ...],
    devices: tuple[jax.Device, ...],
    in_axes: tuple[int | None, ...] = (0,),
    donate: tuple[int, ...] = (),
) -> Callable[..., Any]:
    """`spread_map(partial(function, *static), …)`, made once: a second run of equal shapes compiles nothing."""
    return spread_map(functools.partial(function, *static), devices, in_axes, donate)


def optimize(
    problem: Problem,
    images: np.ndarray,
    knobs: Knobs,
    devices: Sequence[jax.Device],
    *,
    watchers: Sequence[Watcher] = (),
    resume: Snapshot | None = None,
    stop: Callable[[], bool] = lambda: False,
    pause_every: int = 0,
) -> Outcome:
    """Runs a problem through all its stages.

    Args:
      problem: What to optimise.
      images: `[N, H, W, 3]` in [0, 1], the pictures to start from, at the first stage's size.
      knobs: Each leaf `[N]`.
      devices: To spread the pictures over.
      watchers: Called with a `Report` now and then, in this order.
      resume: Where an earlier run stopped; of `images` only the number is then used.
      stop: Asked before every step; True ends the run after the steps already under way.
      pause_every: Every so many steps of a stage there is a report of exactly that step, its pictures included;
        0 leaves all reports to the clock, their pictures a step ahead of their terms.

    Returns:
      The pictures, and where the run was stopped if it did not come to its end.

    Raises:
      Diverged: A loss, gradient or update became NaN or infinite; it names the iteration and the term.
    """
    spread = Spread(len(images), devices)
    run = Run(problem, spread, watchers, stop, pause_every)
    shared, knobs = spread.replicate(problem.shared), spread.scatter(knobs)
    if resume is None:
        run.state = run.program(start)(spread.scatter(images))
    else:
        run.stage, run.iteration, run.state = resume.stage, resume.iteration, spread.scatter(resume.state)
    while run.go_on(knobs, spread.scatter(problem.data(run.place)), shared):
        run.stage, run.iteration = run.stage + 1, 0
        run.state = run.program(enlarge, run.place.height, run.place.width)(run.state)
    return Outcome(run.pictures(), None if run.finished else run.snapshot())


class Run:
    """A run under way: where it stands, the losses not yet looked at, and whom to tell."""

    state: Any

    def __init__(
        self,
        problem: Problem,
        spread: Spread,
        watchers: Sequence[Watcher],
        stop: Callable[[], bool],
        pause_every: int,
    ):
        self.problem, self.spread, self.watchers, self.stop = problem, spread, watchers, stop
        self.pause_every = pause_every
        self.stage = self.iteration = 0
        self.pending: list[Terms] = []
        self.began = self.looked = time.perf_counter()

    @property
    def place(self) -> Stage:
        """The stage the run is in."""
        return self.problem.stages[self.stage]

    @property
    def finished(self) -> bool:
        """Whether the last stage is done."""
        return self.stage == len(self.problem.stages) - 1 and self.iteration == self.place.iterations

    def program(self, function: Callable[..., Any], *static: Any, **options: Any) -> Callable[..., Any]:
        """A function of a picture's state, compiled for this run's devices."""
        return program(function, (self.problem.method, *static), tuple(self.spread.devices), **options)

    def go_on(self, knobs: Knobs, data: Any, shared: Any) -> bool:
        """Takes the steps left in this stage; True when there is a next stage to go to."""
        step = self.program(advance, in_axes=(0, 0, 0, None), donate=(0,))
        while self.iteration < self.place.iterations and not self.stop():
            self.state, terms = step(self.state, knobs, data, shared)
            self.iteration += 1
            self.pending.append(terms)
            waited = time.perf_counter() - self.looked
            if self.pause_every and self.iteration % self.pause_every == 0:
                self.report(self.pending)
            elif len(self.pending) > 1 and (len(self.pending) > REPORT_EVERY or waited > REPORT_SECONDS):
                self.report(self.pending[:-1])
        self.report(self.pending)
        return self.iteration == self.place.iterations and not self.finished and not self.stop()

    def report(self, steps: list[Terms]) -> None:
        """Fetches the terms of some steps, checks them, and tells the watchers."""
        if not steps:
            return
        fetched = [self.spread.gather(terms) for terms in jax.device_get(steps)]
        self.pending = self.pending[len(steps) :]
        self.check(fetched)
        seconds = time.perf_counter() - self.began
        done = self.iteration - len(self.pending)
        report = Report(self.stage, self.problem.stages, done, fetched, seconds, self.pictures, self.snapshot)
        for watcher in self.watchers:
            watcher(report)
        self.looked = time.perf_counter()

    def check(self, fetched: list[dict[str, np.ndarray]]) -> None:
        """Raises `Diverged` for the first step with a value that is not finite, naming its terms."""
        for i, terms in enumerate(fetched):
            bad = [name for name, values in terms.items() if not np.all(np.isfinite(values))]
            if bad:
                at = self.iteration - len(self.pending) - len(fetched) + i + 1
                raise Diverged(
                    f"iteration {at} at {self.place.scale} px is not finite in {', '.join(bad)}: lower the learning "
                    "rate or the weights (the last good picture is kept)",
                    self.pictures(),
                )

    def pictures(self) -> np.ndarray:
        """The pictures as they are now, `[N, H, W, 3]`."""
        return self.spread.gather(self.program(picture)(self.state))

    def snapshot(self) -> Snapshot:
        """Everything needed to go on from here, on the host."""
        return Snapshot(self.stage, self.iteration, self.spread.gather(self.state))
