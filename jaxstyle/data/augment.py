"""Pictures changed at random on the device, as part of the training step: each by its own key."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax


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
            image = lax.dynamic_slice(padded, (top, left, jnp.zeros_like(top)), image.shape)
        return jnp.where(jax.random.bernoulli(side), image[:, ::-1], image) if flip else image

    return jax.vmap(one)(images, keys) if pad or flip else images


def mixup(
    images: jax.Array, targets: jax.Array, keys: jax.Array, alpha: float, axis: str
) -> tuple[jax.Array, jax.Array]:
    """Every picture blended with the next of the global batch, and its target likewise: `λ x + (1 - λ) x'`.

    Each picture has its own λ, from Beta(α, α) (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization",
    section 2). The order of the batch is random already, so the next picture is any picture.

    Args:
      images: `[N, H, W, C]` float, this device's.
      targets: `[N, C]` float, probabilities of classes.
      keys: `[N]`, one a picture.
      alpha: α, above 0; at 1 every λ is as likely, near 0 hardly anything is blended.
      axis: Name of the devices' axis, inside of which this is called.

    Returns:
      Pictures and targets of the same shapes.
    """
    share = jax.vmap(lambda key: jax.random.beta(key, alpha, alpha))(keys)

    def blended(own: jax.Array) -> jax.Array:
        count, everywhere = len(own), lax.all_gather(own, axis, tiled=True)
        following = (lax.axis_index(axis) * count + jnp.arange(count) + 1) % len(everywhere)
        part = share.reshape(-1, *(1,) * (own.ndim - 1)).astype(own.dtype)
        return part * own + (1 - part) * everywhere[following]

    return blended(images), blended(targets)
