"""Arrays resampled on the device: to any size, and pixels to channels and back.

The latter enlarge without a strided transposed convolution, whose gradient is slow on CPU.
"""

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


def depth_to_space(x: jax.Array, block: int = 2) -> jax.Array:
    """Every pixel's channels become `block` × `block` pixels (the sub-pixel convolution of Shi et al. 2016).

    Args:
      x: `[N, H, W, block² C]`.
      block: How many times finer.

    Returns:
      `[N, block H, block W, C]`; pixel (i, j) of a block has the channels from `(block i + j) C`.
    """
    count, height, width, channels = x.shape
    x = x.reshape(count, height, width, block, block, channels // block**2)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(count, height * block, width * block, -1)


def space_to_depth(x: jax.Array, block: int = 2) -> jax.Array:
    """The inverse of `depth_to_space`: `[N, block H, block W, C]` -> `[N, H, W, block² C]`."""
    count, height, width, channels = x.shape
    x = x.reshape(count, height // block, block, width // block, block, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(count, height // block, width // block, block**2 * channels)
