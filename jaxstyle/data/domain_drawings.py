"""Pairs of domains for translation, drawn when they are read: `shapes_outlined` and `digits_textured`.

The training pictures of two domains are of different scenes. Test picture i of one domain is of the scene of test
picture i of the other: its true translation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from jaxstyle.data.dataset import Example
from jaxstyle.data.drawn import Digits, Drawn, Read
from jaxstyle.data.jaxstyle_shapes import coverage

SIDE = 32  # pixels
LINE = 1.4  # pixels, of an outline
APOTHEMS = {"circle": 1.0, "square": 0.707, "triangle": 0.5, "hexagon": 0.866, "star": 0.321}
"""Shapes, and the distance of their edges from the centre, as a share of the radius."""
COLORS = {
    "red": (215, 45, 40),
    "yellow": (225, 200, 40),
    "green": (45, 165, 65),
    "cyan": (50, 190, 205),
    "blue": (45, 70, 205),
    "purple": (160, 55, 180),
}
LABELS = tuple(f"{color} {shape}" for color in COLORS for shape in APOTHEMS)
GROUNDS = ((0, 40), (215, 255))  # grey levels
DIGITS = tuple(map(str, range(10)))
FIRST, SECOND, BOTH = range(3)  # domains, and the pictures of both that a classifier learns from


def shape_example(rng: np.random.Generator, domain: int, label: int | None = None) -> Example:
    """Draws a coloured shape on a dark or a light ground: filled, or as the outline that the filled one has.

    Args:
      rng: Of the scene, the same in both domains.
      domain: `FIRST` is filled, `SECOND` outlined.
      label: In place of the scene's own.

    Returns:
      `image` `[32, 32, 3]` uint8 and `label`, an index into `LABELS`.
    """
    own = int(rng.integers(len(LABELS)))
    label = own if label is None else label
    color_name, shape = LABELS[label].split()
    radius, angle = rng.uniform(0.4, 0.48) * SIDE, rng.uniform(-0.35, 0.35)
    center = rng.uniform(radius, SIDE - radius, 2)
    color = np.clip(COLORS[color_name] + rng.uniform(-25, 25, 3), 0, 255)
    ground = np.full(3, rng.uniform(*GROUNDS[rng.integers(2)]))
    cover = coverage(shape, radius, center, angle, SIDE)
    if domain == SECOND:
        cover = cover - coverage(shape, radius - LINE / APOTHEMS[shape], center, angle, SIDE)
    return {"image": as_pixels(ground + cover[..., None] * (color - ground)), "label": np.asarray(label, np.int32)}


def digit_example(digits: Digits, rng: np.random.Generator, domain: int, number: int) -> Example:
    """Draws a digit of MNIST: white on black, or of one texture on another.

    Args:
      digits: Those of the split.
      rng: Of the textures.
      domain: `FIRST` is plain, `SECOND` textured.
      number: Of the digit.

    Returns:
      `image` `[32, 32, 3]` uint8 and `label`.
    """
    cover = np.pad(digits.images[number, ..., 0], (SIDE - digits.images.shape[1]) // 2)[..., None] / np.float32(255)
    image = np.broadcast_to(255 * cover, (SIDE, SIDE, 3))
    if domain == SECOND:
        ground, ink = textures(rng)
        image = ground + cover * (ink - ground)
    return {"image": as_pixels(image), "label": np.asarray(digits.labels[number], np.int32)}


def textures(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws two textures `[32, 32, 3]`, striped in one colour each; the colours are at least 180 apart."""
    while True:
        colors = rng.uniform(30, 225, (2, 3))
        if np.linalg.norm(colors[0] - colors[1]) >= 180:
            break
    y, x = np.mgrid[:SIDE, :SIDE]
    made = []
    for color in colors:
        angle, wavelength, phase = rng.uniform(0, np.pi), rng.uniform(4, 10), rng.uniform(0, 2 * np.pi)
        wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength + phase)
        made.append(color + 25 * wave[..., None] + rng.normal(0, 4, (SIDE, SIDE, 1)))
    return made[0], made[1]


def as_pixels(image: np.ndarray) -> np.ndarray:
    """Rounds values 0 to 255 to uint8."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def shape_reader(domain: int, split: str, read_digits: Callable[[], Digits]) -> Read:
    """Makes the function index -> example of a split of shapes."""
    tested = split == "test"

    def read(index: int, label: int | None = None) -> Example:
        seed = (1, FIRST, index) if tested else (0, domain, index)  # a test scene is one in all domains
        return shape_example(np.random.default_rng(seed), index % 2 if domain == BOTH else domain, label)

    return read


def digit_reader(domain: int, split: str, read_digits: Callable[[], Digits]) -> Read:
    """Makes the function index -> example of a split of digits; each domain has half of the training digits."""

    def read(index: int) -> Example:
        number = 2 * index + domain if split == "train" and domain != BOTH else index
        rng = np.random.default_rng((3, split == "test", number))
        return digit_example(read_digits(), rng, index % 2 if domain == BOTH else domain, number)

    return read


SHAPES = {
    "filled": Drawn({"train": 4000, "test": 1000}, partial(shape_reader, FIRST), LABELS, relabels=True),
    "outlined": Drawn({"train": 3000, "test": 1000}, partial(shape_reader, SECOND), LABELS, relabels=True),
    "both": Drawn({"train": 8000, "test": 2000}, partial(shape_reader, BOTH), LABELS),
}
TEXTURED = {
    "plain": Drawn({"train": 30_000, "test": 10_000}, partial(digit_reader, FIRST), DIGITS, of_digits=True),
    "textured": Drawn({"train": 30_000, "test": 10_000}, partial(digit_reader, SECOND), DIGITS, of_digits=True),
    "both": Drawn({"train": 60_000, "test": 10_000}, partial(digit_reader, BOTH), DIGITS, of_digits=True),
}
