"""Transparency: colours for what is invisible that come from what is visible, and pictures laid on white."""

from __future__ import annotations

import numpy as np
from PIL import Image

FAINT = 1 / 32
"""Alpha below which a pixel's own colour counts less and less: editors keep few bits of it, or none."""
NOWHERE = 0.5  # the colour of a picture that is invisible all over


def fill_invisible(rgb: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Replaces the colours of invisible pixels by smooth ones from the visible pixels around them.

    Files keep colours under an alpha of 0 that no viewer shows; a network would see them, and resizing would mix them
    into what is visible. This is the pull-push algorithm: colours are averaged, weighted by alpha, over cells of 2, 4,
    8, … pixels a side, and a pixel takes those of the smallest cells that hold something visible, interpolated.

    Args:
      rgb: `[H, W, 3]` in [0, 1].
      alpha: `[H, W]` in [0, 1]; None is opaque.

    Returns:
      Float32 `[H, W, 3]`: `rgb` where alpha is at least `FAINT`, the filled colour where it is 0, a blend between.
      The result does not depend on `rgb` where alpha is 0.

    References:
      Gortler et al. 1996, "The Lumigraph", section 3.4; Kraus 2009, "The Pull-Push Algorithm Revisited".
    """
    rgb = np.asarray(rgb, np.float32)
    if alpha is None or alpha.min() >= FAINT:
        return rgb
    weight = np.asarray(alpha, np.float32)[..., None]
    coarse = _filled(*_pulled(rgb * weight, weight))
    faint = weight[..., 0] < FAINT
    trust = weight[faint] / np.float32(FAINT)
    filled = rgb.copy()
    filled[faint] = trust * rgb[faint] + (1 - trust) * _enlarged(coarse, rgb.shape)[faint]
    return filled


def on_white(rgb: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Lays a picture on white, for formats without alpha."""
    return rgb if alpha is None else rgb * alpha[..., None] + (1 - alpha[..., None])


def _pulled(color: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Averages cells of two by two: weighted colours `[h, w, 3]`, and weights `[h, w, 1]` up to 1."""
    total, above = _summed(color), _summed(weight)
    weight = np.minimum(above, 1)
    return total * np.divide(weight, above, out=np.zeros_like(above), where=above > 0), weight


def _summed(values: np.ndarray) -> np.ndarray:
    height, width = values.shape[:2]
    if height % 2 or width % 2:
        values = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)))
    return (values[::2, ::2] + values[1::2, ::2]) + (values[::2, 1::2] + values[1::2, 1::2])


def _filled(color: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Completes weighted colours with those of the next coarser cells, as far as weights lack to 1."""
    if weight.min() >= 1:
        return color
    if weight.size == 1:
        return color / weight if weight.item() else np.full_like(color, NOWHERE)
    return color + (1 - weight) * _enlarged(_filled(*_pulled(color, weight)), color.shape)


def _enlarged(coarse: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Interpolates cells linearly to `shape` `(h, w, 3)`, of which each is two by two pixels."""
    height, width = shape[:2]
    box = (0.0, 0.0, width / 2, height / 2)
    planes = [Image.fromarray(np.ascontiguousarray(coarse[..., channel])) for channel in range(3)]
    return np.stack([np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR, box)) for plane in planes], -1)
