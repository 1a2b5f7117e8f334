"""Batches on the devices: small datasets live there whole, large ones are prefetched by threads.

Either way a batch is `[local devices, examples per device, …]` and a pure function of its indices.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from jaxstyle.data.dataset import Dataset
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.runtime.settings import named

Batch = dict[str, Any]
EIGHT_BITS = ("image", "video")  # fields of eight bits


class Batches(Protocol):
    """Function from the indices `[devices, per device]` of a batch to its examples, `[devices, per device, …]`."""

    def __call__(self, indices: np.ndarray) -> Batch: ...


def example_spec(dataset: Dataset, fields: Sequence[str]) -> dict[str, jax.ShapeDtypeStruct]:
    """Finds out the shapes and dtypes of the wanted fields, by the first, the middle and the last example.

    Raises:
      JaxstyleError: The dataset lacks a field, or its pictures differ in size.
    """
    probes = [dataset.read(index) for index in sorted({0, dataset.count // 2, dataset.count - 1})]
    for name in fields:
        if name not in probes[0]:
            raise JaxstyleError(f"the dataset has no field {name!r}; {did_you_mean(name, probes[0])}")
        shapes = {np.shape(probe[name]) for probe in probes}
        if len(shapes) > 1:
            raise JaxstyleError(f"{name!r} has several sizes, {sorted(shapes)}: choose one by {named('data.size')}=64")
        if name in EIGHT_BITS and (kind := np.asarray(probes[0][name]).dtype) != np.uint8:
            raise JaxstyleError(f"{name!r} is {kind}; pictures and films must be uint8, 0 to 255")
    return {name: jax.ShapeDtypeStruct(np.shape(probes[0][name]), np.asarray(probes[0][name]).dtype) for name in fields}


def stacked(dataset: Dataset, indices: np.ndarray, fields: Sequence[str], pool: Any = None) -> Batch:
    """Reads fields of some examples and stacks them, `[*indices.shape, …]`, on the host."""
    flat = [int(index) for index in indices.reshape(-1)]
    examples = list((pool.map if pool else map)(dataset.read, flat))
    try:
        columns = {name: np.stack([example[name] for example in examples]) for name in fields}
    except ValueError:
        raise JaxstyleError(f"the pictures differ in size: choose one by {named('data.size')}=64") from None
    if "label" in columns and dataset.classes:
        check_labels(columns["label"], dataset.classes, flat)
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
    """Raises `JaxstyleError` where a class has no example to learn from, as far as the labels are known."""
    known: Any = data.whole.get("label") if isinstance(data, Resident) else None
    if isinstance(data, Streamed) and "label" in data.fields and data.dataset.files:
        known = [file.label for file in data.dataset.files]
    if classes and known is not None:
        missing = sorted(set(range(len(classes))) - set(np.unique(known).tolist()))
        if missing:
            raise JaxstyleError(
                f"no example of the class {classes[missing[0]]!r} is there to learn from: take more data"
            )


class Resident:
    """Batches of a dataset that lives whole on every device; a batch costs the transfer of its indices.

    Args:
      dataset: The dataset, which is read once.
      fields: Names of the fields to keep.
      devices: Local devices.
    """

    def __init__(self, dataset: Dataset, fields: Sequence[str], devices: Sequence[jax.Device]):
        # Of several processes all devices are mapped over, else their arrays would not fit the step's.
        where: Any = {"axis_name": "batch", "devices": None if jax.process_count() > 1 else devices}
        same = jax.pmap(lambda tree, _: tree, in_axes=(None, 0), out_axes=None, **where)
        whole = stacked(dataset, np.arange(dataset.count), fields)
        self.whole = same(whole, np.zeros(len(devices)))  # pmap wants something that is mapped
        self.gather = jax.pmap(lambda tree, at: jax.tree.map(lambda x: x[at], tree), in_axes=(None, 0), **where)

    def __call__(self, indices: np.ndarray) -> Batch:
        return self.gather(self.whole, indices.astype(np.int32))


class Streamed:
    """Batches of a dataset that is read from disk by several threads; nothing is kept."""

    def __init__(self, dataset: Dataset, fields: Sequence[str], workers: int = 4):
        self.dataset, self.fields = dataset, fields
        self.pool = concurrent.futures.ThreadPoolExecutor(workers)

    def __call__(self, indices: np.ndarray) -> Batch:
        return stacked(self.dataset, indices, self.fields, self.pool)


def place(dataset: Dataset, fields: Sequence[str], devices: Sequence[jax.Device], megabytes: float) -> Batches:
    """Makes a dataset resident where the wanted fields take at most so many megabytes, and streams it elsewhere."""
    spec = example_spec(dataset, fields)
    size = sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in spec.values()) * dataset.count
    return Resident(dataset, fields, devices) if size <= megabytes * 1e6 else Streamed(dataset, fields)


def local_slice(global_batch: np.ndarray, devices: int) -> np.ndarray:
    """Takes the share of this process of an array `[global batch, …]`, as `[devices, per device, …]`."""
    share = len(global_batch) // jax.process_count()
    mine = global_batch[jax.process_index() * share : (jax.process_index() + 1) * share]
    return mine.reshape(devices, share // devices, *mine.shape[1:])


class Prefetcher:
    """Makes the batches of the next steps while a step runs; called with any step, it returns the batch of that step.

    Args:
      make: Step -> batch, pure.
      last: First step for which no batch is made.
      depth: Number of batches to keep ready.
    """

    def __init__(self, make: Callable[[int], Batch], last: int, depth: int = 2):
        self.make, self.last, self.depth = make, last, depth
        self.pending: dict[int, concurrent.futures.Future[Batch]] = {}
        self.pool = concurrent.futures.ThreadPoolExecutor(1)

    def __call__(self, step: int) -> Batch:
        for wanted in range(step, max(step + 1, min(step + 1 + self.depth, self.last))):
            if wanted not in self.pending:
                self.pending[wanted] = self.pool.submit(self.make, wanted)
        for gone in [known for known in self.pending if known < step]:
            self.pending.pop(gone).cancel()
        return self.pending.pop(step).result()

    def close(self) -> None:
        """Drops the batches that were not asked for."""
        self.pool.shutdown(wait=True, cancel_futures=True)
