"""The order in which examples are seen: a pure function of seed and step, so that a run can begin anywhere."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np


@functools.lru_cache(maxsize=4)
def permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    """`[count]`, the order of one epoch; it depends on seed and epoch only."""
    order = np.random.default_rng((seed, epoch)).permutation(count)
    order.flags.writeable = False
    return order


@dataclasses.dataclass(frozen=True)
class Order:
    """Which examples make which batch. Epochs follow each other without a gap, so that no example is dropped.

    Attributes:
      count: Examples in an epoch.
      batch_size: Examples in a batch, over all devices and processes.
      seed: Of the shuffling; epochs differ.
    """

    count: int
    batch_size: int
    seed: int

    def indices(self, step: int) -> np.ndarray:
        """`[batch_size]`, the examples of the batch with which step number `step` (from 0) is taken."""
        places = step * self.batch_size + np.arange(self.batch_size)
        epochs, within = np.divmod(places, self.count)
        return np.concatenate(
            [permutation(self.count, self.seed, int(epoch))[within[epochs == epoch]] for epoch in np.unique(epochs)]
        )


def in_turn(count: int, batch_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All examples once, in order; the last batch is filled up with the last example, at weight 0.

    Yields:
      Indices `[batch_size]` and weights `[batch_size]` float32, 1 for an example and 0 for filling.
    """
    for start in range(0, count, batch_size):
        places = start + np.arange(batch_size)
        yield np.minimum(places, count - 1), (places < count).astype(np.float32)
