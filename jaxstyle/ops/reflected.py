"""Convolutions of pictures that go on as their mirror image beyond the frame, of the same size, half or double.

XLA's CPU compiler has fast convolutions for borders of zeros only. Measured on two cores at 512 px: 9×9 from 32 to 3
channels takes 0.4 s on a mirrored picture with zeros around it that are cut off afterwards, and 6 s without zeros; and
the mirrored frame takes 0.07 s by indices, 0.18 s by `jnp.pad`. So that is how it is done here.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.ops.functional import convolution
from jaxstyle.ops.resampling import depth_to_space, space_to_depth


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def framed(x: jax.Array, margin: int, mode: str = "reflect") -> jax.Array:
    """`[N, H, W, C]` with a frame of `margin` pixels: mirrored without (`"reflect"`) or with the edge (`"symmetric"`).

    A picture smaller than the margin is mirrored again and again.
    """
    rows, columns = (mirrored(side, margin, margin, mode) for side in x.shape[1:3])
    return x[:, rows][:, :, columns]


def mirrored(side: int, before: int, after: int, mode: str = "reflect") -> np.ndarray | jax.Array:
    """Which pixels `[before + side + after]` are along an axis of `side` with a mirrored frame.

    In a program for pictures of any size (`jaxstyle.inference.export`) sides have no number; then it is worked out in
    the program, of a frame no wider than the picture.
    """
    if isinstance(side, int):
        return np.pad(np.arange(side), (before, after), mode=mode)  # type: ignore[call-overload]
    edge = 0 if mode == "reflect" else 1
    index = jnp.arange(before + side + after) - before
    index = jnp.where(index < 0, -edge - index, index)
    return jnp.where(index < side, index, 2 * (side - 1) + edge - index)


def _framed_backward(margin: int, mode: str, like: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    """Of slices, not of indices, whose gradient would be scattered one by one."""
    shape = jax.ShapeDtypeStruct((cotangent.shape[0], *like.shape, cotangent.shape[3]), cotangent.dtype)
    frame = ((0, 0), (margin, margin), (margin, margin), (0, 0))
    return tuple(jax.linear_transpose(lambda x: jnp.pad(x, frame, mode=mode), shape)(cotangent))


framed.defvjp(lambda x, margin, mode: (framed(x, margin, mode), jnp.zeros(x.shape[1:3], jnp.bool_)), _framed_backward)


def filled(x: jax.Array, multiple: int) -> jax.Array:
    """`[N, H, W, C]`, mirrored at the lower and the right edge until its sides are multiples of `multiple`."""
    sides = [multiple * ((side + multiple - 1) // multiple) for side in x.shape[1:3]]
    rows, columns = (mirrored(have, 0, want - have) for have, want in zip(x.shape[1:3], sides, strict=True))
    return x[:, rows][:, :, columns]


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with reflected borders.

    Args:
      x: `[N, H, W, C]`.
      kernel: `[k, k, C, D]`, k odd.

    Returns:
      `[N, H, W, D]`.
    """
    reach = kernel.shape[0] // 2
    if reach > 1:
        return convolve_in_blocks(x, kernel)
    return convolution(framed(x, reach), kernel)[:, reach:-reach, reach:-reach]


def convolve_in_blocks(x: jax.Array, kernel: jax.Array, block: int = 4) -> jax.Array:
    """`convolve` where the channels are of blocks of pixels: the same sums, and some products with zero.

    Made for the large kernels at either end of a network, which see or make three channels. Measured on two cores, four
    pictures of 128 px, 9×9 from 16 to 3 channels: 15 ms for 54 as it stands, with both gradients 52 for 178.
    """
    height, width = x.shape[1:3]
    around = -(-(kernel.shape[0] // 2) // block)
    frame = framed(x, around * block)
    whole = jnp.pad(frame, ((0, 0), (0, -height % block), (0, -width % block), (0, 0)))
    coarse = convolution(space_to_depth(whole, block), kernel_of_blocks(kernel, block))
    return depth_to_space(coarse[:, around:-around, around:-around], block)[:, :height, :width]


def kernel_of_blocks(kernel: jax.Array, block: int) -> jax.Array:
    """`[k, k, C, D]` as `[n, n, block² C, block² D]` for pixels in blocks, each of which reaches (n - 1) / 2 others."""
    size, _, inputs, outputs = kernel.shape
    spare = -(size // 2) % block
    shifts = [(spare + i, spare + block - 1 - i) for i in range(block)]
    moved = [jnp.pad(kernel, (rows, columns, (0, 0), (0, 0))) for rows in shifts for columns in shifts]
    count = moved[0].shape[0] // block
    taps = jnp.stack(moved, 3).reshape(count, block, count, block, inputs, block**2 * outputs)
    return taps.transpose(0, 2, 1, 3, 4, 5).reshape(count, count, block**2 * inputs, block**2 * outputs)


def convolve_half(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with reflected borders at every second pixel, the first included.

    Args:
      x: `[N, H, W, C]`, even sides.
      kernel: `[3, 3, C, D]`.

    Returns:
      `[N, H/2, W/2, D]`.
    """
    return convolution(framed(x, 1), kernel, stride=2)[:, :-1, :-1]


def convolve_double(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Nearest-neighbour upsampling, then convolution with reflected borders, in 4 in place of 9 products an output.

    Of the four pixels that come of one, each sees two by two pixels of the small picture, with kernels whose entries
    are sums of the given one's. The reflection of the large picture is the small one's edge repeated, so borders are
    exact. Measured on two cores, 128 to 64 channels at 128 px: 0.25 s, as a transposed convolution 0.56 s, plainly
    1.3 s.

    Args:
      x: `[N, H, W, C]`.
      kernel: `[3, 3, C, D]`.

    Returns:
      `[N, 2 H, 2 W, D]`.
    """
    phases = [columns for rows in halves(kernel, 0) for columns in halves(rows, 1)]
    fine = convolution(framed(x, 1, "symmetric"), jnp.concatenate(phases, -1))[:, :-1, :-1]
    return depth_to_space(fine)[:, 1:-1, 1:-1]


def halves(kernel: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    """What an odd and an even pixel of the large picture do with two neighbours of the small one, along an axis."""
    first, middle, last = jnp.split(kernel, 3, axis)
    return jnp.concatenate([first + middle, last], axis), jnp.concatenate([first, middle + last], axis)
