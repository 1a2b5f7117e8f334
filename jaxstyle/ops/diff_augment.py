"""Differentiable augmentation of real and generated pictures, for discriminators with few training examples.

References:
  Zhao, Liu, Lin, Zhu & Han 2020, "Differentiable Augmentation for Data-Efficient GAN Training", section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError, did_you_mean

SHIFT = 1 / 8
"""Largest translation, as a share of the picture's side, rounded to whole pixels."""
CUT = 1 / 2
"""Side of the cut-out, as a share of the picture's side."""


def color(image: jax.Array, key: jax.Array) -> jax.Array:
    """Shifts brightness by ±0.5, then scales saturation by 0 to 2, then contrast by 0.5 to 1.5."""
    brightness, saturation, contrast = jax.random.uniform(key, (3,), image.dtype)
    image = image + (brightness - 0.5)
    luminance = jnp.mean(image, -1, keepdims=True)
    image = luminance + (image - luminance) * (2 * saturation)
    mean = jnp.mean(image)
    return mean + (image - mean) * (0.5 + contrast)


def translation(image: jax.Array, key: jax.Array) -> jax.Array:
    """Translates by whole pixels, across and down, with zeros beyond the border.

    It multiplies by shifted identity matrices: gathers and their gradients, scatters, are slow on accelerators.
    """

    def shifted_identity(side: int, key: jax.Array) -> jax.Array:
        limit = int(side * SHIFT + 0.5)
        sources = jnp.arange(side) - jax.random.randint(key, (), -limit, limit + 1)
        return jax.nn.one_hot(sources, side, dtype=image.dtype)

    height, width, _ = image.shape
    down, across = (jax.random.fold_in(key, i) for i in range(2))
    rows, columns = shifted_identity(height, down), shifted_identity(width, across)
    return jnp.einsum("ih,hwc,jw->ijc", rows, image, columns)


def cutout(image: jax.Array, key: jax.Array) -> jax.Array:
    """Zeroes a rectangle of half the picture's sides, centred anywhere in the picture."""

    def outside(side: int, key: jax.Array) -> jax.Array:
        length = int(side * CUT + 0.5)
        first = jax.random.randint(key, (), 0, side + 1 - length % 2) - length // 2
        return (jnp.arange(side) < first) | (jnp.arange(side) >= first + length)

    height, width, _ = image.shape
    down, across = (jax.random.fold_in(key, i) for i in range(2))
    kept = outside(height, down)[:, None] | outside(width, across)[None]
    return image * kept[..., None].astype(image.dtype)


AUGMENTATIONS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}


def check_policy(policy: Sequence[str]) -> None:
    """Checks the names of augmentations.

    Raises:
      JaxstyleError: A name is not in `AUGMENTATIONS`.
    """
    for name in policy:
        if name not in AUGMENTATIONS:
            raise JaxstyleError(f"unknown augmentation {name!r}; {did_you_mean(name, AUGMENTATIONS)}")


def diff_augment(images: jax.Array, keys: jax.Array, policy: Sequence[str]) -> jax.Array:
    """Augments every picture at random; differentiable in the pictures.

    Args:
      images: `[N, H, W, C]` in [-1, 1].
      keys: `[N]` typed PRNG keys, one a picture.
      policy: Names in `AUGMENTATIONS`, in the order in which they are applied.

    Returns:
      Same shape and dtype; colours may leave [-1, 1].

    Raises:
      JaxstyleError: An unknown augmentation.
    """
    check_policy(policy)
    for number, name in enumerate(policy):
        own = jax.vmap(lambda key, number=number: jax.random.fold_in(key, number))(keys)
        images = jax.vmap(AUGMENTATIONS[name])(images, own)
    return images
