"""Masks made visible: a colour for each class, alone and laid over the picture."""

from __future__ import annotations

import colorsys

import jax
import jax.numpy as jnp
import numpy as np

GOLDEN = 0.618033988749895  # steps of the hue, of which any number in a row are far apart
COVER = 0.35  # share of a class's colour inside its outline


def palette(classes: int) -> np.ndarray:
    """Colours of classes, `[classes, 3]` float32 sRGB: black for class 0, then bright ones far apart in hue."""
    hues = [colorsys.hsv_to_rgb((0.12 + number * GOLDEN) % 1, 1.0, 1.0) for number in range(classes - 1)]
    return np.array([(0.0, 0.0, 0.0), *hues], np.float32)


def colored(masks: jax.Array, classes: int) -> jax.Array:
    """Masks as pictures: `[N, H, W]` integers to `[N, H, W, 3]` in [0, 1]."""
    return jnp.asarray(palette(classes))[masks]


def overlay(pictures: jax.Array, masks: jax.Array, classes: int) -> jax.Array:
    """Pictures with what is not class 0 tinted in its class's colour, and outlined.

    Args:
      pictures: `[N, H, W, 1 or 3]` in [0, 1].
      masks: `[N, H, W]` integers in 0 … classes-1.
      classes: How many there are.

    Returns:
      `[N, H, W, 3]` in [0, 1].
    """
    share = jnp.where(outlines(masks), 1.0, COVER) * (masks > 0)
    return pictures + share[..., None] * (colored(masks, classes) - pictures)


def outlines(masks: jax.Array) -> jax.Array:
    """Which pixels of `[N, H, W]` have one beside, above or below them that is of another class: `[N, H, W]` bool."""
    across, down = masks[:, :, 1:] != masks[:, :, :-1], masks[:, 1:] != masks[:, :-1]
    sides = jnp.pad(across, ((0, 0), (0, 0), (1, 0))) | jnp.pad(across, ((0, 0), (0, 0), (0, 1)))
    return sides | jnp.pad(down, ((0, 0), (1, 0), (0, 0))) | jnp.pad(down, ((0, 0), (0, 1), (0, 0)))
