"""Pictures moved along a field of motion."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def warp(image: jax.Array, flow: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A picture looked up at displaced places, between pixels bilinearly: `warped(p) = image(p + flow(p))`.

    With the flow from a later frame back to the one before, the frame before becomes the later one.

    Args:
      image: `[H, W, C]`, floats.
      flow: `[H, W, 2]` pixels, to the right and down, as OpenCV and the Middlebury files have it.

    Returns:
      The warped picture `[H, W, C]`, where what lies beyond the frame is the nearest pixel within, and where it is
      valid, `[H, W]` float32: 1 where the place looked up lies within the frame, else 0.

    References:
      Jaderberg et al. 2015, "Spatial Transformer Networks", eq. 5.
    """
    height, width = image.shape[:2]
    rows = jnp.arange(height, dtype=flow.dtype)[:, None] + flow[..., 1]
    columns = jnp.arange(width, dtype=flow.dtype)[None, :] + flow[..., 0]
    valid = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    top, below = neighbours(rows, height)
    left, right = neighbours(columns, width)
    down, across = (rows - top.astype(rows.dtype))[..., None], (columns - left.astype(columns.dtype))[..., None]
    down, across = (jnp.clip(part, 0, 1).astype(image.dtype) for part in (down, across))
    upper = image[top, left] * (1 - across) + image[top, right] * across
    lower = image[below, left] * (1 - across) + image[below, right] * across
    return upper * (1 - down) + lower * down, valid.astype(jnp.float32)


def neighbours(places: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """The pixels before and after each place along an axis of `size` pixels, within the frame, int32."""
    before = jnp.clip(jnp.floor(places), 0, size - 1).astype(jnp.int32)
    return before, jnp.minimum(before + 1, size - 1)
