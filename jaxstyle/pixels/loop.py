"""The one optimisation loop of every pixel job.

A step is a pure function of one picture; it is vmapped over the pictures of a device and pmapped over devices, and
Python calls it. (A `lax.scan` over steps would be several times slower on CPU.) The host looks at the losses only
now and then, and always at least one step behind, so that the device never waits for it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.linalg  # noqa: F401  # loads that OpenBLAS, so that it can be told
from threadpoolctl import threadpool_limits

from jaxstyle.errors import Diverged
from jaxstyle.pixels.method import (
    HyperParameters,
    Method,
    State,
    Terms,
    add_detail,
    advance,
    enlarge,
    match,
    picture,
    start,
)
from jaxstyle.pixels.schedule import Stage
from jaxstyle.runtime.compiling import Program
from jaxstyle.runtime.memory import trim
from jaxstyle.runtime.sharding import BatchSharding, sharded_map

REPORT_EVERY = 25  # steps
REPORT_SECONDS = 0.2


class Problem(NamedTuple):
    """A batch of N independent pictures (or groups of B) to optimise: a method, and what it is applied to.

    Attributes:
      method: How each picture is optimised.
      stages: Scales, smallest first.
      start: `[N, H, W, 3]` (or `[N, B, H, W, 3]`) in [0, 1], the pictures to start from, at the first stage's size.
      hyper: Hyper-parameters, each leaf `[N]`.
      data: `stage -> pytree of arrays [N, …]`, the data of each picture's loss at that stage.
      shared: Pytree of arrays that all pictures share (network parameters).
      detail: `(stage, next stage) -> [N, H, W, 3]`, added to the pictures once they are enlarged; None adds nothing.
      release: `data -> data`, what becomes of a stage's data for its `released` steps.
    """

    method: Method
    stages: Sequence[Stage]
    start: np.ndarray
    hyper: HyperParameters
    data: Callable[[Stage], Any]
    shared: Any
    detail: Callable[[Stage, Stage], np.ndarray] | None = None
    release: Callable[[Any], Any] = lambda data: data


class Report(NamedTuple):
    """The progress of a run, as callbacks are told.

    Attributes:
      stage: Index into `Problem.stages`.
      plan: `Problem.stages`.
      iteration: Steps taken in this stage.
      terms: One dict a step since the last report: terms, `loss`, and the norms `gradient` and `update`, each `[N]`.
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


Callback = Callable[[Report], None]
"""A function that is called with every report."""


class Outcome(NamedTuple):
    """The result of a run.

    Attributes:
      pictures: `[N, H, W, 3]` in [0, 1].
      unfinished: Where it was stopped, None when it came to its end.
      params: Number of a picture -> its parameters as they are in the end.
    """

    pictures: np.ndarray
    unfinished: Snapshot | None
    params: Callable[[int], Any] = lambda number: None


@functools.lru_cache(maxsize=64)
def compiled(
    function: Callable[..., Any],
    static: tuple[Any, ...],
    devices: tuple[jax.Device, ...],
    in_axes: tuple[int | None, ...] = (0,),
    donate: tuple[int, ...] = (),
) -> Program:
    """`sharded_map(partial(function, *static), …)`, made once: a second run of equal shapes compiles nothing."""
    return sharded_map(functools.partial(function, *static), devices, in_axes, donate)


# XLA on CPU leaves factors of matrices to SciPy's OpenBLAS, whose threads fight with XLA's own: at 128 channels
# Wasserstein-2 took 0.9 to 236 ms with two of them and 0.9 ms with one; at 512 channels one is no slower.
@threadpool_limits.wrap(limits=1, user_api="blas")
def optimize(
    problem: Problem,
    devices: Sequence[jax.Device],
    *,
    callbacks: Sequence[Callback] = (),
    resume: Snapshot | None = None,
    stop: Callable[[], bool] = lambda: False,
    pause_every: int = 0,
) -> Outcome:
    """Runs a problem through all its stages.

    Args:
      problem: What to optimise.
      devices: Over which the pictures are sharded.
      callbacks: Called with a `Report` now and then, in this order.
      resume: Where an earlier run stopped; of `problem.start` only the shape is then used.
      stop: Asked before every step; True ends the run after the steps already under way.
      pause_every: Steps of a stage between reports of exactly a step; 0 leaves all to the clock, pictures a step ahead.

    Returns:
      The pictures, and where the run was stopped if it did not come to its end.

    Raises:
      Diverged: A loss, gradient or update became NaN or infinite; it names the iteration and the term.
    """
    run = Run(problem, BatchSharding(len(problem.start), devices), callbacks, stop, pause_every)
    if resume is None:
        run.state = run.compiled(start)(run.sharding.scatter(problem.start))
    else:
        run.stage, run.iteration, run.state = resume.stage, resume.iteration, run.sharding.scatter(resume.state)
    # A stage's data and programs are made while the one before it runs: compiling takes as long as a small stage does.
    ahead = ThreadPoolExecutor(1, "next stage")
    try:
        data = run.data(run.stage)
        while True:
            coming = None if run.last else ahead.submit(run.prepare, run.stage + 1, run.next_shapes())
            run.take_steps(data)
            if coming is None or run.iteration < run.place.iterations or stop():
                return Outcome(run.pictures(), None if run.finished else run.snapshot(), run.params)
            run.enlarge()
            data = coming.result()
    finally:
        ahead.shutdown(wait=False, cancel_futures=True)


class Run:
    """A run under way: where it stands, the losses not yet looked at, and whom to tell."""

    state: Any

    def __init__(
        self,
        problem: Problem,
        sharding: BatchSharding,
        callbacks: Sequence[Callback],
        stop: Callable[[], bool],
        pause_every: int,
    ):
        self.problem, self.sharding, self.callbacks, self.stop = problem, sharding, callbacks, stop
        self.pause_every = pause_every
        self.shared, self.hyper = sharding.replicate(problem.shared), sharding.scatter(problem.hyper)
        self.stage = self.iteration = 0
        self.pending: list[Terms] = []
        self.began = self.looked = time.perf_counter()

    @property
    def place(self) -> Stage:
        """The stage the run is in."""
        return self.problem.stages[self.stage]

    @property
    def last(self) -> bool:
        """Whether this stage is the last."""
        return self.stage == len(self.problem.stages) - 1

    @property
    def finished(self) -> bool:
        """Whether the last stage is done."""
        return self.last and self.iteration == self.place.iterations

    def compiled(self, function: Callable[..., Any], *static: Any, **options: Any) -> Program:
        """A function of a picture's state, compiled for this run's devices."""
        return compiled(function, (self.problem.method, *static), tuple(self.sharding.devices), **options)

    @property
    def step(self) -> Program:
        """The program of a step, `(state, hyper-parameters, data, shared) -> (state, terms)`."""
        return self.compiled(advance, in_axes=(0, 0, 0, None), donate=(0,))

    @property
    def match(self) -> Program:
        """The program that matches pictures anew, `(state without matches, data, shared) -> state`."""
        return self.compiled(match, in_axes=(0, 0, None), donate=(0,))

    def next_shapes(self) -> Any:
        """Shapes of the state with which the next stage begins, whose program is compiled."""
        stage = self.problem.stages[self.stage + 1]
        return self.compiled(enlarge, stage.height, stage.width).prepare(self.state)

    def data(self, stage: int) -> Any:
        """The data of a stage, by index, on the devices."""
        return self.sharding.scatter(self.problem.data(self.problem.stages[stage]))

    def prepare(self, stage: int, state: Any) -> Any:
        """The data of a stage; its programs are compiled for a state of such shapes."""
        data = self.data(stage)
        if self.problem.method.match_every:
            state = state._replace(matches=())
            state = self.match.prepare(state, data, self.shared)
        self.step.prepare(state, self.hyper, data, self.shared)
        trim()
        return data

    def enlarge(self) -> None:
        """Goes on to the next stage."""
        before = self.place
        self.stage, self.iteration = self.stage + 1, 0
        self.state = self.compiled(enlarge, self.place.height, self.place.width)(self.state)
        if self.problem.detail is not None:
            detail = self.sharding.scatter(self.problem.detail(before, self.place))
            self.state = self.compiled(add_detail, in_axes=(0, 0))(self.state, detail)

    def take_steps(self, data: Any) -> None:
        """Takes the steps left in this stage."""
        place = self.place
        self.take_steps_to(place.iterations - place.released, data)
        if place.released:
            self.take_steps_to(place.iterations, self.problem.release(data))
        self.report(self.pending)

    def take_steps_to(self, end: int, data: Any) -> None:
        """Takes the steps left before the end-th of this stage."""
        step, every = self.step, self.problem.method.match_every
        while self.iteration < end and not self.stop():
            if every and self.iteration % every == 0:
                self.state = self.match(self.state._replace(matches=()), data, self.shared)
            self.state, terms = step(self.state, self.hyper, data, self.shared)
            self.iteration += 1
            self.pending.append(terms)
            waited = time.perf_counter() - self.looked
            if self.pause_every and self.iteration % self.pause_every == 0:
                self.report(self.pending)
            elif len(self.pending) > 1 and (len(self.pending) > REPORT_EVERY or waited > REPORT_SECONDS):
                self.report(self.pending[:-1])

    def report(self, steps: list[Terms]) -> None:
        """Fetches the terms of some steps, checks them, and tells the callbacks."""
        if not steps:
            return
        fetched = [self.sharding.gather(terms) for terms in jax.device_get(steps)]
        self.pending = self.pending[len(steps) :]
        self.check(fetched)
        seconds = time.perf_counter() - self.began
        done = self.iteration - len(self.pending)
        report = Report(self.stage, self.problem.stages, done, fetched, seconds, self.pictures, self.snapshot)
        for callback in self.callbacks:
            callback(report)
        self.looked = time.perf_counter()

    def check(self, fetched: list[dict[str, np.ndarray]]) -> None:
        """Raises `Diverged` for the first step with a value that is not finite."""
        for i, terms in enumerate(fetched):
            bad = [name for name, values in terms.items() if not np.all(np.isfinite(values))]
            if bad:
                at = self.iteration - len(self.pending) - len(fetched) + i + 1
                why = f"iteration {at} at {self.place.scale} px is not finite in {', '.join(bad)}"
                way_out = "lower the learning rate or the weights (the last good picture is kept)"
                raise Diverged(f"{why}: {way_out}", self.pictures())

    def params(self, number: int) -> Any:
        """The parameters of one picture as they are now."""
        return jax.tree.map(lambda leaf: leaf[number], self.sharding.gather(self.state.params))

    def pictures(self) -> np.ndarray:
        """The pictures as they are now, `[N, H, W, 3]`."""
        return self.sharding.gather(self.compiled(picture)(self.state))

    def snapshot(self) -> Snapshot:
        """Everything needed to go on from here, on the host."""
        return Snapshot(self.stage, self.iteration, self.sharding.gather(self.state))
