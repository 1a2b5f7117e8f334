"""The pool of older generated pictures from which a discriminator learns, too (Shrivastava et al. 2017)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.training import step


def exchange(pool: jax.Array, fakes: jax.Array, key: jax.Array, number: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Exchanges every second of the newest pictures, at random, for one of the pool; inside the devices' axis.

    The first pictures of a run fill the pool, and are seen as they are. Of a batch larger than the pool only so many
    pictures as the pool has are exchanged.

    Args:
      pool: `[P, H, W, C]`, the same on all devices.
      fakes: `[N, H, W, C]`, this device's share of the batch.
      key: Of the step and the domain, the same on all devices.
      number: Of the step, scalar.

    Returns:
      The pictures to see `[N, H, W, C]`, and the pool after the step, the same on all devices.
    """
    count, everywhere = len(fakes), lax.all_gather(fakes, step.AXIS, tiled=True)
    size, some = len(pool), min(len(pool), len(everywhere))
    draw, toss = jax.random.split(key)
    taken = jax.random.permutation(draw, size)[:some]
    tossed = jax.random.bernoulli(toss, shape=(some,))
    places = number * len(everywhere) + jnp.arange(some)  # of the pictures, among all of the run
    fills = places[0] < size
    slots = jnp.where(fills, places % size, taken)
    stored = jnp.where(fills, places < size, tossed).reshape(-1, 1, 1, 1)
    shown = jnp.where(~fills & tossed.reshape(-1, 1, 1, 1), pool[slots], everywhere[:some])
    pool = pool.at[slots].set(jnp.where(stored, everywhere[:some], pool[slots]))
    shown = jnp.concatenate([shown, everywhere[some:]])
    return lax.dynamic_slice_in_dim(shown, lax.axis_index(step.AXIS) * count, count), pool
