"""Sampling order: the indices of a batch are a pure function of seed and step, so that a run can go on anywhere."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np


@functools.lru_cache(maxsize=8)
def permutation(count: int, seed: int, epoch: int, source: int = 0) -> np.ndarray:
    """Shuffles the indices of one epoch, `[count]`; they depend on seed, epoch and source only."""
    order = np.random.default_rng((seed, epoch, source)).permutation(count)  # to NumPy a 0 at the end is nothing
    order.flags.writeable = False
    return order


@functools.lru_cache(maxsize=8)
def balanced(labels: bytes, seed: int, epoch: int, source: int = 0) -> np.ndarray:
    """Draws the indices of one epoch, as many as there are examples, of every class as many (or one more).

    Classes with fewer examples than that are gone through several times, of others a part is drawn, anew every epoch.

    Args:
      labels: int32 of all examples, as bytes, whose hash is cheap.
      seed: See `permutation`; so are the other arguments.
    """
    values, rng = np.frombuffer(labels, np.int32), np.random.default_rng((seed, epoch, source))
    groups = [np.flatnonzero(values == label) for label in np.unique(values)]
    each, rest = divmod(len(values), len(groups))
    numbers = each + (rng.permutation(len(groups)) < rest)
    drawn = [np.resize(rng.permutation(group), number) for group, number in zip(groups, numbers, strict=True)]
    order = rng.permutation(np.concatenate(drawn))
    order.flags.writeable = False
    return order


@dataclasses.dataclass(frozen=True)
class Order:
    """Shuffled order of the examples. Epochs follow each other without a gap, so that no example is dropped.

    Attributes:
      count: Examples in an epoch.
      batch_size: Examples in a batch, over all devices and processes.
      seed: Seed of the shuffling; every epoch is shuffled anew.
      source: Number of the dataset, where several are drawn from, each in an order of its own.
      labels: Of all examples, int32 as bytes, where every class is to be drawn as often; empty where examples are.
    """

    count: int
    batch_size: int
    seed: int
    source: int = 0
    labels: bytes = b""

    def epoch(self, number: int) -> np.ndarray:
        """Returns the indices `[count]` of an epoch, in their order."""
        if self.labels:
            return balanced(self.labels, self.seed, number, self.source)
        return permutation(self.count, self.seed, number, self.source)

    def indices(self, step: int) -> np.ndarray:
        """Returns the indices `[batch_size]` of the examples in the batch of step number `step`, from 0."""
        places = step * self.batch_size + np.arange(self.batch_size)
        epochs, within = np.divmod(places, self.count)
        return np.concatenate([self.epoch(int(epoch))[within[epochs == epoch]] for epoch in np.unique(epochs)])


def padded_batches(count: int, batch_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Goes through all examples once, in order; the last batch is padded with the last example, at weight 0.

    Yields:
      Indices `[batch_size]` and weights `[batch_size]` float32, 1 for an example and 0 for padding.
    """
    for start in range(0, count, batch_size):
        places = start + np.arange(batch_size)
        yield np.minimum(places, count - 1), (places < count).astype(np.float32)
