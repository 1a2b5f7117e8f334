"""Segmentation overlays: a colour for each class, alone and laid over the picture."""

from __future__ import annotations

import colorsys

import jax
import jax.numpy as jnp
import numpy as np

GOLDEN = 0.618033988749895  # the golden ratio; hues in steps of it are far apart, however many there are
OPACITY = 0.35  # of a class's colour inside its outline


def palette(classes: int) -> np.ndarray:
    """Chooses a colour for each class, `[classes, 3]` float32 sRGB: black for class 0, then bright hues far apart."""
    hues = [colorsys.hsv_to_rgb((0.12 + number * GOLDEN) % 1, 1.0, 1.0) for number in range(classes - 1)]
    return np.array([(0.0, 0.0, 0.0), *hues], np.float32)


def colorize(masks: jax.Array, classes: int) -> jax.Array:
    """Maps class numbers `[N, H, W]` to colours `[N, H, W, 3]` in [0, 1]."""
    return jnp.asarray(palette(classes))[masks]


def overlay(pictures: jax.Array, masks: jax.Array, classes: int) -> jax.Array:
    """Tints and outlines every region but class 0 in its class's colour.

    Args:
      pictures: `[N, H, W, C]` in [0, 1]; of more than 3 channels the first 3 are shown, of 2 the first.
      masks: `[N, H, W]` integers in 0 … classes-1.
      classes: Number of classes.

    Returns:
      `[N, H, W, 3]` in [0, 1].
    """
    pictures = pictures[..., : 1 if pictures.shape[-1] < 3 else 3]
    share = jnp.where(outlines(masks), 1.0, OPACITY) * (masks > 0)
    return pictures + share[..., None] * (colorize(masks, classes) - pictures)


def outlines(masks: jax.Array) -> jax.Array:
    """Marks the pixels of `[N, H, W]` with a neighbour (beside, above, below) of another class: `[N, H, W]` bool."""
    across, down = masks[:, :, 1:] != masks[:, :, :-1], masks[:, 1:] != masks[:, :-1]
    sides = jnp.pad(across, ((0, 0), (0, 0), (1, 0))) | jnp.pad(across, ((0, 0), (0, 0), (0, 1)))
    return sides | jnp.pad(down, ((0, 0), (1, 0), (0, 0))) | jnp.pad(down, ((0, 0), (0, 1), (0, 0)))
