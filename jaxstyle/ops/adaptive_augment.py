"""Augmentation of pictures by random affine maps of place and colour, with a probability that adapts to overfitting.

The discriminator gets real and generated pictures so augmented. As long as the probability of each map is well below 1
the generator learns pictures without them. Pictures are sampled bilinearly, where the paper filters them by wavelets.

References:
  Karras, Aittala, Hellsten, Laine, Lehtinen & Aila 2020, "Training Generative Adversarial Networks with Limited Data",
  section 3 and appendix B: pixel blitting, general geometry and colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

SHIFT, SCALE, SLIDE = 0.125, 0.2, 0.125  # of sides, at most; deviation of log2; of sides, deviation
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.5, 1.0  # deviations; of log2 those of the latter two
SMOOTHING = 0.75
"""Weight of earlier steps in the mean sign of real logits; the paper takes four minibatches at a time."""


class Geometry(NamedTuple):
    """Affine maps of place, in the order in which they are applied to the picture; zeros or ones change nothing.

    Attributes:
      mirror: 1, or -1 to mirror left and right.
      turn: Quarter turns.
      shift: `[2]`, whole pixels right and down.
      scale: Factor.
      first: Rotation, radians.
      stretch: Factor across, and divisor down.
      second: Rotation, radians.
      slide: `[2]`, pixels right and down.
    """

    mirror: Any
    turn: Any
    shift: Any
    scale: Any
    first: Any
    stretch: Any
    second: Any
    slide: Any


class Color(NamedTuple):
    """Affine maps of colour, in the order in which they are applied.

    Attributes:
      brightness: Summand.
      contrast: Factor.
      flip: 1 to mirror luminance, else 0.
      hue: Rotation about the axis of greys, radians.
      saturation: Factor.
    """

    brightness: Any
    contrast: Any
    flip: Any
    hue: Any
    saturation: Any


def drawn(key: jax.Array, p: jax.Array, sides: Sequence[int]) -> tuple[Geometry, Color]:
    """Draws the maps of one picture of `(width, height)` pixels, each with probability `p`."""
    gate, even, normal = (jax.random.fold_in(key, i) for i in range(3))
    chances = jnp.full(13, p).at[jnp.array([4, 6])].set(1 - jnp.sqrt(jnp.maximum(1 - p, 0)))  # either of two rotations
    on = (jax.random.uniform(gate, (13,)) < chances).astype(jnp.float32)
    u, n, size = jax.random.uniform(even, (10,)), jax.random.normal(normal, (8,)), jnp.array(sides, jnp.float32)
    shift = jnp.round((2 * u[2:4] - 1) * SHIFT * size)
    geometry = Geometry(
        mirror=1 - 2 * on[0] * jnp.floor(2 * u[0]),
        turn=on[1] * jnp.floor(4 * u[1]),
        shift=on[2] * shift,
        scale=jnp.exp2(on[3] * SCALE * n[0]),
        first=on[4] * jnp.pi * (2 * u[4] - 1),
        stretch=jnp.exp2(on[5] * SCALE * n[1]),
        second=on[6] * jnp.pi * (2 * u[5] - 1),
        slide=on[7] * SLIDE * n[2:4] * size,
    )
    color = Color(
        brightness=on[8] * BRIGHTNESS * n[4],
        contrast=jnp.exp2(on[9] * CONTRAST * n[5]),
        flip=on[10] * jnp.floor(2 * u[6]),
        hue=on[11] * jnp.pi * (2 * u[7] - 1),
        saturation=jnp.exp2(on[12] * SATURATION * n[6]),
    )
    return geometry, color


def geometric_matrix(maps: Geometry) -> jax.Array:
    """The inverse of all maps of place, `[3, 3]`: `(x, y, 1)` from the result's centre -> from the picture's."""

    def scaled(x: Any, y: Any) -> jax.Array:
        return jnp.diag(jnp.stack([1 / x, 1 / y, jnp.float32(1)]))

    def moved(by: Any) -> jax.Array:
        return jnp.eye(3).at[:2, 2].set(-by)

    def rotated(angle: Any) -> jax.Array:
        cosine, sine = jnp.cos(angle), jnp.sin(angle)
        return jnp.eye(3).at[:2, :2].set(jnp.array([[cosine, sine], [-sine, cosine]]))

    matrix = scaled(maps.mirror, jnp.float32(1)) @ rotated(jnp.pi / 2 * maps.turn) @ moved(maps.shift)
    matrix = matrix @ scaled(maps.scale, maps.scale) @ rotated(maps.first) @ scaled(maps.stretch, 1 / maps.stretch)
    return matrix @ rotated(maps.second) @ moved(maps.slide)


def color_matrix(maps: Color) -> jax.Array:
    """All maps of colour, `[3, 4]`: `(r, g, b, 1)` -> `(r, g, b)`."""
    grey = jnp.full((3, 3), 1 / 3)  # the projection onto greys
    across = jnp.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / jnp.sqrt(3.0)  # the vector product with their axis
    hue = grey + jnp.cos(maps.hue) * (jnp.eye(3) - grey) + jnp.sin(maps.hue) * across
    linear = (grey + maps.saturation * (jnp.eye(3) - grey)) @ hue @ (jnp.eye(3) - 2 * maps.flip * grey) * maps.contrast
    return jnp.concatenate([linear, linear @ jnp.full((3, 1), maps.brightness)], 1)


def sampled(image: jax.Array, matrix: jax.Array) -> jax.Array:
    """A picture `[H, W, C]` whose places are those of `matrix`, see `geometric_matrix`; mirrored beyond its border."""
    height, width, _ = image.shape
    center = jnp.array([width - 1, height - 1], jnp.float32) / 2
    x, y = (jnp.arange(side, dtype=jnp.float32) - (side - 1) / 2 for side in (width, height))
    places = jnp.stack(jnp.meshgrid(x, y), -1) @ matrix[:2, :2].T + (matrix[:2, 2] + center)[None, None]
    before = jnp.floor(places)
    share = (places - before)[..., None].astype(image.dtype)

    def pixels(right: int, down: int) -> jax.Array:
        rows = mirrored(before[..., 1].astype(jnp.int32) + down, height)
        return image[rows, mirrored(before[..., 0].astype(jnp.int32) + right, width)]

    across, down = share[:, :, 0], share[:, :, 1]
    upper = pixels(0, 0) * (1 - across) + pixels(1, 0) * across
    lower = pixels(0, 1) * (1 - across) + pixels(1, 1) * across
    return upper * (1 - down) + lower * down


def mirrored(places: jax.Array, size: int) -> jax.Array:
    """Indices of pixels, those beyond the border mirrored at it, again and again."""
    places = places % (2 * size)
    return jnp.where(places < size, places, 2 * size - 1 - places)


def recolored(image: jax.Array, matrix: jax.Array) -> jax.Array:
    """A picture `[H, W, C]` in other colours; one that is not of three channels keeps brightness and contrast alone."""
    matrix = matrix.astype(image.dtype)
    if image.shape[-1] == 3:
        return image @ matrix[:, :3].T + matrix[:, 3][None, None]
    mean = jnp.mean(matrix, 0)
    return image * jnp.sum(mean[:3]) + mean[3]


def adaptive_augment(images: jax.Array, keys: jax.Array, p: jax.Array) -> jax.Array:
    """Augments every picture by the maps that its key draws; linear in the pictures but for a constant.

    Args:
      images: `[N, H, W, C]` in [-1, 1].
      keys: `[N]` typed PRNG keys, one a picture.
      p: `[N]`, probability of each map.

    Returns:
      Same shape and dtype; colours may leave [-1, 1].
    """

    def one(image: jax.Array, key: jax.Array, p: jax.Array) -> jax.Array:
        geometry, color = drawn(key, p, (image.shape[1], image.shape[0]))
        return recolored(sampled(image, geometric_matrix(geometry)), color_matrix(color))

    return jax.vmap(one)(images, keys, p)


def adapted(state: dict[str, jax.Array], sign: jax.Array, target: float, share: float) -> dict[str, jax.Array]:
    """The state after a step: the probability goes up where real pictures are told too surely, else down.

    Args:
      state: `p` in [0, 1], and `sign`, the mean sign of real pictures' logits over the last steps.
      sign: That of this step's minibatch.
      target: Of the sign; the paper has .6.
      share: By which the probability changes: examples of a step over those in which it may go from 0 to 1.
    """
    mean = SMOOTHING * state["sign"] + (1 - SMOOTHING) * sign
    return {"p": jnp.clip(state["p"] + share * jnp.sign(mean - target), 0, 1), "sign": mean}
