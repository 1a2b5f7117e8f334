"""Image priors: penalties on a picture itself, whatever it shows."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def total_variation(images: jax.Array) -> jax.Array:
    """Squared total variation over a nine-point stencil: neighbours across, down and on both diagonals.

    Equal to crowsonkb/style-transfer-pytorch's `TVLoss`: the picture is padded by repeating its edge pixels,
    squared differences are averaged, straight ones weigh 2/3 and diagonal ones 1/6.

    Args:
      images: `[..., H, W, C]`, usually in [0, 1].

    Returns:
      `[...]`, non-negative.
    """
    ndim = images.ndim
    padded = jnp.pad(images, ((0, 0),) * (ndim - 3) + ((1, 1), (1, 1), (0, 0)), mode="edge")
    inner, down, across = padded[..., 1:-1, 1:-1, :], padded[..., 2:, 1:-1, :], padded[..., 1:-1, 2:, :]
    first, last = slice(None, -1), slice(1, None)
    falling = padded[..., last, last, :] - padded[..., first, first, :]
    rising = padded[..., last, first, :] - padded[..., first, last, :]

    def mean_square(difference: jax.Array) -> jax.Array:
        return jnp.mean(jnp.square(difference), (-3, -2, -1))

    straight = mean_square(across - inner) + mean_square(down - inner)
    return straight * (2 / 3) + (mean_square(falling) + mean_square(rising)) / 6


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
        # Not `jnp.abs`, whose derivative at zero is one: a flat picture would be pulled to one side.
        return jnp.sum(difference * jnp.sign(difference), (-3, -2, -1)) / count

    return mean_absolute(jnp.diff(images, axis=-3)) + mean_absolute(jnp.diff(images, axis=-2))
