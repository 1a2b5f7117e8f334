"""RandAugment (Cubuk et al. 2020, arXiv 1909.13719): some of fourteen operations, at random, all of one magnitude.

Each operation is a warp, a table of values or a blend, of which the other two leave the picture alone, so that a step
costs one of each however the examples of a batch differ.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

OPERATIONS = (
    *("identity", "autocontrast", "equalize", "posterize", "solarize", "brightness", "contrast"),
    *("color", "sharpness", "rotate", "shear_x", "shear_y", "translate_x", "translate_y"),
)
"""Names of the paper's operations."""
HIGHEST = 10  # magnitude
ANGLE, SHEAR, SHIFT, FACTOR, BITS = math.pi / 6, 0.3, 150 / 331, 0.9, 4  # at that magnitude, as torchvision's are
GREY = 128  # what comes in from outside
LUMA = (0.299, 0.587, 0.114)


def rand_augment(images: jax.Array, keys: jax.Array, count: int, magnitude: float) -> jax.Array:
    """Changes every picture by `count` operations, each drawn out of all, forth or back.

    Args:
      images: `[N, H, W, C]` uint8.
      keys: `[N]`, one a picture.
      count: Operations a picture.
      magnitude: From 0, which changes hardly anything, to `HIGHEST`.

    Returns:
      `[N, H, W, C]` uint8.
    """

    def one(image: jax.Array, key: jax.Array) -> jax.Array:
        for number in range(count):
            of_operation, of_sign = jax.random.split(jax.random.fold_in(key, number))
            operation = jax.random.randint(of_operation, (), 0, len(OPERATIONS))
            image = changed(image, operation, jax.random.rademacher(of_sign, (), jnp.float32) * magnitude / HIGHEST)
        return image

    return jax.vmap(one)(images, keys)


def changed(image: jax.Array, operation: jax.Array, strength: jax.Array) -> jax.Array:
    """Changes a picture `[H, W, C]` uint8 by an operation, the number of a name, of strength -1 to 1; as Pillow does.

    Values of the operations without a direction (`posterize`, `solarize`) are those of the strength's size.
    """
    chosen = {name: operation == number for number, name in enumerate(OPERATIONS)}
    share = {name: jnp.where(is_it, strength, 0) for name, is_it in chosen.items()}
    warped = warp(image, share)
    tables = jax.vmap(lambda channel: table(channel, chosen, jnp.abs(strength)), in_axes=2)(warped)
    looked_up = jax.vmap(lambda values, channel: values[channel.astype(jnp.int32)], (0, 2), 2)(tables, warped)
    return blend(looked_up, chosen, strength)


def warp(image: jax.Array, share: dict[str, jax.Array]) -> jax.Array:
    """Turns, shears or shifts a picture about its centre, to the nearest pixels."""
    height, width, _ = image.shape
    y, x = jnp.meshgrid(jnp.arange(height) + 0.5 - height / 2, jnp.arange(width) + 0.5 - width / 2, indexing="ij")
    angle = ANGLE * share["rotate"]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    across = cos * x + (sin + SHEAR * share["shear_x"]) * y + SHIFT * width * share["translate_x"]
    down = cos * y + (SHEAR * share["shear_y"] - sin) * x + SHIFT * height * share["translate_y"]
    column, row = (jnp.floor(place).astype(jnp.int32) for place in (across + width / 2, down + height / 2))
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    taken = image[jnp.clip(row, 0, height - 1), jnp.clip(column, 0, width - 1)]
    return jnp.where(inside[..., None], taken, jnp.asarray(GREY, image.dtype))


def table(channel: jax.Array, chosen: dict[str, jax.Array], strength: jax.Array) -> jax.Array:
    """The new value `[256]` uint8 of every value of a channel `[H, W]`."""
    values = jnp.arange(256)
    counts = jnp.zeros(256, jnp.int32).at[channel.reshape(-1).astype(jnp.int32)].add(1)
    low, high = jnp.argmax(counts > 0), 255 - jnp.argmax(counts[::-1] > 0)
    spread = (values - low) * (255 / jnp.maximum(high - low, 1).astype(jnp.float32))
    step = (jnp.sum(counts) - counts[high]) // 255
    ranks = (step // 2 + jnp.cumsum(counts) - counts) // jnp.maximum(step, 1)
    mask = 255 << jnp.round(BITS * strength).astype(jnp.int32)
    new = jnp.where(chosen["autocontrast"] & (high > low), jnp.floor(spread + 1e-3).astype(jnp.int32), values)
    new = jnp.where(chosen["equalize"] & (step > 0), ranks, new)
    new = jnp.where(chosen["posterize"], values & mask, new)
    new = jnp.where(chosen["solarize"] & (values >= 256 * (1 - strength)), 255 - values, new)
    return jnp.clip(new, 0, 255).astype(jnp.uint8)


def blend(image: jax.Array, chosen: dict[str, jax.Array], strength: jax.Array) -> jax.Array:
    """Draws a picture nearer to, or further from, black, its mean, its grey or its blur."""
    pixels = image.astype(jnp.float32)
    grey = pixels @ jnp.array(LUMA) if image.shape[-1] == 3 else jnp.mean(pixels, -1)
    near = jnp.where(chosen["contrast"], jnp.round(jnp.mean(jnp.round(grey))), 0)
    near = jnp.where(chosen["color"], jnp.round(grey)[..., None], near)
    near = jnp.where(chosen["sharpness"], smooth(pixels), near)
    moves = chosen["brightness"] | chosen["contrast"] | chosen["color"] | chosen["sharpness"]
    mixed = near + (1 + jnp.where(moves, FACTOR * strength, 0)) * (pixels - near)
    return jnp.where(moves, jnp.clip(mixed, 0, 255).astype(jnp.uint8), image)


def smooth(pixels: jax.Array) -> jax.Array:
    """Pillow's `SMOOTH`: the mean of 3 × 3 pixels, the middle five times; those at the edges stay."""
    height, width, _ = pixels.shape
    around = sum(pixels[i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3))
    middle = jnp.round((around + 4 * pixels[1:-1, 1:-1]) / 13)
    return pixels.at[1:-1, 1:-1].set(middle)
