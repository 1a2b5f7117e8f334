"""Warping of pictures along optical flow, and masks of where the flow is reliable."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def warp(image: jax.Array, flow: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Backward warping, `warped(p) = image(p + flow(p))`, interpolated bilinearly.

    The backward flow, from a frame to the one before it, warps the frame before to the frame.

    Args:
      image: `[H, W, C]`, floats.
      flow: `[H, W, 2]` pixels, right and down, as in OpenCV and Middlebury files.

    Returns:
      The warped picture `[H, W, C]`, with edge pixels repeated beyond the frame, and its mask `[H, W]` float32: 1 where
      `p + flow(p)` lies within the frame, else 0.

    References:
      Jaderberg et al. 2015, "Spatial Transformer Networks", eq. 5.
    """
    height, width = image.shape[:2]
    rows = jnp.arange(height, dtype=flow.dtype)[:, None] + flow[..., 1]
    columns = jnp.arange(width, dtype=flow.dtype)[None, :] + flow[..., 0]
    valid = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    top, below = neighbors(rows, height)
    left, right = neighbors(columns, width)
    down, across = (rows - top.astype(rows.dtype))[..., None], (columns - left.astype(columns.dtype))[..., None]
    down, across = (jnp.clip(part, 0, 1).astype(image.dtype) for part in (down, across))
    upper = image[top, left] * (1 - across) + image[top, right] * across
    lower = image[below, left] * (1 - across) + image[below, right] * across
    return upper * (1 - down) + lower * down, valid.astype(jnp.float32)


def neighbors(places: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Indices int32 of the pixels before and after each place along an axis of `size` pixels, clipped to the frame."""
    before = jnp.clip(jnp.floor(places), 0, size - 1).astype(jnp.int32)
    return before, jnp.minimum(before + 1, size - 1)


def consistency_mask(backward: jax.Array, forward: jax.Array | None = None) -> jax.Array:
    """Mask of the pixels whose backward flow is reliable: neither disoccluded nor at motion boundaries.

    Args:
      backward: `[H, W, 2]` pixels right and down, from the frame to the one before it.
      forward: The flow from the frame before to this frame; without it disocclusions are not detected.

    Returns:
      `[H, W]` float32, 1 where the flow is reliable, else 0.

    References:
      Ruder, Dosovitskiy & Brox 2016, "Artistic Style Transfer for Videos", eq. 5 and 6 (Sundaram, Brox & Keutzer 2010).
    """
    slopes = jnp.stack(jnp.gradient(backward, axis=(0, 1)))
    boundary = jnp.sum(jnp.square(slopes), (0, -1))
    length = jnp.sum(jnp.square(backward), -1)
    returned, valid = warp(backward if forward is None else forward, backward)
    reliable = (valid > 0) & (boundary <= 0.01 * length + 0.002)
    if forward is not None:
        gap = jnp.sum(jnp.square(returned + backward), -1)
        reliable &= gap <= 0.01 * (jnp.sum(jnp.square(returned), -1) + length) + 0.5
    return reliable.astype(jnp.float32)


@jax.jit
def warp_to_next(
    previous: jax.Array, backward: jax.Array, forward: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Warps a frame to the next one.

    Args:
      previous: `[H, W, C]`.
      backward: Flow from the next frame to this one, as `consistency_mask` takes it.
      forward: Flow from this frame to the next one, or None.

    Returns:
      The expected next frame `[H, W, C]`, and its `consistency_mask` `[H, W]`.
    """
    return warp(previous, backward)[0], consistency_mask(backward, forward)
