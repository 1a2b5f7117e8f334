"""`jaxstyle_shapes`: coloured shapes with class labels and masks, a TFDS builder that draws its own examples.

The builder needs no network and no TensorFlow: Pillow draws the pictures, and TFDS takes them as encoded bytes.
"""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw

SIDE = 32  # pixels
CLASSES = ("circle", "square", "triangle", "diamond", "pentagon", "hexagon", "star", "cross", "ring", "crescent")
SUPERSAMPLING = 4  # times larger when drawn, then averaged: smooth edges
CORNERS = {"square": 4, "triangle": 3, "diamond": 4, "pentagon": 5, "hexagon": 6}


@dataclasses.dataclass(kw_only=True)
class Amount(tfds.core.BuilderConfig):
    """Numbers of pictures in the splits."""

    train: int = 8000
    test: int = 2000


class JaxstyleShapes(tfds.core.GeneratorBasedBuilder):
    """Pictures of one shape of ten on a plain background: `image` [32, 32, 3] uint8, `mask` [32, 32, 1] uint8, `label`.

    The mask is 0 on the background and the label + 1 on the shape.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = (
        Amount(name="full", description="8000 training and 2000 test pictures"),
        Amount(name="tiny", description="for tests: 512 and 100 pictures", train=512, test=100),
    )

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Coloured shapes with class labels and segmentation masks.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(SIDE, SIDE, 3)),
                    "mask": tfds.features.Image(shape=(SIDE, SIDE, 1)),
                    "label": tfds.features.ClassLabel(names=list(CLASSES)),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        amount = self.builder_config
        return {"train": self._generate_examples(amount.train, 0), "test": self._generate_examples(amount.test, 1)}

    def _generate_examples(self, count: int, split: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for number in range(count):
            image, mask, label = draw(np.random.default_rng((split, number)), number % len(CLASSES))
            yield number, {"image": encoded(image), "mask": encoded(mask), "label": label}


def draw(rng: np.random.Generator, label: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Draws a picture of one shape: picture `[32, 32, 3]` uint8, mask `[32, 32]` uint8 (0 or label + 1), label.

    Size, place, angle and colours are random; the label is an index into `CLASSES`.
    """
    radius = rng.uniform(0.22, 0.42) * SIDE
    center = rng.uniform(radius, SIDE - radius, 2)
    cover = coverage(CLASSES[label], radius, center, rng.uniform(-0.35, 0.35))  # radians
    background, color = contrasting_colors(rng)
    picture = background + cover[..., None] * (color - background) + rng.normal(0, 6, (SIDE, SIDE, 3))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), ((cover > 0.5) * (label + 1)).astype(np.uint8), label


def contrasting_colors(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws two colours `[3]` in 0..255 at a distance of at least 120."""
    while True:
        background, color = rng.uniform(0, 255, (2, 3))
        if np.linalg.norm(background - color) >= 120:
            return background, color


def coverage(name: str, radius: float, center: np.ndarray, angle: float, side: int = SIDE) -> np.ndarray:
    """Computes the share of each pixel that a shape covers, `[side, side]` in [0, 1]; radius and centre in pixels."""
    canvas = Image.new("L", (side * SUPERSAMPLING, side * SUPERSAMPLING))
    pen = ImageDraw.Draw(canvas)
    r, (x, y) = radius * SUPERSAMPLING, center * SUPERSAMPLING
    if name in ("circle", "ring", "crescent"):
        pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
        dx, dy = (0.45 * r * math.cos(angle), 0.45 * r * math.sin(angle)) if name == "crescent" else (0.0, 0.0)
        if name != "circle":
            hole = (0.8 if name == "crescent" else 0.55) * r
            pen.ellipse((x + dx - hole, y + dy - hole, x + dx + hole, y + dy + hole), fill=0)
    else:
        pen.polygon([(x + r * u, y + r * v) for u, v in outline(name, angle)], fill=255)
    return np.asarray(canvas, np.float32).reshape(side, SUPERSAMPLING, side, SUPERSAMPLING).mean((1, 3)) / 255


def outline(name: str, angle: float) -> list[tuple[float, float]]:
    """Computes the corners of a shape in the unit circle, turned by `angle` radians."""
    if name == "cross":
        arm = 0.32
        quarter = [(arm, -1.0), (arm, -arm), (1.0, -arm)]
        turned = [(u, v) for u, v in quarter]
        points = []
        for _ in range(4):
            points += turned
            turned = [(-v, u) for u, v in turned]
    else:
        count = 10 if name == "star" else CORNERS[name]
        start = -math.pi / 2 + (math.pi / 4 if name == "square" else 0.0)
        length = [0.42 if name == "star" and i % 2 else 1.0 for i in range(count)]
        turns = [start + 2 * math.pi * i / count for i in range(count)]
        squeeze = 0.6 if name == "diamond" else 1.0  # else it would be a turned square
        points = [(squeeze * n * math.cos(t), n * math.sin(t)) for n, t in zip(length, turns, strict=True)]
    cos, sin = math.cos(angle), math.sin(angle)
    return [(u * cos - v * sin, u * sin + v * cos) for u, v in points]


def encoded(pixels: np.ndarray) -> io.BytesIO:
    """Encodes a picture as a PNG file in memory; TFDS without TensorFlow takes encoded pictures only."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    file.seek(0)
    return file
