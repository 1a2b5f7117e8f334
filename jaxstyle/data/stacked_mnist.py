"""`stacked_mnist`: three digits of MNIST as the red, green and blue of one picture, of a thousand kinds.

A generator that leaves kinds out is found out by counting: each has its label, the three digits read as a number.

References:
  Metz et al. 2017, "Unrolled Generative Adversarial Networks", section 3.3.1.
  Lin et al. 2018, "PacGAN", section 4.2, with as many training pictures.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jaxstyle.data.dataset import Example
from jaxstyle.data.drawn import Digits, Drawn, Read

CHANNELS = 3
CLASSES = tuple(f"{number:03}" for number in range(10**CHANNELS))
PLACES = 10 ** np.arange(CHANNELS)[::-1]
SPLITS = ("train", "test")


def reader(split: str, read_digits: Callable[[], Digits]) -> Read:
    """Makes the function index -> example of a split; an example depends on split and index only.

    Examples have `image` `[28, 28, 3]` uint8 and `label`, the number that the digits of the channels write.
    """
    number = SPLITS.index(split)

    def read(index: int) -> Example:
        images, labels = read_digits()
        chosen = np.random.default_rng((4, number, index)).integers(0, len(images), CHANNELS)
        return {"image": np.concatenate(images[chosen], -1), "label": np.asarray(labels[chosen] @ PLACES, np.int32)}

    return read


VARIANTS = {"thousand": Drawn({"train": 128_000, "test": 10_000}, reader, CLASSES, of_digits=True)}
