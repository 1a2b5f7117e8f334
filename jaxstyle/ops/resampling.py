"""Resampling on the device: to any size, and between pixels and channels.

`depth_to_space` enlarges without a strided transposed convolution, whose gradient is slow on CPU.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

CUBIC_RADIUS = 2
"""Radius of a cubic kernel, in pixels of the coarser picture; a linear kernel has 1."""


def resize_image(
    image: jax.Array, height: int, width: int, method: str = "cubic", *, periodic: bool = False
) -> jax.Array:
    """Resamples pictures, antialiased where they shrink.

    Args:
      image: `[..., H, W, C]`.
      height: Of the result, in pixels.
      width: Of the result, in pixels.
      method: A method of `jax.image.resize`.
      periodic: Whether pictures continue beyond their border with the opposite side; else kernels are cut there.

    Returns:
      `[..., height, width, C]`.
    """
    *leading, high, wide, channels = image.shape
    shape = (*leading, height, width, channels)
    if not periodic:
        return jax.image.resize(image, shape, method)
    scales = height / high, width / wide
    margins = [math.ceil(CUBIC_RADIUS * max(1, 1 / scale)) for scale in scales]
    padded = jnp.pad(image, [(0, 0)] * len(leading) + [*((margin, margin) for margin in margins), (0, 0)], mode="wrap")
    shift = jnp.array([-margin * scale for margin, scale in zip(margins, scales, strict=True)])
    axes = (len(leading), len(leading) + 1)
    return jax.image.scale_and_translate(padded, shape, axes, jnp.array(scales), shift, method)


def depth_to_space(x: jax.Array, block: int = 2) -> jax.Array:
    """Rearranges every pixel's channels to `block` × `block` pixels (the pixel shuffle of Shi et al. 2016).

    Args:
      x: `[N, H, W, block² C]`.
      block: Factor by which the sides grow.

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
