"""Batches on the devices: small datasets live there whole, large ones are read ahead by threads.

Either way a batch is `[local devices, examples per device, …]` and a pure function of the indices asked for.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from jaxstyle.data.sources import Source
from jaxstyle.errors import JaxstyleError, did_you_mean

Batch = dict[str, Any]
EIGHT_BITS = ("image", "video")  # fields that are numbers of eight bits
PROBED = 3  # examples looked at before all are read: first, middle, last


class Batches(Protocol):
    """Gives the examples of a batch's indices `[devices, per device]`, as `[devices, per device, …]`."""

    def __call__(self, indices: np.ndarray) -> Batch: ...


def example_spec(source: Source, fields: Sequence[str]) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of the wanted fields of one example.

    Raises:
      JaxstyleError: The dataset lacks a field, or its pictures differ in size.
    """
    probes = [source.read(index) for index in sorted({0, source.count // 2, source.count - 1})[:PROBED]]
    for name in fields:
        if name not in probes[0]:
            raise JaxstyleError(f"the dataset has no field {name!r}; {did_you_mean(name, probes[0])}")
        shapes = {np.shape(probe[name]) for probe in probes}
        if len(shapes) > 1:
            raise JaxstyleError(f"{name!r} has several sizes, {sorted(shapes)}: choose one by --config.data.size=64")
        if name in EIGHT_BITS and (kind := np.asarray(probes[0][name]).dtype) != np.uint8:
            raise JaxstyleError(f"{name!r} is {kind}; pictures and films must be uint8, 0 to 255")
    return {name: jax.ShapeDtypeStruct(np.shape(probes[0][name]), np.asarray(probes[0][name]).dtype) for name in fields}


def stacked(source: Source, indices: np.ndarray, fields: Sequence[str], pool: Any = None) -> Batch:
    """The fields of some examples, `[*indices.shape, …]` on the host."""
    flat = [int(index) for index in indices.reshape(-1)]
    examples = list((pool.map if pool else map)(source.read, flat))
    try:
        columns = {name: np.stack([example[name] for example in examples]) for name in fields}
    except ValueError:
        raise JaxstyleError("the pictures differ in size: choose one by --config.data.size=64") from None
    if "label" in columns and source.classes:
        check_labels(columns["label"], source.classes, flat)
    return {name: column.reshape(*indices.shape, *column.shape[1:]) for name, column in columns.items()}


def check_labels(labels: np.ndarray, classes: Sequence[str], indices: Sequence[int]) -> None:
    """Raises `JaxstyleError` where a label `[N]` is none of the classes; on a device it would be clipped in silence."""
    wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if wrong.size:
        raise JaxstyleError(
            f"example {indices[wrong[0]]} has label {labels[wrong[0]]}, and there are {len(classes)} classes, "
            f"0 to {len(classes) - 1}: correct the dataset"
        )


def check_classes(data: Batches, classes: Sequence[str]) -> None:
    """Raises `JaxstyleError` where a class has no example to learn from, as far as the examples are on the devices."""
    if classes and isinstance(data, Resident) and "label" in data.whole:
        missing = sorted(set(range(len(classes))) - set(np.unique(data.whole["label"]).tolist()))
        if missing:
            raise JaxstyleError(
                f"no example of the class {classes[missing[0]]!r} is there to learn from: take more data"
            )


class Resident:
    """A dataset that lives on every device whole; a batch costs the transfer of its indices.

    Args:
      source: To read once.
      fields: Names to keep.
      devices: Local devices.
    """

    def __init__(self, source: Source, fields: Sequence[str], devices: Sequence[jax.Device]):
        # Of several processes all devices are mapped over, else their arrays would not fit the step's.
        where: Any = {"axis_name": "batch", "devices": None if jax.process_count() > 1 else devices}
        same = jax.pmap(lambda tree, _: tree, in_axes=(None, 0), out_axes=None, **where)
        whole = stacked(source, np.arange(source.count), fields)
        self.whole = same(whole, np.zeros(len(devices)))  # pmap wants something that is mapped
        self.gather = jax.pmap(lambda tree, at: jax.tree.map(lambda x: x[at], tree), in_axes=(None, 0), **where)

    def __call__(self, indices: np.ndarray) -> Batch:
        return self.gather(self.whole, indices.astype(np.int32))


class Streamed:
    """A dataset read from disk, several examples at once; it keeps nothing."""

    def __init__(self, source: Source, fields: Sequence[str], workers: int = 4):
        self.source, self.fields = source, fields
        self.pool = concurrent.futures.ThreadPoolExecutor(workers)

    def __call__(self, indices: np.ndarray) -> Batch:
        return stacked(self.source, indices, self.fields, self.pool)


def place(source: Source, fields: Sequence[str], devices: Sequence[jax.Device], megabytes: float) -> Batches:
    """Resident where the wanted fields take at most so many megabytes, else streamed."""
    spec = example_spec(source, fields)
    size = sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in spec.values()) * source.count
    return Resident(source, fields, devices) if size <= megabytes * 1e6 else Streamed(source, fields)


def local_slice(global_batch: np.ndarray, devices: int) -> np.ndarray:
    """This process's part of something `[global batch, …]`, as `[devices, per device, …]`."""
    share = len(global_batch) // jax.process_count()
    mine = global_batch[jax.process_index() * share : (jax.process_index() + 1) * share]
    return mine.reshape(devices, share // devices, *mine.shape[1:])


class Ahead:
    """Makes the batches of the next steps while a step runs; asked for any step, it gives that step's batch.

    Args:
      make: Step -> batch, pure.
      last: No batch is made for this step or later ones.
      depth: How many to keep ready.
    """

    def __init__(self, make: Callable[[int], Batch], last: int, depth: int = 2):
        self.make, self.last, self.depth = make, last, depth
        self.waiting: dict[int, concurrent.futures.Future[Batch]] = {}
        self.pool = concurrent.futures.ThreadPoolExecutor(1)

    def __call__(self, step: int) -> Batch:
        for wanted in range(step, max(step + 1, min(step + 1 + self.depth, self.last))):
            if wanted not in self.waiting:
                self.waiting[wanted] = self.pool.submit(self.make, wanted)
        for gone in [known for known in self.waiting if known < step]:
            self.waiting.pop(gone).cancel()
        return self.waiting.pop(step).result()

    def close(self) -> None:
        """Drops what was made ahead."""
        self.pool.shutdown(wait=True, cancel_futures=True)
