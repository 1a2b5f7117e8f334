"""The example mosaic: Voronoi stones with bevels and grout."""

from __future__ import annotations

import numpy as np

from jaxstyle.media.examples.noise import downsample, fbm, mix, smoothstep


def mosaic(size: int) -> np.ndarray:
    """Lays a sun over waves in bevelled glass stones with dark grout.

    Args:
      size: The longer side (the width), in pixels; the height is three quarters of it.

    Returns:
      Float32 `[round(0.75 * size), size, 3]` in [0, 1].
    """
    height, width = 2 * round(0.75 * size), 2 * size
    rng = np.random.default_rng(4)
    rows, columns = 42, 56
    jitter = rng.uniform(0.14, 0.86, (rows + 4, columns + 4, 2))  # two more stones beyond every edge
    seeds = (np.indices((rows + 4, columns + 4)).transpose(1, 2, 0) - 2 + jitter).astype(np.float32)
    place = np.stack(
        np.meshgrid(
            (np.arange(height, dtype=np.float32) + 0.5) / height * rows,
            (np.arange(width, dtype=np.float32) + 0.5) / width * columns,
            indexing="ij",
        ),
        axis=-1,
    )
    stone, offset, border = _voronoi(place, seeds)
    stones = _stone_colors(rng, seeds[..., 1] / rows, seeds[..., 0] / rows)[stone[..., 0], stone[..., 1]]
    tilt = rng.normal(0, 0.10, (*seeds.shape[:2], 2)).astype(np.float32)[stone[..., 0], stone[..., 1]]
    bevel = smoothstep(0.24, 0.08, border) * -(offset.sum(axis=-1)) * 0.75
    shade = 1 + bevel + (tilt * offset * 3).sum(axis=-1) + 0.10 * fbm(rng, height, width, 60, 3)
    grout = mix((0.09, 0.08, 0.09), (0.16, 0.14, 0.14), fbm(rng, height, width, 150, 2) + 0.5)
    return downsample(mix(grout, stones * shade[..., None], smoothstep(0.045, 0.085, border)))


def _voronoi(place: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds the nearest seed's index, the offset from it, and the distance to the cell's border.

    `place` `[H, W, 2]` is in cell units; the lines between cells are exact, not the usual F2 - F1.
    """
    cell = place.astype(int) + 2
    nearest = np.full(place.shape[:2], np.inf, np.float32)
    stone, offset = np.zeros_like(cell), np.zeros_like(place)
    around = [(i, j) for i in range(-2, 3) for j in range(-2, 3) if abs(i) + abs(j) < 4]
    for shift in around:
        index = cell + shift
        away = place - seeds[index[..., 0], index[..., 1]]
        distance = (away**2).sum(axis=-1)
        closer = distance < nearest
        nearest = np.where(closer, distance, nearest)
        stone, offset = np.where(closer[..., None], index, stone), np.where(closer[..., None], away, offset)
    border = np.full(place.shape[:2], np.inf, np.float32)
    for shift in around:
        index = cell + shift
        away = place - seeds[index[..., 0], index[..., 1]]
        gap = np.linalg.norm(away - offset, axis=-1)  # between the two seeds
        bisector = ((away**2).sum(axis=-1) - nearest) / (2 * np.maximum(gap, 1e-6))
        border = np.where(gap > 1e-6, np.minimum(border, bisector), border)
    return stone, offset, border


def _stone_colors(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Samples the design at the stones `[R, C]` (in picture heights), each stone a little off its neighbours."""
    dx, dy = x - 0.86, y - 0.34
    r, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    color = mix((0.10, 0.30, 0.58), (0.45, 0.72, 0.80), np.floor(r * 9) % 2 * 0.6 + 0.4 * rng.random(x.shape))
    rays = smoothstep(0.0, 0.3, np.cos(16 * angle)) * (r < 0.40)
    color = mix(color, (0.93, 0.62, 0.16), rays * (r > 0.2))
    color = mix(color, (0.80, 0.22, 0.13), ((r > 0.175) & (r < 0.215)).astype(float))
    color = mix(color, mix((0.98, 0.83, 0.30), (0.95, 0.68, 0.16), rng.random(x.shape)), (r <= 0.175).astype(float))
    wave = y - 0.70 - 0.045 * np.abs(np.sin(7.5 * x)) + 0.02
    stripe = np.floor(wave / 0.055)
    sea = mix((0.03, 0.22, 0.34), (0.10, 0.55, 0.55), (stripe % 3) / 2)
    sea = mix(sea, (0.93, 0.93, 0.86), (stripe % 4 == 0).astype(float))
    color = mix(color, sea, (wave > 0).astype(float))
    return np.clip(color * (1 + rng.normal(0, 0.13, (*x.shape, 1))) + rng.normal(0, 0.03, (*x.shape, 3)), 0, 1)
