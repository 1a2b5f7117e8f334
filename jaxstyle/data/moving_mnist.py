"""`moving_mnist`: two digits that move over a black ground, through each other, and bounce off the walls.

The standard generator, from stock MNIST: clips are drawn when they are read, so that any number of them takes no disk.
Of the variant `single`, with one digit, clips have labels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

FRAMES = 20
SIDE = 64  # pixels
STEP = 0.1  # of the way between the walls, a frame
SPLITS = ("train", "test")


@dataclasses.dataclass(frozen=True)
class Clips:
    """How many clips a variant has, and how many digits are in each."""

    train: int
    test: int
    digits: int = 2


class Digits(NamedTuple):
    """Pictures `[M, 28, 28, 1]` uint8 and their labels `[M]`."""

    images: np.ndarray
    labels: np.ndarray


VARIANTS = {
    "small": Clips(10_000, 1_000),
    "full": Clips(10_000, 10_000),  # as many as the literature's
    "fresh": Clips(2_000_000, 10_000),  # 200 epochs of 10,000 of which none repeats, as generated on the fly
    "single": Clips(2_000_000, 10_000, digits=1),
}


def reader(split: str, count: int, read_digits: Callable[[], Digits]) -> Callable[[int], dict[str, np.ndarray]]:
    """Index -> example, a pure function of split and index: `video` [20, 64, 64, 1] uint8 and, of one digit, `label`.

    Args:
      split: "train" or "test".
      count: Of digits in a clip.
      read_digits: Gives that split's digits; called at the first example.
    """
    number = SPLITS.index(split)
    kept: list[Digits] = []

    def read(index: int) -> dict[str, np.ndarray]:
        if not kept:
            kept.append(read_digits())
        images, labels = kept[0]
        rng = np.random.default_rng((number, index))
        chosen = rng.integers(0, len(images), count)
        video = film(rng, images[chosen, ..., 0])[..., None]
        return {"video": video, "label": labels[chosen[0]]} if count == 1 else {"video": video}

    return read


def film(rng: np.random.Generator, digits: np.ndarray, frames: int = FRAMES, side: int = SIDE) -> np.ndarray:
    """Films digits, each on a path of its own; where they meet the brighter pixel is seen.

    Args:
      rng: Of places and directions.
      digits: `[M, h, w]` uint8.
      frames: T.
      side: H = W, in pixels.

    Returns:
      `[T, H, W]` uint8.

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
    """Places `[T, 2]` in the unit square of a point that moves evenly; at a wall it stops, and turns."""
    (y, x), angle = rng.uniform(size=2), rng.uniform(0, 2 * np.pi)
    return np.stack([line(y, STEP * np.sin(angle), frames), line(x, STEP * np.cos(angle), frames)], -1)


def line(place: float, step: float, frames: int) -> list[float]:
    """One coordinate of a path; in plain numbers, which are faster than arrays so short."""
    places = []
    for _ in range(frames):
        place += step
        step = step if 0 < place < 1 else -step
        place = min(max(place, 0.0), 1.0)
        places.append(place)
    return places
