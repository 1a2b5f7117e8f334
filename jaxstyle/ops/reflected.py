"""Convolutions with reflection padding, whose result has the picture's size, half of it or twice.

XLA's CPU compiler has fast convolutions for zero padding only, so pictures are padded by reflection, convolved with
zero padding, and cropped. Measured on two cores at 512 px, 9×9 from 32 to 3 channels: 0.4 s, and 6 s without the zeros.
Reflection takes 0.07 s by indices, 0.18 s by `jnp.pad`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.ops.functional import convolution
from jaxstyle.ops.resampling import depth_to_space, space_to_depth

INSIDE: ContextVar[tuple[Any, tuple[int, int]] | None] = ContextVar("INSIDE", default=None)


@contextmanager
def inside(sides: jax.Array, whole: tuple[int, int]) -> Iterator[None]:
    """Mirrors at the edges of pictures that are smaller than their arrays, so that one program serves many sizes.

    While it is traced in this block, a network of the convolutions below gives in the picture's pixels what it would
    give for the picture alone; what lies beyond is of no use. Where it takes statistics, these must leave that out.
    Without gradients.

    Args:
      sides: `[2]` integers, rows and columns of the picture, at the upper left; multiples of every stride.
      whole: Rows and columns of the array. Those of inner arrays are in proportion, and so are the picture's.
    """
    token = INSIDE.set((sides, whole))
    try:
        yield
    finally:
        INSIDE.reset(token)


def mirror_pad(x: jax.Array, margin: int, mode: str = "reflect") -> jax.Array:
    """Pads `[N, H, W, C]` by `margin` mirrored pixels on each side, edge pixels included if `mode` is "symmetric".

    A picture smaller than the margin is mirrored several times; not so `inside` an array.
    """
    padded = _mirror_pad(x, margin, mode)
    if (pictures := INSIDE.get()) is None:
        return padded
    sides, whole = pictures
    for axis in (1, 2):
        edge = margin + sides[axis - 1] * x.shape[axis] // whole[axis - 1]
        before = lax.dynamic_slice_in_dim(padded, edge - margin - (mode == "reflect"), margin, axis)
        padded = lax.dynamic_update_slice_in_dim(padded, jnp.flip(before, axis), edge, axis)
    return padded


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _mirror_pad(x: jax.Array, margin: int, mode: str) -> jax.Array:
    rows, columns = (mirror_indices(side, margin, margin, mode) for side in x.shape[1:3])
    return x[:, rows][:, :, columns]


def mirror_indices(side: int, before: int, after: int, mode: str = "reflect") -> np.ndarray | jax.Array:
    """Indices `[before + side + after]` of the pixels along an axis of `side` pixels padded by reflection.

    In a program exported for pictures of any size (`jaxstyle.inference.export`) `side` is symbolic; then the indices
    are computed in the program, for a padding no wider than the picture.
    """
    if isinstance(side, int):
        return np.pad(np.arange(side), (before, after), mode=mode)  # type: ignore[call-overload]
    edge = 0 if mode == "reflect" else 1
    index = jnp.arange(before + side + after) - before
    index = jnp.where(index < 0, -edge - index, index)
    return jnp.where(index < side, index, 2 * (side - 1) + edge - index)


def _mirror_pad_backward(margin: int, mode: str, like: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    # The transpose of slices: that of indices is a slow scatter.
    shape = jax.ShapeDtypeStruct((cotangent.shape[0], *like.shape, cotangent.shape[3]), cotangent.dtype)
    frame = ((0, 0), (margin, margin), (margin, margin), (0, 0))
    return tuple(jax.linear_transpose(lambda x: jnp.pad(x, frame, mode=mode), shape)(cotangent))


_mirror_pad.defvjp(
    lambda x, margin, mode: (_mirror_pad(x, margin, mode), jnp.zeros(x.shape[1:3], jnp.bool_)), _mirror_pad_backward
)


def pad_to_multiple(x: jax.Array, multiple: int) -> jax.Array:
    """Pads `[N, H, W, C]` by reflection at the lower and right edges until its sides are multiples of `multiple`."""
    sides = [multiple * ((side + multiple - 1) // multiple) for side in x.shape[1:3]]
    rows, columns = (mirror_indices(have, 0, want - have) for have, want in zip(x.shape[1:3], sides, strict=True))
    return x[:, rows][:, :, columns]


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with reflection padding, of the same size.

    Args:
      x: `[N, H, W, C]`.
      kernel: `[k, k, C, D]`, k odd.

    Returns:
      `[N, H, W, D]`.
    """
    reach = kernel.shape[0] // 2
    if reach > 1:
        return convolve_in_blocks(x, kernel)
    return convolution(mirror_pad(x, reach), kernel)[:, reach:-reach, reach:-reach]


def convolve_in_blocks(x: jax.Array, kernel: jax.Array, block: int = 4) -> jax.Array:
    """`convolve` with blocks of pixels moved to the channels: the same sums, and some products with zero.

    It suits large kernels with few channels, as at both ends of a style network. Measured on two cores, four pictures
    of 128 px, 9×9 from 16 to 3 channels: 15 ms in place of 54, with both gradients 52 ms in place of 178.
    """
    height, width = x.shape[1:3]
    around = -(-(kernel.shape[0] // 2) // block)
    padded = mirror_pad(x, around * block)
    whole = jnp.pad(padded, ((0, 0), (0, -height % block), (0, -width % block), (0, 0)))
    coarse = convolution(space_to_depth(whole, block), block_kernel(kernel, block))
    return depth_to_space(coarse[:, around:-around, around:-around], block)[:, :height, :width]


def block_kernel(kernel: jax.Array, block: int) -> jax.Array:
    """The kernel `[n, n, block² C, block² D]` for blocks of pixels that equals a kernel `[k, k, C, D]` for pixels."""
    size, _, inputs, outputs = kernel.shape
    spare = -(size // 2) % block
    shifts = [(spare + i, spare + block - 1 - i) for i in range(block)]
    moved = [jnp.pad(kernel, (rows, columns, (0, 0), (0, 0))) for rows in shifts for columns in shifts]
    count = moved[0].shape[0] // block
    taps = jnp.stack(moved, 3).reshape(count, block, count, block, inputs, block**2 * outputs)
    return taps.transpose(0, 2, 1, 3, 4, 5).reshape(count, count, block**2 * inputs, block**2 * outputs)


def convolve_each(x: jax.Array, kernels: jax.Array) -> jax.Array:
    """Convolves each picture with a kernel of its own, with reflection, as products of matrices.

    XLA's CPU compiler has no fast convolution of that kind. Measured on two cores, four pictures of 128 px, 13×13 from
    3 to 3 channels: 3.0 ms, and 14.8 ms by `vmap` of `convolve`.

    Args:
      x: `[N, H, W, C]`.
      kernels: `[N, k, k, C, D]`, k odd.

    Returns:
      `[N, H, W, D]`.
    """
    (_, height, width, _), (count, size, _, _, outputs) = x.shape, kernels.shape
    padded = mirror_pad(x, size // 2)
    columns = jnp.concatenate([padded[:, :, j : j + width] for j in range(size)], -1)
    taps = kernels.reshape(count, size, -1, outputs).transpose(0, 2, 1, 3).reshape(count, -1, size * outputs)
    rows = jnp.einsum("nhwc,ncd->nhwd", columns, taps, precision="highest")
    return sum(rows[:, i : i + height, :, i * outputs : (i + 1) * outputs] for i in range(size))  # type: ignore[return-value]


def convolve_half(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with reflection padding and stride 2.

    Args:
      x: `[N, H, W, C]`, even sides.
      kernel: `[3, 3, C, D]`.

    Returns:
      `[N, H/2, W/2, D]`.
    """
    return convolution(mirror_pad(x, 1), kernel, stride=2)[:, :-1, :-1]


def convolve_double(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Nearest-neighbour upsampling, then convolution with reflection padding, by sub-pixel convolution.

    Each of the four pixels that replace one depends on two by two pixels of the small picture, through a 2×2 kernel of
    sums of the given one's entries: 4 in place of 9 products an output. Reflecting the large picture is repeating the
    small one's edge, so borders are exact. Measured on two cores, 128 to 64 channels at 128 px: 0.25 s, as a
    transposed convolution 0.56 s, upsampled and then convolved 1.3 s.

    Args:
      x: `[N, H, W, C]`.
      kernel: `[3, 3, C, D]`.

    Returns:
      `[N, 2 H, 2 W, D]`.
    """
    phases = [columns for rows in phase_kernels(kernel, 0) for columns in phase_kernels(rows, 1)]
    fine = convolution(mirror_pad(x, 1, "symmetric"), jnp.concatenate(phases, -1))[:, :-1, :-1]
    return depth_to_space(fine)[:, 1:-1, 1:-1]


def phase_kernels(kernel: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    """Sums a 3-tap kernel to the 2-tap kernels of odd and even pixels of the large picture, along an axis."""
    first, middle, last = jnp.split(kernel, 3, axis)
    return jnp.concatenate([first + middle, last], axis), jnp.concatenate([first, middle + last], axis)
