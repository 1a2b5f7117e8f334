"""Pixels to channels and back: enlarging without a strided transposed convolution, whose gradient is slow on CPU."""

from __future__ import annotations

import jax


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
