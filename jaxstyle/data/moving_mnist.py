"""`moving_mnist`: two digits that move over a black background, through each other, and bounce off the walls.

Clips are drawn from stock MNIST when they are read, by the standard generator, so that any number of them takes no
disk. Clips of the variant `single`, with one digit, have labels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from jaxstyle.data.dataset import Example
from jaxstyle.data.drawn import Digits, Drawn, Read

FRAMES = 20
SIDE = 64  # pixels
STEP = 0.1  # a frame, as a share of the way between the walls
SPLITS = ("train", "test")


def reader(count: int, split: str, read_digits: Callable[[], Digits]) -> Read:
    """Makes the function index -> example of a split; an example depends on split and index only.

    Examples have `video` `[20, 64, 64, 1]` uint8 of `count` digits and, where that is 1, `label`.
    """
    number = SPLITS.index(split)

    def read(index: int) -> Example:
        images, labels = read_digits()
        rng = np.random.default_rng((number, index))
        chosen = rng.integers(0, len(images), count)
        video = film(rng, images[chosen, ..., 0])[..., None]
        return {"video": video, "label": labels[chosen[0]]} if count == 1 else {"video": video}

    return read


def film(rng: np.random.Generator, digits: np.ndarray, frames: int = FRAMES, side: int = SIDE) -> np.ndarray:
    """Draws a film `[frames, side, side]` uint8 of digits `[M, h, w]` uint8, each on its own path.

    Where digits meet, the brighter pixel is seen.

    References:
      Srivastava, Mansimov & Salakhutdinov 2015, "Unsupervised Learning of Video Representations using LSTMs", section
      4.1, with the constants of its published generator.
    """
    video = np.zeros((frames, side, side), np.uint8)
    for digit in digits:
        height, width = digit.shape
        corners = (path(rng, frames) * (side - height, side - width)).astype(int)
        for frame, (top, left) in zip(video, corners, strict=True):
            part = frame[top : top + height, left : left + width]
            np.maximum(part, digit, out=part)
    return video


def path(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Draws places `[T, 2]` of a point in the unit square that moves evenly, stops at a wall, and turns."""
    (y, x), angle = rng.uniform(size=2), rng.uniform(0, 2 * np.pi)
    return np.stack([line(y, STEP * np.sin(angle), frames), line(x, STEP * np.cos(angle), frames)], -1)


def line(place: float, step: float, frames: int) -> list[float]:
    """Computes one coordinate of a path; in plain numbers, which are faster than such short arrays."""
    places = []
    for _ in range(frames):
        place += step
        step = step if 0 < place < 1 else -step
        place = min(max(place, 0.0), 1.0)
        places.append(place)
    return places


def clips(train: int, test: int, digits: int = 2) -> Drawn:
    """Describes a variant by its numbers of training and test clips, and of the digits in a clip."""
    classes = tuple(map(str, range(10))) if digits == 1 else ()
    return Drawn({"train": train, "test": test}, partial(reader, digits), classes, of_digits=True)


VARIANTS = {
    "small": clips(10_000, 1_000),
    "full": clips(10_000, 10_000),  # as many as the literature's
    "fresh": clips(2_000_000, 10_000),  # 200 epochs of 10,000 of which none repeats, as generated on the fly
    "single": clips(2_000_000, 10_000, digits=1),
}
