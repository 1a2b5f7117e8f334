"""Pictures changed at random on the device, as part of the training step: each by its own key."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def augment(images: jax.Array, keys: jax.Array, *, pad: int = 0, flip: bool = False) -> jax.Array:
    """Random crops and mirrorings (He et al. 2016, arXiv 1512.03385, section 4.2).

    Args:
      images: `[N, H, W, C]`, of any dtype.
      keys: `[N]`, one a picture.
      pad: Pixels of zeros put around every picture, out of which `H × W` are then cut at random.
      flip: Whether every second picture, at random, is mirrored left to right.

    Returns:
      `[N, H, W, C]` of the same dtype.
    """

    def one(image: jax.Array, key: jax.Array) -> jax.Array:
        place, side = jax.random.split(key)
        if pad:
            top, left = jax.random.randint(place, (2,), 0, 2 * pad + 1)
            padded = jnp.pad(image, ((pad, pad), (pad, pad), (0, 0)))
            image = jax.lax.dynamic_slice(padded, (top, left, jnp.zeros_like(top)), image.shape)
        return jnp.where(jax.random.bernoulli(side), image[:, ::-1], image) if flip else image

    return jax.vmap(one)(images, keys) if pad or flip else images
