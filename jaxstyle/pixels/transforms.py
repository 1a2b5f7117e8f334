"""Random transformations under which a visualisation must hold; each step draws them anew.

A transform is a frozen dataclass called with pictures `[B, H, W, C]` and a key. All pictures of a call are moved
alike. Sizes of results do not depend on the key, so that a step is compiled once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

Transform = Callable[[jax.Array, jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class Pad:
    """A grey margin of `pixels` on every side, so that what lies beyond the frame is nothing to rely on."""

    pixels: int

    def __call__(self, pictures: jax.Array, key: jax.Array) -> jax.Array:
        margin = (self.pixels, self.pixels)
        return jnp.pad(pictures, ((0, 0), margin, margin, (0, 0)), constant_values=0.5)


@dataclasses.dataclass(frozen=True)
class Jitter:
    """A random crop that is `pixels` smaller in height and width."""

    pixels: int

    def __call__(self, pictures: jax.Array, key: jax.Array) -> jax.Array:
        batch, height, width, channels = pictures.shape
        row, column = jax.random.randint(key, (2,), 0, self.pixels + 1)
        size = (batch, height - self.pixels, width - self.pixels, channels)
        return jax.lax.dynamic_slice(pictures, (0, row, column, 0), size)


@dataclasses.dataclass(frozen=True)
class Roll:
    """A random circular shift of up to `pixels` both ways; None means any shift, so that the seams of tiles wander."""

    pixels: int | None = None

    def __call__(self, pictures: jax.Array, key: jax.Array) -> jax.Array:
        height, width = pictures.shape[1:3]
        reach = jnp.array([height // 2, width // 2] if self.pixels is None else [self.pixels] * 2)
        return jnp.roll(pictures, jax.random.randint(key, (2,), -reach, reach + 1), axis=(1, 2))


@dataclasses.dataclass(frozen=True)
class ScaleRotate:
    """A random scale and a random rotation about the centre, resampled once; beyond the frame it is mirrored.

    Attributes:
      scale: The factor is uniform in [1 - scale, 1 + scale].
      degrees: The angle is uniform in [-degrees, degrees].
    """

    scale: float = 0.0
    degrees: float = 0.0

    def __call__(self, pictures: jax.Array, key: jax.Array) -> jax.Array:
        scale, turn = jax.random.uniform(key, (2,), minval=-1, maxval=1)
        return affine(pictures, 1 + self.scale * scale, math.radians(self.degrees) * turn)


def affine(pictures: jax.Array, scale: jax.Array | float, angle: jax.Array | float) -> jax.Array:
    """Pictures enlarged and turned about their centre, bilinear, mirrored beyond the frame.

    Args:
      pictures: `[B, H, W, C]`.
      scale: Above 0; above 1 enlarges.
      angle: Radians, counter-clockwise.
    """
    batch, height, width, channels = pictures.shape
    rows = jnp.arange(height, dtype=jnp.float32)[:, None] - (height - 1) / 2
    columns = jnp.arange(width, dtype=jnp.float32)[None] - (width - 1) / 2
    cos, sin = jnp.cos(angle) / scale, jnp.sin(angle) / scale
    y = cos * rows + sin * columns + (height - 1) / 2
    x = cos * columns - sin * rows + (width - 1) / 2
    top, left = jnp.floor(y), jnp.floor(x)
    flat = pictures.reshape(batch, height * width, channels)
    total = jnp.zeros((), pictures.dtype)
    for down in (0, 1):
        for right in (0, 1):
            share = jnp.abs(1 - down - (y - top)) * jnp.abs(1 - right - (x - left))
            index = mirrored(top + down, height) * width + mirrored(left + right, width)
            total = total + flat[:, index] * share.astype(pictures.dtype)[None, :, :, None]
    return total


def mirrored(index: jax.Array, size: int) -> jax.Array:
    """Whole-number floats as indices in [0, size), reflected at the first and the last."""
    period = max(1, 2 * (size - 1))
    index = jnp.mod(index.astype(jnp.int32), period)
    return jnp.minimum(index, period - index)


def compose(transforms: Sequence[Transform], pictures: jax.Array, key: jax.Array) -> jax.Array:
    """All transforms one after another, each with a key of its own."""
    for i, transform in enumerate(transforms):
        pictures = transform(pictures, jax.random.fold_in(key, i))
    return pictures


def robust(pad: int, jitter: int, scale: float, degrees: float) -> tuple[Transform, ...]:
    """The transforms of a visualisation, as lucid orders them: pad, jitter, scale and rotate, jitter again.

    Args:
      pad: Pixels of margin.
      jitter: Pixels of the first crop; the second is half as large.
      scale: Largest relative change of size.
      degrees: Largest angle.
    """
    chosen: list[Transform] = [Pad(pad)] if pad else []
    if jitter:
        chosen.append(Jitter(jitter))
    if scale or degrees:
        chosen.append(ScaleRotate(scale, degrees))
    if jitter // 2:
        chosen.append(Jitter(jitter // 2))
    return tuple(chosen)
