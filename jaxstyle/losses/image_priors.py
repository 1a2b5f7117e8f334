"""Image priors: total variation penalties."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def total_variation(images: jax.Array, *, periodic: bool = False) -> jax.Array:
    """Squared total variation over a nine-point stencil: neighbours across, down and on both diagonals.

    Equal to crowsonkb/style-transfer-pytorch's `TVLoss`: the picture is padded by repeating its edge pixels, squared
    differences are averaged, straight ones with weight 2/3 and diagonal ones with weight 1/6.

    Args:
      images: `[..., H, W, C]`, usually in [0, 1].
      periodic: Whether opposite edges are neighbours; else edge pixels are repeated.

    Returns:
      `[...]`, non-negative.
    """
    if periodic:
        return periodic_total_variation(images)
    *leading, height, width, channels = images.shape
    rows = images.reshape(*leading, height, width * channels)  # wide planes are faster on CPUs
    left, right = rows[..., :-channels], rows[..., channels:]
    across, down = right - left, jnp.diff(rows, axis=-2)
    falling, rising = right[..., 1:, :] - left[..., :-1, :], left[..., 1:, :] - right[..., :-1, :]
    # Beyond the edge, where pixels repeat, straight differences are zero and diagonal ones run along the border.
    border = square_sum(across[..., :1, :]) + square_sum(across[..., -1:, :])
    border += square_sum(down[..., :channels]) + square_sum(down[..., -channels:])
    straight = (square_sum(across) + square_sum(down)) / (height * width * channels)
    diagonal = square_sum(falling) + square_sum(rising) + 2 * border
    return straight * (2 / 3) + diagonal / (6 * (height + 1) * (width + 1) * channels)


def periodic_total_variation(images: jax.Array) -> jax.Array:
    """`total_variation` with opposite edges as neighbours."""
    right = jnp.roll(images, -1, -2)
    below, below_right = jnp.roll(images, -1, -3), jnp.roll(right, -1, -3)

    def mean_square(difference: jax.Array) -> jax.Array:
        return jnp.mean(jnp.square(difference), (-3, -2, -1))

    straight = mean_square(right - images) + mean_square(below - images)
    diagonal = mean_square(below_right - images) + mean_square(below - right)
    return straight * (2 / 3) + diagonal / 6


def square_sum(difference: jax.Array) -> jax.Array:
    """Sum of squares over the last two axes."""
    return jnp.sum(jnp.square(difference), (-2, -1))


def total_variation_l1(images: jax.Array) -> jax.Array:
    """Anisotropic total variation: mean absolute difference of neighbours across plus the same down.

    Rudin, Osher & Fatemi 1992 in its anisotropic form. neural-style-pt's `TVLoss` is the two sums in place of the
    two means; neural-style's is half the sum of squared differences, an L2 penalty (see `total_variation`).

    Args:
      images: `[..., H, W, C]`, usually in [0, 1].

    Returns:
      `[...]`, non-negative; a picture one pixel high (wide) has no differences down (across).
    """

    def mean_absolute(difference: jax.Array) -> jax.Array:
        count = max(1, difference.shape[-3] * difference.shape[-2] * difference.shape[-1])
        # Not `jnp.abs`, whose derivative at 0 is 1: a flat picture would have a gradient.
        return jnp.sum(difference * jnp.sign(difference), (-3, -2, -1)) / count

    return mean_absolute(jnp.diff(images, axis=-3)) + mean_absolute(jnp.diff(images, axis=-2))
