"""Convolution, pooling and dense layers as pure functions.

Pictures are `[N, H, W, C]`, kernels `[height, width, C, D]`, the layout that XLA has on every device.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

Padding = str | Sequence[tuple[int, int]]


def convolution(
    x: jax.Array, kernel: jax.Array, bias: jax.Array | None = None, *, stride: int = 1, padding: Padding = "SAME"
) -> jax.Array:
    """`y[n, i, j, d] = b[d] + Σ_{u,v,c} x[n, s i + u - top, s j + v - left, c] · k[u, v, c, d]`.

    This is the cross-correlation that neural networks call convolution; outside the picture x is 0.

    Args:
      x: `[N, H, W, C]`.
      kernel: `[h, w, C, D]`, of the same dtype.
      bias: `[D]`, of the same dtype; None adds nothing.
      stride: s, in pixels.
      padding: Pixels of zeros around the picture: `"SAME"`, so that the result has ⌈H / s⌉ × ⌈W / s⌉ pixels, `"VALID"`,
        none, or `((top, bottom), (left, right))`.

    Returns:
      `[N, H', W', D]`.
    """
    y = lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y if bias is None else y + bias.reshape(1, 1, 1, -1)


def dense(x: jax.Array, kernel: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """`y[n, d] = b[d] + Σ_c x[n, c] · k[c, d]`.

    Args:
      x: `[..., C]`.
      kernel: `[C, D]`.
      bias: `[D]`; None adds nothing.

    Returns:
      `[..., D]`.
    """
    y = x @ kernel
    return y if bias is None else y + jnp.broadcast_to(bias, y.shape)


def average_pool(x: jax.Array, size: int = 2) -> jax.Array:
    """`y[n, i, j, c] = 1/s² · Σ_{u,v < s} x[n, s i + u, s j + v, c]`; rows and columns left over are dropped.

    Args:
      x: `[N, H, W, C]`, at least `size` pixels a side.
      size: s, the side of a window and the step to the next, in pixels.

    Returns:
      `[N, H/s, W/s, C]`.
    """
    return sum(windows(x, size)) / size**2  # type: ignore[return-value]


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_pool(x: jax.Array, size: int = 2) -> jax.Array:
    """`y[n, i, j, c] = max_{u,v < s} x[n, s i + u, s j + v, c]`; rows and columns left over are dropped.

    It takes slices, not a window reduction, whose gradient (select-and-scatter) costs some 10 % of a whole VGG step on
    CPU. The forward pass stores the index of the first maximum in reading order, one byte a window, and the gradient
    goes there, as in PyTorch (measured: 3 to 6 % of a whole VGG-19 step on CPU against autodiff, which compares again).

    Args:
      x: `[N, H, W, C]`, at least `size` pixels a side.
      size: s, the side of a window and the step to the next, in pixels, at most 16.

    Returns:
      `[N, H/s, W/s, C]`.
    """
    return largest(windows(x, size))


def windows(x: jax.Array, size: int) -> list[jax.Array]:
    """The `size²` pixels of every window of `[N, H, W, C]`, in reading order, each `[N, H/size, W/size, C]`."""
    n, height, width, channels = x.shape
    rows, columns = height // size, width // size
    x = x[:, : rows * size, : columns * size].reshape(n, rows, size, columns, size, channels)
    return [x[:, :, u, :, v] for u in range(size) for v in range(size)]


def largest(values: Sequence[jax.Array]) -> jax.Array:
    """The elementwise maximum of arrays of one shape, as a balanced tree of pairs."""
    if len(values) == 1:
        return values[0]
    middle = len(values) // 2
    return jnp.maximum(largest(values[:middle]), largest(values[middle:]))


def _max_pool_forward(x: jax.Array, size: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    pixels = windows(x, size)
    y = largest(pixels)
    first = jnp.full(y.shape, size**2 - 1, jnp.uint8)
    for place in reversed(range(size**2 - 1)):
        first = jnp.where(pixels[place] == y, jnp.uint8(place), first)
    return y, (first, jnp.zeros((0, *x.shape[1:3]), jnp.uint8))  # the empty array carries the shape of x


def _max_pool_backward(size: int, saved: tuple[jax.Array, jax.Array], cotangent: jax.Array) -> tuple[jax.Array]:
    first, like = saved
    n, rows, columns, channels = cotangent.shape
    place = jnp.arange(size**2, dtype=jnp.uint8).reshape(1, 1, size, 1, size, 1)
    chosen = first[:, :, None, :, None] == place
    gradient = jnp.where(chosen, cotangent[:, :, None, :, None], jnp.zeros((), cotangent.dtype))
    gradient = gradient.reshape(n, rows * size, columns * size, channels)
    below, right = like.shape[1] - rows * size, like.shape[2] - columns * size
    return (jnp.pad(gradient, ((0, 0), (0, below), (0, right), (0, 0))) if below or right else gradient,)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)
