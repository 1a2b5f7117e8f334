"""Random training views: crops of photos in changed colours, procedural textures, and blends of the two.

Every function works on one example with its own key; `vmap` it. No example depends on another, so that a batch is the
same on one device and on many.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

LEAST_SIDE = 0.3  # of a crop, relative to the side of the picture
NOISE_CELLS = 24  # a side, of the grid from which smooth noise is enlarged
GREY = (0.299, 0.587, 0.114)  # Rec. 601 luma


def random_view(key: jax.Array, picture: jax.Array, size: int) -> jax.Array:
    """Draws a view of a photo `[S, S, 3]` in [0, 1]: a crop, a procedural texture, or a blend of the two.

    Returns `[size, size, 3]` float32 in [0, 1].
    """
    crop_key, texture_key, mask_key, choice_key, share_key = jax.random.split(key, 5)
    texture = random_texture(texture_key, size)
    edge_key, noise_key = jax.random.split(mask_key)
    edge = jax.nn.sigmoid(smooth_noise(noise_key, size, 1) * log_uniform(edge_key, 2.0, 60.0))
    share = jax.random.uniform(share_key)
    # Of ten views six are the photo alone, two have texture in places, one is blended all over, one is texture alone.
    masks = jnp.stack([jnp.zeros_like(edge), edge, jnp.full_like(edge, share), jnp.ones_like(edge)])
    mask = masks[jnp.searchsorted(jnp.array([0.6, 0.8, 0.9]), jax.random.uniform(choice_key))]
    return random_crop(crop_key, picture, size) * (1 - mask) + texture * mask


def random_crop(key: jax.Array, picture: jax.Array, size: int) -> jax.Array:
    """Crops a square of random place and side, mirrors every second one and changes its colours; see `random_view`."""
    side_key, place_key, flip_key, color_key = jax.random.split(key, 4)
    whole = picture.shape[0]
    side = whole * log_uniform(side_key, LEAST_SIDE, 1.0)
    place = jax.random.uniform(place_key, (2,)) * (whole - side)
    scale = size / side
    crop = jax.image.scale_and_translate(
        picture, (size, size, 3), (0, 1), jnp.stack([scale, scale]), -place * scale, method="linear"
    )
    crop = jnp.where(jax.random.bernoulli(flip_key), crop[:, ::-1], crop)
    return random_colors(color_key, crop)


def random_colors(key: jax.Array, picture: jax.Array) -> jax.Array:
    """Jitters saturation, contrast, brightness and, a little, hue; half of the pictures stay as they are."""
    saturation, contrast, brightness, mixing, choice = jax.random.split(key, 5)
    grey = jnp.broadcast_to(jnp.array(GREY)[:, None], (3, 3))
    matrix = grey + jax.random.uniform(saturation, (), minval=0.3, maxval=1.8) * (jnp.eye(3) - grey)
    matrix = matrix @ (jnp.eye(3) + 0.15 * jax.random.normal(mixing, (3, 3)))
    changed = (picture - 0.5) @ (matrix * jax.random.uniform(contrast, (), minval=0.5, maxval=1.6)) + 0.5
    changed = jnp.clip(changed + jax.random.uniform(brightness, (), minval=-0.2, maxval=0.2), 0.0, 1.0)
    return jnp.where(jax.random.bernoulli(choice), changed, picture)


def random_texture(key: jax.Array, size: int) -> jax.Array:
    """Draws strokes of two colours, warped, under noise of a random grain: `[size, size, 3]` in [0, 1]."""
    keys = jax.random.split(key, 8)
    angle = jax.random.uniform(keys[0], maxval=jnp.pi)
    wave = log_uniform(keys[1], 2.5, 40.0)  # pixels a period
    rows, columns = jnp.meshgrid(jnp.arange(size), jnp.arange(size), indexing="ij")
    along = rows * jnp.sin(angle) + columns * jnp.cos(angle)
    bend = smooth_noise(keys[2], size, 1)[..., 0] * jax.random.uniform(keys[3], maxval=2.0)
    hardness = log_uniform(keys[4], 1.0, 30.0)
    share = jax.nn.sigmoid(hardness * jnp.sin(2 * jnp.pi * (along / wave + bend)))[..., None]
    first, second = jax.random.uniform(keys[5], (2, 1, 1, 3))
    grain_key, strength_key = jax.random.split(keys[7])
    grain = smooth_noise(grain_key, size, 3, least=0.5) * jax.random.uniform(strength_key, maxval=0.25)
    shade = 0.15 * smooth_noise(keys[6], size, 3)
    return jnp.clip(first * share + second * (1 - share) + grain + shade, 0.0, 1.0)


def smooth_noise(key: jax.Array, size: int, channels: int, least: float = 4.0) -> jax.Array:
    """Draws normal noise on a grid of random pitch, from `least` pixels to half the picture, smoothly enlarged.

    Returns:
      `[size, size, channels]`, of mean 0 and deviation about 1.
    """
    pitch_key, noise_key, place_key = jax.random.split(key, 3)
    cells = max(NOISE_CELLS, int(size / least) + 2)
    noise = jax.random.normal(noise_key, (cells, cells, channels))
    pitch = log_uniform(pitch_key, least, size / 2)
    scale, place = jnp.stack([pitch, pitch]), jax.random.uniform(place_key, (2,)) * pitch
    return jax.image.scale_and_translate(noise, (size, size, channels), (0, 1), scale, -place, method="cubic")


def log_uniform(key: jax.Array, low: float, high: float) -> jax.Array:
    """Draws a number between `low` and `high` whose logarithm is uniform."""
    return jnp.exp(jax.random.uniform(key, minval=jnp.log(low), maxval=jnp.log(high)))
