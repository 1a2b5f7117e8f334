"""`moving_shapes`: films of coloured shapes that bounce off the walls, a TFDS builder that draws its own examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from jaxstyle.data.jaxstyle_shapes import CLASSES, coverage, encoded


@dataclasses.dataclass(kw_only=True)
class Films(tfds.core.BuilderConfig):
    """Numbers of films in the splits, and the size of a film."""

    train: int = 1000
    test: int = 200
    frames: int = 20
    side: int = 64  # pixels


class MovingShapes(tfds.core.GeneratorBasedBuilder):
    """Films of two shapes of one class that move evenly and bounce: `video` [T, H, W, 3] uint8 and `label`, the class.

    The smaller shape passes before the larger one: a forecaster has to remember what is hidden.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = (
        Films(name="full", description="1000 and 200 films of 20 frames, 64 px"),
        Films(
            name="tiny",
            description="for tests: 40 and 10 films of 8 frames, 32 px",
            train=40,
            test=10,
            frames=8,
            side=32,
        ),
    )

    def _info(self) -> tfds.core.DatasetInfo:
        films = self.builder_config
        frame = tfds.features.Image(shape=(films.side, films.side, 3))
        return tfds.core.DatasetInfo(
            builder=self,
            description="Films of coloured shapes that bounce off the walls, with class labels.",
            features=tfds.features.FeaturesDict(
                {
                    "video": tfds.features.Sequence(frame, length=films.frames),
                    "label": tfds.features.ClassLabel(names=list(CLASSES)),
                }
            ),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        films = self.builder_config
        return {"train": self._generate_examples(films.train, 0), "test": self._generate_examples(films.test, 1)}

    def _generate_examples(self, count: int, split: int) -> Iterator[tuple[int, dict[str, Any]]]:
        films = self.builder_config
        for number in range(count):
            label = number % len(CLASSES)
            video = film(np.random.default_rng((split, number)), label, films.frames, films.side)
            yield number, {"video": [encoded(frame) for frame in video], "label": label}


def film(rng: np.random.Generator, label: int, frames: int, side: int) -> np.ndarray:
    """Draws a film `[frames, side, side, 3]` uint8 of two shapes of random sizes, places, speeds, angles and colours.

    The label is an index into `CLASSES`.
    """
    background = rng.uniform(0, 255, 3)
    video = np.broadcast_to(background, (frames, side, side, 3)).copy()
    for least, most in ((0.18, 0.26), (0.1, 0.16)):  # the larger one is behind
        radius, color = rng.uniform(least, most) * side, contrasting_color(rng, background)
        angles = rng.uniform(-0.35, 0.35) + rng.uniform(-0.1, 0.1) * np.arange(frames)  # radians
        for picture, center, angle in zip(video, path(rng, radius, frames, side), angles, strict=True):
            cover = coverage(CLASSES[label], radius, center, float(angle), side)[..., None]
            picture += cover * (color - picture)
    return np.clip(np.rint(video), 0, 255).astype(np.uint8)


def contrasting_color(rng: np.random.Generator, background: np.ndarray) -> np.ndarray:
    """Draws a colour `[3]` in 0..255 at a distance of at least 120 from the background."""
    while True:
        color = rng.uniform(0, 255, 3)
        if np.linalg.norm(background - color) >= 120:
            return color


def path(rng: np.random.Generator, radius: float, frames: int, side: int) -> np.ndarray:
    """Draws centres `[T, 2]` in pixels of a disk that moves 2 to 6 % of the side a frame and bounces off the walls."""
    room = side - 2 * radius
    speed = rng.uniform(0.02, 0.06) * side
    direction = rng.uniform(0, 2 * np.pi)
    velocity = speed * np.array([np.cos(direction), np.sin(direction)])
    unfolded = rng.uniform(0, room, 2) + np.arange(frames)[:, None] * velocity
    return radius + room - np.abs(unfolded % (2 * room) - room)  # a wall is a fold of the line
