"""Descriptions of datasets whose examples are drawn when they are read, so that any number of them takes no disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from jaxstyle.data.dataset import Example


class Digits(NamedTuple):
    """Digits of MNIST: `images` `[M, 28, 28, 1]` uint8 and `labels` `[M]`."""

    images: np.ndarray
    labels: np.ndarray


Read = Callable[..., Example]


class Drawn(NamedTuple):
    """A dataset that is drawn.

    Attributes:
      counts: Split -> number of examples.
      reader: (split, function that returns MNIST's digits of that split) -> (index -> example). An example depends on
        split and index only; the function reads the digits once.
      classes: Names of the labels; empty where there are none.
      of_digits: Whether the digits of MNIST are wanted.
      relabels: Whether what reads examples takes a label, too: (index, label) -> the example with that label.
    """

    counts: Mapping[str, int]
    reader: Callable[[str, Callable[[], Digits]], Read]
    classes: tuple[str, ...] = ()
    of_digits: bool = False
    relabels: bool = False
