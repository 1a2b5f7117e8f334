"""Synthetic optical flow: random fields that move a photo as a camera, or the objects before it, would."""

from __future__ import annotations

import jax
import jax.numpy as jnp

BEND_CELLS = 4  # a side, of the grid of the smooth warp


def random_motion(key: jax.Array, height: int, width: int, reach: float) -> jax.Array:
    """Draws a pan, a zoom and a smooth warp together, as a flow for `jaxstyle.ops.warping.warp`.

    Args:
      key: Typed PRNG key.
      height: Of the field, pixels.
      width: Of the field, pixels.
      reach: Largest displacement in pixels of each of the three: of the pan in either direction, of the zoom at the
        corners; the warp may go a little beyond.

    Returns:
      `[height, width, 2]` pixels, to the right and down.
    """
    pan_key, zoom_key, bend_key = jax.random.split(key, 3)
    rows = jnp.broadcast_to(jnp.linspace(-1, 1, height)[:, None], (height, width))
    columns = jnp.broadcast_to(jnp.linspace(-1, 1, width)[None, :], (height, width))
    half = jnp.array([width, height]) / jnp.hypot(width, height)  # by half the diagonal: corners move by 1
    outwards = jnp.stack([columns, rows], -1) * half.reshape(1, 1, 2)
    pan = jax.random.uniform(pan_key, (1, 1, 2), minval=-1.0)
    zoom = jax.random.uniform(zoom_key, minval=-1.0)
    grid = jax.random.uniform(bend_key, (BEND_CELLS, BEND_CELLS, 2), minval=-1.0)
    bend = jax.image.resize(grid, (height, width, 2), "cubic")
    return reach * (pan + zoom * outwards + bend)
