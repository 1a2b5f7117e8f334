"""Pictures moved along a field of motion, and where that field can be trusted."""

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


def trusted(backward: jax.Array, forward: jax.Array | None = None) -> jax.Array:
    """Where the backward flow tells what a pixel was: not where it has come into sight, nor at edges of motion.

    Args:
      backward: `[H, W, 2]` pixels to the right and down: where in the frame before lies what is at a pixel now.
      forward: The reverse, of the pixels of the frame before; None where it is not known.

    Returns:
      `[H, W]` float32, 0 or 1.

    References:
      Ruder, Dosovitskiy & Brox 2016, "Artistic Style Transfer for Videos", eq. 5 and 6 (Sundaram, Brox & Keutzer 2010).
    """
    slopes = jnp.stack(jnp.gradient(backward, axis=(0, 1)))
    edges = jnp.sum(jnp.square(slopes), (0, -1))
    length = jnp.sum(jnp.square(backward), -1)
    ahead, valid = warp(backward if forward is None else forward, backward)
    good = (valid > 0) & (edges <= 0.01 * length + 0.002)
    if forward is not None:
        apart = jnp.sum(jnp.square(ahead + backward), -1)
        good &= apart <= 0.01 * (jnp.sum(jnp.square(ahead), -1) + length) + 0.5
    return good.astype(jnp.float32)


@jax.jit
def followed(previous: jax.Array, backward: jax.Array, forward: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
    """A picture moved on by a frame.

    Args:
      previous: `[H, W, C]`.
      backward: From its frame to the next, as `trusted` takes it.
      forward: Likewise.

    Returns:
      What is expected of the next frame `[H, W, C]`, and where that can be trusted `[H, W]`, 0 or 1.
    """
    return warp(previous, backward)[0], trusted(backward, forward)
