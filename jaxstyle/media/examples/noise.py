"""Fractal noise and the blending of colours, from which all example pictures are made."""

from __future__ import annotations

import numpy as np
from PIL import Image

Color = tuple[float, float, float]


def fbm(
    rng: np.random.Generator, height: int, width: int, cells: int, octaves: int, gain: float = 0.5, ridged: bool = False
) -> np.ndarray:
    """Sums fractal noise: octaves of random grids, smoothly enlarged (bicubic), each weaker than the one before.

    Args:
      rng: The source of randomness.
      height: Rows of the result.
      width: Columns of the result.
      cells: Grid cells along the longer side in the first octave.
      octaves: Number of octaves, each with twice the cells.
      gain: The strength of each octave relative to the one before.
      ridged: Fold each octave at zero, for sharp crests.

    Returns:
      Float32 `[height, width]`, about [-1, 1], or [0, 1] if ridged.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        pitch = max(height, width) / (cells * 2**octave)
        grid = rng.uniform(-1.6, 1.6, (int(height / pitch) + 2, int(width / pitch) + 2)).astype(np.float32)
        box = (0.5, 0.5, 0.5 + width / pitch, 0.5 + height / pitch)  # cells keep their place at every size
        noise = np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC, box=box))
        total += (1 - np.minimum(np.abs(noise), 1) if ridged else noise) * gain**octave * (1 - gain)
    return total


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """Steps from 0 below `low` to 1 above `high` by a smooth cubic."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: np.ndarray | Color, b: np.ndarray | Color, amount: np.ndarray) -> np.ndarray:
    """Blends colours `[3]` or `[H, W, 3]`: `a` where `amount` `[H, W]` is 0, `b` where it is 1."""
    share = amount[..., None].astype(np.float32)
    return np.asarray(a, np.float32) * (1 - share) + np.asarray(b, np.float32) * share


def downsample(supersampled: np.ndarray) -> np.ndarray:
    """Averages two by two pixels, clipped to [0, 1]: `[2 H, 2 W, 3]` to float32 `[H, W, 3]`."""
    height, width = supersampled.shape[:2]
    blocks = np.clip(supersampled, 0, 1).reshape(height // 2, 2, width // 2, 2, 3)
    return blocks.mean(axis=(1, 3)).astype(np.float32)
