"""Data augmentation on the device, inside the training step: every picture is changed by its own key."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.errors import JaxstyleError


def check_changes(options: Any, shape: tuple[int, ...]) -> None:
    """Raises `JaxstyleError` for a recipe's `augment` that does not suit pictures of `shape` `(H, W, C)`.

    That is a crop larger than the pictures, turns of what is no square, or a strength above 1.
    """
    (height, width, _), crop = shape, options.get("crop", 0)
    if crop > min(height, width):
        raise JaxstyleError(f"augment.crop is {crop}; it must be at most the pictures' {width}x{height} pixels")
    if options.get("turn") and not crop and height != width:
        way_out = ": set augment.crop" if "crop" in options else ""
        raise JaxstyleError(f"augment.turn needs squares, the pictures have {width}x{height} pixels{way_out}")
    if options.get("color", 0) > 1:
        raise JaxstyleError(f"augment.color is {options['color']:g}; it must be from 0 to 1")


def augment(
    images: jax.Array, keys: jax.Array, *, pad: int = 0, crop: int = 0, flip: bool = False, turn: bool = False
) -> jax.Array:
    """Crops, mirrors (He et al. 2016, arXiv 1512.03385, section 4.2) and turns pictures at random.

    Args:
      images: `[N, H, W, C]`, of any dtype.
      keys: `[N]`, one a picture.
      pad: Pixels of zeros around every picture, out of which `H × W` are then cropped at random.
      crop: Side in pixels of the squares that are cropped in place of `H × W`; 0 crops `H × W`.
      flip: Whether every second picture, at random, is mirrored left to right.
      turn: Whether every picture is turned by 0, 90, 180 or 270 degrees, each as often; it must be square.

    Returns:
      `[N, H, W, C]`, or `[N, crop, crop, C]`, of the same dtype.
    """

    def one(image: jax.Array, key: jax.Array) -> jax.Array:
        place, side, quarters = jax.random.split(key, 3)
        if pad or crop:
            size = (crop, crop) if crop else image.shape[:2]
            room = jnp.array(image.shape[:2]) - jnp.array(size) + 2 * pad
            top, left = jax.random.randint(place, (2,), 0, room + 1)
            padded = jnp.pad(image, ((pad, pad), (pad, pad), (0, 0)))
            image = lax.dynamic_slice(padded, (top, left, jnp.zeros_like(top)), (*size, image.shape[2]))
        if flip:
            image = jnp.where(jax.random.bernoulli(side), image[:, ::-1], image)
        if turn:
            number = jax.random.randint(quarters, (), 0, 4)
            image = jnp.where(number % 2 == 1, jnp.rot90(image), image)
            image = jnp.where(number >= 2, image[::-1, ::-1], image)
        return image

    return jax.vmap(one)(images, keys) if pad or crop or flip or turn else images


def augment_with_masks(images: jax.Array, masks: jax.Array, keys: jax.Array, **options: Any) -> Any:
    """Changes pictures `[N, H, W, C]` and their masks `[N, H, W]`, of the same dtype, alike; see `augment`."""
    both = augment(jnp.concatenate([images, masks[..., None]], -1), keys, **options)
    return both[..., :-1], both[..., -1]


def augment_clips(clips: jax.Array, keys: jax.Array, **options: Any) -> jax.Array:
    """Changes all frames of clips `[N, T, H, W, C]` alike; see `augment`."""
    count, frames, height, width, channels = clips.shape
    beside = jnp.moveaxis(clips, 1, 3).reshape(count, height, width, frames * channels)
    changed = augment(beside, keys, **options)
    return jnp.moveaxis(changed.reshape(*changed.shape[:3], frames, channels), 3, 1)


def shift_tones(pictures: jax.Array, keys: jax.Array, strength: float) -> jax.Array:
    """Jitters contrast and brightness of every picture, or clip, as a whole.

    Args:
      pictures: `[N, ..., C]` in [0, 1].
      keys: `[N]`, one a picture.
      strength: Contrast is multiplied by 1 - strength to 1 + strength about the picture's mean, then brightness moved
        by up to half of strength either way; from 0, which changes nothing, to 1.

    Returns:
      `[N, ..., C]`, clipped to [0, 1].
    """

    def one(picture: jax.Array, key: jax.Array) -> jax.Array:
        contrast, brightness = jax.random.uniform(key, (2,), picture.dtype, -strength, strength)
        mean = jnp.mean(picture)
        return jnp.clip((picture - mean) * (1 + contrast) + mean + brightness / 2, 0, 1)

    return jax.vmap(one)(pictures, keys)


def mixup(
    images: jax.Array, targets: jax.Array, keys: jax.Array, alpha: float, axis: str
) -> tuple[jax.Array, jax.Array]:
    """Blends every picture with the next of the global batch, and their targets likewise: `λ x + (1 - λ) x'`.

    Each picture has its own λ, from Beta(α, α) (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization",
    section 2). The order of the batch is random already, so the next picture is any picture.

    Args:
      images: `[N, H, W, C]` float, the share of this device.
      targets: `[N, C]` float, probabilities of classes.
      keys: `[N]`, one a picture.
      alpha: α, above 0; at 1 every λ is as likely, near 0 pictures are hardly blended.
      axis: Name of the mapped axis of devices.

    Returns:
      Pictures and targets of the same shapes.
    """
    share = jax.vmap(lambda key: jax.random.beta(key, alpha, alpha))(keys)

    def blended(own: jax.Array) -> jax.Array:
        part = share.reshape(-1, *(1,) * (own.ndim - 1)).astype(own.dtype)
        return part * own + (1 - part) * following(own, axis)

    return blended(images), blended(targets)


def following(own: jax.Array, axis: str) -> jax.Array:
    """The next example of the global batch for each of a device's `[N, ...]`, the first for the last."""
    count, everywhere = len(own), lax.all_gather(own, axis, tiled=True)
    return everywhere[(lax.axis_index(axis) * count + jnp.arange(count) + 1) % len(everywhere)]


def cutmix(
    images: jax.Array, targets: jax.Array, keys: jax.Array, alpha: float, axis: str
) -> tuple[jax.Array, jax.Array]:
    """Pastes a box of the next picture of the global batch into every picture, and blends their targets by its area.

    The box has the picture's shape and the share 1 - λ of its area, λ from Beta(α, α), and a centre anywhere in it;
    what lies outside is cut off (Yun et al. 2019, "CutMix: Regularization Strategy to Train Strong Classifiers with
    Localizable Features", algorithm A1). Arguments and results are those of `mixup`.
    """
    height, width = images.shape[1:3]

    def box(key: jax.Array) -> jax.Array:
        of_share, of_place = jax.random.split(key)
        side = jnp.sqrt(1 - jax.random.beta(of_share, alpha, alpha))
        y, x = jax.random.uniform(of_place, (2,))
        return inside(height, width, (y - side / 2) * height, (x - side / 2) * width, side * height, side * width)

    boxes = jax.vmap(box)(keys)
    share = jnp.mean(boxes.astype(targets.dtype), (1, 2))[:, None]
    mixed = jnp.where(boxes[..., None], following(images, axis), images)
    return mixed, (1 - share) * targets + share * following(targets, axis)


ERASED = (0.02, 0.4)  # least and largest share of a picture
LONGEST = 1 / 0.3  # of the sides of what is erased, the one over the other


def erase(images: jax.Array, keys: jax.Array, probability: float) -> jax.Array:
    """Replaces a rectangle of some pictures by noise: random erasing (Zhong et al. 2020, section 3, RE-R).

    Its area is uniform in `ERASED`, its aspect log-uniform up to `LONGEST` either way; sides end at the picture's.

    Args:
      images: `[N, H, W, C]` float in [0, 1].
      keys: `[N]`, one a picture.
      probability: Of a picture to be changed.

    Returns:
      `[N, H, W, C]`.
    """
    height, width = images.shape[1:3]

    def one(image: jax.Array, key: jax.Array) -> jax.Array:
        chosen, of_shape, of_place, of_noise = jax.random.split(key, 4)
        share, turn = jax.random.uniform(of_shape, (2,))
        area = (ERASED[0] + share * (ERASED[1] - ERASED[0])) * height * width
        aspect = LONGEST ** (2 * turn - 1)
        whole = jnp.array([height, width], jnp.float32)
        sides = jnp.minimum(jnp.sqrt(jnp.array([area * aspect, area / aspect])), whole)
        top, left = jax.random.uniform(of_place, (2,)) * (whole - sides)
        where = inside(height, width, top, left, *sides) & jax.random.bernoulli(chosen, probability)
        return jnp.where(where[..., None], jax.random.uniform(of_noise, image.shape, image.dtype), image)

    return jax.vmap(one)(images, keys)


def inside(height: int, width: int, top: Any, left: Any, rows: Any, columns: Any) -> jax.Array:
    """Whether the centres of pixels lie in a rectangle, bool `[height, width]`; its place and sides are in pixels."""
    y, x = jnp.arange(height) + 0.5, jnp.arange(width) + 0.5
    return ((y >= top) & (y < top + rows))[:, None] & ((x >= left) & (x < left + columns))[None, :]
