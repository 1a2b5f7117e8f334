"""Laplacian pyramids: a picture split into frequency octaves, which sum to it exactly."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxstyle.ops.resampling import resize_image

LEAST_SIDE = 8
"""The shorter side of the coarsest level is at least half this, in pixels."""


def split(image: jax.Array, levels: int) -> tuple[jax.Array, ...]:
    """Splits a picture into octaves, finest first; `merge` is the inverse.

    Every level is the difference between the picture and itself shrunk to half its size and enlarged again; the next
    level splits the shrunk picture, and the last one is that picture itself. Pictures that are too small (see
    `LEAST_SIDE`) have fewer levels than asked for.

    Args:
      image: `[..., H, W, C]`.
      levels: Largest number of levels.

    Returns:
      Level l is `[..., ceil(H / 2^l), ceil(W / 2^l), C]`.

    References:
      Burt & Adelson 1983, "The Laplacian Pyramid as a Compact Image Code".
    """
    bands: list[jax.Array] = []
    while len(bands) + 1 < levels and min(image.shape[-3:-1]) >= LEAST_SIDE:
        height, width = image.shape[-3:-1]
        coarse = resize_image(image, -(-height // 2), -(-width // 2), "linear")
        bands.append(image - resize_image(coarse, height, width, "linear"))
        image = coarse
    return (*bands, image)


def merge(bands: tuple[jax.Array, ...]) -> jax.Array:
    """Merges octaves, finest first, to the picture `[..., H, W, C]`."""
    image = bands[-1]
    for band in bands[-2::-1]:
        height, width = band.shape[-3:-1]
        image = band + resize_image(image, height, width, "linear")
    return image


def blur(image: jax.Array, sigma: float) -> jax.Array:
    """Blurs pictures `[..., H, W, C]` by a Gaussian of standard deviation `sigma` pixels; edges are repeated."""
    if sigma == 0:
        return image
    radius = max(1, round(3 * sigma))
    kernel = jnp.exp(-0.5 * jnp.square(jnp.arange(-radius, radius + 1) / sigma))
    kernel = (kernel / kernel.sum()).astype(image.dtype)
    for axis in (image.ndim - 3, image.ndim - 2):
        length = image.shape[axis]
        padded = jnp.pad(image, [(radius, radius) if i == axis else (0, 0) for i in range(image.ndim)], mode="edge")
        shifted = [jax.lax.slice_in_dim(padded, i, i + length, axis=axis) for i in range(2 * radius + 1)]
        image = sum((weight * part for weight, part in zip(kernel, shifted, strict=True)), jnp.zeros_like(image))
    return image
