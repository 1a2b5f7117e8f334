"""The devices of a run, and several processes joined to one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.settings import named

T = TypeVar("T")

AGREE_SECONDS = 1.0  # between exchanges of requests to stop
AGREE_CALLS = 10  # the same in steps, at most
SENTENCE = 4096  # bytes, at most, of an error that processes tell each other


def choose_devices(wanted: int, batch_size: int) -> list[jax.Device]:
    """The local devices of a run.

    Args:
      wanted: How many; 0 for all.
      batch_size: Over all devices and processes.

    Raises:
      JaxstyleError: There are fewer, or the batch cannot be divided evenly.
    """
    local = jax.local_devices()
    if not 0 <= wanted <= len(local):
        raise JaxstyleError(f"{named('devices')} is {wanted}; this machine has {len(local)} ({local[0].platform})")
    if wanted and wanted < len(local) and jax.process_count() > 1:
        raise JaxstyleError(f"with several processes all of their devices are used; leave {named('devices')} at 0")
    devices = local[: wanted or len(local)]
    share = len(devices) * jax.process_count()
    if batch_size < 1 or batch_size % share:
        near = max(share, round(batch_size / share) * share)
        raise JaxstyleError(
            f"{named('batch_size')} {batch_size} cannot be shared by {share} devices; the nearest is {near}"
        )
    return devices


def barrier(name: str) -> None:
    """Waits until all processes are here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def check_share(batch_size: int, devices: int, parts: int) -> None:
    """Raises `JaxstyleError` where a device's share of a batch cannot be divided into a task's `parts`."""
    share = devices * jax.process_count()
    if batch_size % (share * parts):
        raise JaxstyleError(
            f"{named('batch_size')} {batch_size} cannot be shared by {share} devices and {parts} parts of each one's "
            f"share; {share * parts} and its multiples can"
        )


def leader_first(make: Callable[[], T]) -> T:
    """Calls `make` in process 0 first, so that the others find the files it leaves on disk; returns its result.

    Errors are those of `agreed`.
    """
    if jax.process_count() == 1:
        return make()
    made: list[T] = []
    for turn in (0, 1):
        attempt((lambda: made.append(make())) if turn == min(jax.process_index(), 1) else lambda: None)
    return made[0]


def agreed(make: Callable[..., T], *arguments: Any) -> T:
    """Calls `make` in every process, and returns its result where it succeeds in all.

    Raises:
      Exception: From `make`, in the process where it failed. The others raise `JaxstyleError` with the sentence of that
        process: they would wait for it in vain. `known_to_all` is true of either.
    """
    return make(*arguments) if jax.process_count() == 1 else attempt(make, *arguments)


def attempt(make: Callable[..., T], *arguments: Any) -> T:
    """Calls `make` and tells the other processes of its error, if any; every process calls this at the same time."""
    made: list[T] = []
    problem: Exception | None = None
    try:
        made.append(make(*arguments))
    except Exception as error:
        if known_to_all(error):
            raise
        problem = error
    failed = np.flatnonzero(multihost_utils.process_allgather(np.array(problem is not None)))
    if failed.size:
        sentence = str(problem).encode(errors="replace")[:SENTENCE].ljust(SENTENCE)
        sentences = multihost_utils.process_allgather(np.frombuffer(sentence, np.uint8))
        told = sentences[failed[0]].tobytes().decode(errors="replace").rstrip()
        problem = problem or JaxstyleError(f"process {failed[0]} cannot go on: {told}")
        vars(problem)["known_to_all"] = True
        raise problem
    return made[0]


def known_to_all(error: Exception) -> bool:
    """Whether all processes know of an error, so that they can do together what it asks for, such as saving."""
    return jax.process_count() == 1 or vars(error).get("known_to_all", False)


def join(coordinator: str = "", processes: int = 0, process: int = -1) -> None:
    """Joins the processes of a run, each with its own devices; call it before anything else of JAX.

    Args:
      coordinator: `host:port` of process 0; `"cluster"` takes everything from the cluster's environment; "" is for a
        process alone.
      processes: How many there are.
      process: Which one this is, from 0.

    Raises:
      JaxstyleError: Only some of the three are given, or there is no cluster.
    """
    given = processes or process >= 0
    if coordinator == "cluster":
        if given:
            raise JaxstyleError("--coordinator cluster knows how many processes there are: leave --process(es) out")
        try:
            jax.distributed.initialize()
        except (ValueError, RuntimeError) as error:
            raise JaxstyleError(
                f"no cluster is found here ({str(error).splitlines()[0]}): give --coordinator HOST:PORT, --processes "
                "and --process"
            ) from error
        return
    if not coordinator and not given:
        return
    if not coordinator or processes < 1 or not 0 <= process < processes:
        raise JaxstyleError(
            "processes that train together each need --coordinator HOST:PORT, --processes (how many) and --process "
            "(which one, from 0)"
        )
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # for CPU devices only
    jax.distributed.initialize(coordinator, processes, process)


class Agreement:
    """The decision to stop, at the same step in all processes: those that went on would wait for ever.

    They exchange requests about once a second and, as they exchange times too, all at the same steps.

    Args:
      stop: Returns True once this process is asked to stop.
    """

    def __init__(self, stop: Callable[[], bool]):
        self.stop, self.asked = stop, False
        self.since, self.every, self.left = time.perf_counter(), 1, 1

    def __call__(self) -> bool:
        """True once all processes are to stop; every process calls this at every step."""
        if jax.process_count() == 1:
            self.asked = self.stop()
            return self.asked
        self.left -= 1
        if not self.left:
            now = time.perf_counter()
            requests = multihost_utils.process_allgather(np.array([self.stop(), now - self.since], np.float32))
            self.asked = bool(np.any(requests[:, 0]))
            self.since, calls = now, AGREE_SECONDS * self.every / max(float(np.max(requests[:, 1])), 1e-6)
            self.every = self.left = int(np.clip(calls, 1, AGREE_CALLS))
        return self.asked
