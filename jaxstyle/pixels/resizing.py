"""Pictures resampled on the device."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

CUBIC_RADIUS = 2
"""Pixels, of the coarser picture, that a cubic kernel reaches; a linear one reaches one."""


def resize_image(
    image: jax.Array, height: int, width: int, method: str = "cubic", *, periodic: bool = False
) -> jax.Array:
    """Pictures `[..., H, W, C]` resampled to `[..., height, width, C]`; antialiased when they shrink.

    Beyond the frame there is nothing, or, where they are `periodic`, the opposite side.
    """
    *leading, high, wide, channels = image.shape
    shape = (*leading, height, width, channels)
    if not periodic:
        return jax.image.resize(image, shape, method)
    scales = height / high, width / wide
    margins = [math.ceil(CUBIC_RADIUS * max(1, 1 / scale)) for scale in scales]
    framed = jnp.pad(image, [(0, 0)] * len(leading) + [*((margin, margin) for margin in margins), (0, 0)], mode="wrap")
    shift = jnp.array([-margin * scale for margin, scale in zip(margins, scales, strict=True)])
    axes = (len(leading), len(leading) + 1)
    return jax.image.scale_and_translate(framed, shape, axes, jnp.array(scales), shift, method)
