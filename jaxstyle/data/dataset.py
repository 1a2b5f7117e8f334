"""A dataset as the rest of the project sees it: examples by index, from whatever they are read."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np

Example = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Examples by index, in any order.

    Attributes:
      count: Number of examples.
      read: Index -> dict of arrays, each example with the same names, shapes and dtypes.
      classes: Names of the labels' values; empty where there are no labels.
      paths: Files of the pictures, by index; empty where the examples are not files.
    """

    count: int
    read: Callable[[int], Example]
    classes: tuple[str, ...] = ()
    paths: tuple[pathlib.Path, ...] = ()
