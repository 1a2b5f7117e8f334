"""Props of the example landscape: houses and conifers in perspective, grass and a tree up close."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import ImageDraw

from jaxstyle.media.examples.noise import Color, mix

Project = Callable[[float, float, float], tuple[float, float]]
HAZE = np.array([0.74, 0.80, 0.88])


def _hazy(color: Color, z: float) -> tuple[int, int, int]:
    """Fades a colour into the haze of distance `z`."""
    haze = 1 - np.exp(-0.05 * max(z - 2, 0))
    r, g, b = (int(255 * (c * (1 - haze) + h * haze)) for c, h in zip(color, HAZE, strict=True))
    return r, g, b


def conifer(draw: ImageDraw.ImageDraw, project: Project, x: float, y: float, z: float, tall: float) -> None:
    """Draws a conifer of seven tiers, lit from the left."""
    tone = 0.8 + 0.4 * np.sin(91 * x + 37 * z)
    for tier in range(7):
        low, high = y + tall * (0.08 + 0.125 * tier), y + tall * min(1.0, 0.36 + 0.125 * tier)
        half = tall * 0.21 * (1 - tier / 7.5)
        middle, left, right = project(x, high, z), project(x - half, low, z), project(x + half, low, z)
        foot = project(x + 0.25 * half, low + 0.03 * tall, z)
        draw.polygon([middle, left, foot], fill=_hazy((0.24 * tone, 0.36 * tone, 0.12 * tone), z))
        draw.polygon([middle, foot, right], fill=_hazy((0.06, 0.15 * tone, 0.09), z))


def house(draw: ImageDraw.ImageDraw, project: Project, x: float, y: float, z: float, s: float) -> None:
    """Draws a box with a gable roof, its gable to the camera, the roof's left side in the sun."""

    def face(color: Color, *corners: tuple[float, float, float]) -> None:
        points = [project(x + s * dx, y + s * dy, z + s * dz) for dx, dy, dz in corners]
        draw.polygon(points, fill=_hazy(color, z))

    sunny, shady = (0.82, 0.34, 0.20), (0.42, 0.17, 0.14)
    near = -1 if x > 0 else 1  # which side wall and roof the camera sees
    for side in (-near, near):
        if side == near:
            face((0.93, 0.83, 0.66), (-0.4, -0.3, 0), (0.4, -0.3, 0), (0.4, 0.45, 0), (0, 0.85, 0), (-0.4, 0.45, 0))
            wall = (1.0, 0.95, 0.82) if side < 0 else (0.50, 0.46, 0.48)
            face(wall, (0.4 * side, -0.3, 0), (0.4 * side, -0.3, 1), (0.4 * side, 0.45, 1), (0.4 * side, 0.45, 0))
        roof = ((0, 0.93, -0.1), (0, 0.93, 1.1), (0.52 * side, 0.36, 1.1), (0.52 * side, 0.36, -0.1))
        face(sunny if side < 0 else shady, *roof)
    for side in (-1, 1):  # the edge of the roof over the gable
        face(shady, (0, 0.93, -0.1), (0, 0.85, -0.1), (0.46 * side, 0.36, -0.1), (0.52 * side, 0.36, -0.1))
    for dx, dy in ((-0.25, 0.12), (0.1, 0.12), (-0.08, 0.48)):
        face(
            (0.98, 0.96, 0.9),
            (dx - 0.02, dy - 0.02, 0),
            (dx + 0.17, dy - 0.02, 0),
            (dx + 0.17, dy + 0.22, 0),
            (dx - 0.02, dy + 0.22, 0),
        )
        face((0.16, 0.22, 0.32), (dx, dy, 0), (dx + 0.15, dy, 0), (dx + 0.15, dy + 0.2, 0), (dx, dy + 0.2, 0))
    face((0.34, 0.20, 0.12), (-0.07, -0.3, 0), (0.09, -0.3, 0), (0.09, 0.05, 0), (-0.07, 0.05, 0))
    face((0.62, 0.36, 0.28), (0.18, 0.6, 0.4), (0.3, 0.6, 0.4), (0.3, 1.0, 0.4), (0.18, 1.0, 0.4))


def meadow(draw: ImageDraw.ImageDraw, rng: np.random.Generator, height: int, width: int) -> None:
    """Draws grass and flowers along the lower edge, far blades first."""
    for depth in np.sort(rng.uniform(0, 1, 12000)):
        x = rng.uniform(0, width)
        foot = height * (0.808 + 0.25 * depth + 0.01 * np.sin(7 * x / width))
        tall = height * (0.008 + 0.045 * depth) * rng.uniform(0.5, 1.2)
        tip = (x + tall * rng.normal(0.15, 0.35), foot - tall)
        tone = rng.uniform(0.45, 1.1)
        color = (
            (0.44 * tone, 0.53 * tone, 0.13 * tone) if rng.random() < 0.8 else (0.74 * tone, 0.66 * tone, 0.27 * tone)
        )
        draw.line(
            [(x, foot), tip], fill=tuple(int(255 * c) for c in color), width=max(1, round(height / 500 * (1 + depth)))
        )
        if rng.random() < 0.03:
            petal = height * (0.0015 + 0.0045 * depth)
            color = ((0.86, 0.16, 0.12), (0.98, 0.82, 0.2), (0.96, 0.94, 0.98), (0.55, 0.3, 0.7))[rng.integers(4)]
            box = (tip[0] - petal, tip[1] - petal, tip[0] + petal, tip[1] + petal)
            draw.ellipse(box, fill=tuple(int(255 * c) for c in color))


def leafy_tree(draw: ImageDraw.ImageDraw, rng: np.random.Generator, height: int) -> None:
    """Draws a trunk that forks until its twigs carry leaves; leaves to the upper left are in the sun."""
    leaves: list[tuple[float, float]] = []

    def grow(x: float, y: float, angle: float, length: float, thick: float) -> None:
        for part in range(3):  # a branch bends and tapers
            bent = angle + rng.normal(0, 0.08)
            end_x, end_y = x + length / 3 * np.cos(bent), y - length / 3 * np.sin(bent)
            _limb(draw, (x * height, y * height), (end_x * height, end_y * height), thick * (1 - 0.1 * part) * height)
            x, y = end_x, end_y
        if length < 0.05:
            leaves.append((x, y))
            return
        for turn in (rng.uniform(0.25, 0.6), -rng.uniform(0.25, 0.6)):
            grow(x, y, angle + turn, length * rng.uniform(0.68, 0.86), thick * 0.66)

    grow(0.10, 0.93, 1.50, 0.20, 0.034)
    _leaves(draw, rng, np.repeat(np.array(leaves)[None], 100, axis=0), height)


def _leaves(draw: ImageDraw.ImageDraw, rng: np.random.Generator, twigs: np.ndarray, height: int) -> None:
    """Draws leaves around the twigs' ends `[layers, twigs, 2]`, brighter to the upper left and on top."""
    offset = rng.normal(0, 0.024, twigs.shape)
    layer = np.linspace(-0.16, 0.16, len(twigs))[:, None]
    light = 0.42 - 11 * offset.sum(axis=-1) + rng.normal(0, 0.15, layer.shape) - 0.9 * (twigs[..., 0] - 0.1) + layer
    color = (255 * mix((0.07, 0.14, 0.05), (0.56, 0.60, 0.17), np.clip(light, 0, 1))).astype(int).reshape(-1, 3)
    center, radius = ((height * (twigs + offset)).reshape(-1, 2), height * rng.uniform(0.002, 0.0048, len(color)))
    for (x, y), r, fill in zip(center.tolist(), radius.tolist(), color.tolist(), strict=True):
        draw.ellipse((x - r, y - 0.7 * r, x + r, y + 0.7 * r), fill=tuple(fill))


def _limb(draw: ImageDraw.ImageDraw, a: tuple[float, float], b: tuple[float, float], thick: float) -> None:
    """Draws a piece of a branch: dark, with a lit left edge."""
    draw.line([a, b], fill=(58, 43, 33), width=max(1, round(thick)))
    r = thick / 2
    draw.ellipse((b[0] - r, b[1] - r, b[0] + r, b[1] + r), fill=(58, 43, 33))
    lit = [(p[0] - thick * 0.22, p[1]) for p in (a, b)]
    draw.line(lit, fill=(128, 100, 72), width=max(1, round(thick * 0.3)))
