"""Cholesky factors, inverses and rotations of many matrices at once, on every platform, in float32."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.ops.transport import length

TOLERANCE = 1e-5
"""Bound of how far the singular values of a `rotation` are from 1."""


def every_matrix(function: Callable[[jax.Array], Any]) -> Callable[[jax.Array], Any]:
    """Maps a function of one matrix `[C, C]` over the leading axes of `[..., C, C]`, without a derivative.

    On a CPU matrices are taken one after another. jaxlib's own batches of LAPACK calls wait, on a thread of XLA's pool,
    for work that they have given to that pool: where two such batches run at the same time, as those of two layers do,
    two cores wait for ever (jaxlib 0.10.2, `ParallelBatchMap`).
    """

    def over(mapped: Callable[[jax.Array], Any], matrices: jax.Array) -> Any:
        if matrices.ndim == 2:
            return function(matrices)
        results = mapped(matrices.reshape(-1, *matrices.shape[-2:]))
        return jax.tree.map(lambda leaf: leaf.reshape(matrices.shape), results)

    @jax.custom_batching.custom_vmap
    def every(matrices: jax.Array) -> Any:
        in_turn, at_once = functools.partial(lax.map, function), jax.vmap(function)
        return lax.platform_dependent(
            matrices, cpu=functools.partial(over, in_turn), default=functools.partial(over, at_once)
        )

    @every.def_vmap
    def _batched(size: int, batched: list[bool], matrices: jax.Array) -> Any:
        results = every(matrices)  # the new axis is the first of those that it takes anyway
        return results, jax.tree.map(lambda _: True, results)

    return every


@every_matrix
def cholesky(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Cholesky factors `L` of symmetric matrices `L Lᵀ`, and their inverses.

    To a matrix that rounding has left indefinite a multiple of the identity is added: float32's precision times the
    trace, or the first of 4, 16, … times as much with which it has a factor.

    Args:
      matrix: `[..., C, C]` float32, of which the lower triangle counts.

    Returns:
      `L` and `L⁻¹`, `[..., C, C]`, lower triangular; not finite where the matrix is not.
    """
    one = jnp.eye(len(matrix), dtype=matrix.dtype)
    size = jnp.sum(jnp.abs(jnp.diagonal(matrix)))

    def failed(state: tuple[jax.Array, jax.Array]) -> jax.Array:
        shift, factor = state
        return jnp.isnan(jnp.trace(factor)) & (shift <= size)

    def shifted(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        shift, _ = state
        return 4 * shift, lax.linalg.cholesky(matrix + shift * one, symmetrize_input=False)

    start = (jnp.finfo(matrix.dtype).eps * size, lax.linalg.cholesky(matrix, symmetrize_input=False))
    _, factor = lax.while_loop(failed, shifted, start)
    return factor, lax.linalg.triangular_solve(factor, one, left_side=True, lower=True)


@every_matrix
def inverse_transpose(matrix: jax.Array) -> jax.Array:
    """Transposed inverses `M^-T` of matrices M, `[..., C, C]`.

    It solves from the right with the LU factors of `Mᵀ`: LAPACK's columns are rows here, so that nothing is copied.
    """
    factors, _, order = lax.linalg.lu(matrix.T)
    pivots = jnp.asarray(jnp.arange(len(order))[:, None] == order[None, :], matrix.dtype)
    lower = lax.linalg.triangular_solve(factors, pivots, lower=True, transpose_a=True, unit_diagonal=True)
    return lax.linalg.triangular_solve(factors, lower, lower=False, transpose_a=True).T


def rotation(matrices: jax.Array, inverse_transposes: jax.Array) -> jax.Array:
    """Orthogonal factors U of polar decompositions `M = U H`, for conditions of up to 1e7.

    Two of Newton's steps `X <- (z X + X^-T / z) / 2`, of which the first needs no inverse, take the singular values
    near to each other. Steps of Newton and Schulz, `X <- (a + b X Xᵀ) X`, which are products alone, take them to 1.
    The numbers z, a and b are the best ones for bounds of the singular values that are known after every step.

    Args:
      matrices: M, `[..., C, C]` float32.
      inverse_transposes: `M^-T`, which is often to be had for less than an inverse.

    Returns:
      `[..., C, C]`, with singular values within `TOLERANCE` of 1.

    References:
      Byers & Xu 2008, "A New Scaling for Newton's Iteration for the Polar Decomposition", section 3; Chen & Chow 2014,
      "A Stable Scaling of Newton-Schulz for Improving the Sign Function Computation".
    """
    high, low = length(matrices), 1 / length(inverse_transposes)
    scale = lax.rsqrt(low) * lax.rsqrt(high)
    x = (scale * matrices + inverse_transposes / scale) / 2
    ratio = jnp.sqrt(high) * lax.rsqrt(low)
    high = (ratio + 1 / ratio) / 2  # and the least singular value is at least 1
    scale = lax.rsqrt(high)
    x = (scale * x + inverse_transpose(x) / scale) / 2
    high = (scale + 1 / scale) / 2

    def unequal(state: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        _, low, high = state
        return jnp.any(high - low > 2 * TOLERANCE)

    def step(state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        x, low, high = state
        # σ (square - σ²) is least at both bounds and greatest between them: scaled, it is as far from 1 here as there.
        square = jnp.square(low) + low * high + jnp.square(high)
        least, greatest = low * high * (low + high), 2 * (square / 3) ** 1.5
        scale = 2 / (least + greatest)
        one = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
        return product(scale * (square * one - product(x, transpose(x))), x), scale * least, scale * greatest

    return lax.while_loop(unequal, step, (x, jnp.ones_like(high), high))[0]


def padded(matrices: Sequence[jax.Array]) -> jax.Array:
    """One batch of matrices of several widths, continued by the identity: `[K, ..., C, C]` of K `[..., c, c]`.

    Products, factors, inverses and rotations of what is padded are padded likewise.
    """
    width = max(matrix.shape[-1] for matrix in matrices)

    def pad(matrix: jax.Array) -> jax.Array:
        more = width - matrix.shape[-1]
        larger = jnp.pad(matrix, [(0, 0)] * (matrix.ndim - 2) + [(0, more)] * 2)
        corner = jnp.diag(jnp.asarray(jnp.arange(width) >= width - more, matrix.dtype))
        return larger + jnp.broadcast_to(corner, larger.shape) if more else matrix

    return jnp.stack([pad(matrix) for matrix in matrices])


def cropped(matrices: jax.Array, widths: Sequence[int]) -> list[jax.Array]:
    """The matrices `[..., c, c]` of widths c that were `padded` to `[K, ..., C, C]`."""
    return [matrix[..., :width, :width] for matrix, width in zip(matrices, widths, strict=True)]


def transpose(matrices: jax.Array) -> jax.Array:
    """The last two axes swapped."""
    return jnp.swapaxes(matrices, -1, -2)


def product(first: jax.Array, second: jax.Array) -> jax.Array:
    """Matrix products in all of float32's digits on every device.

    The barrier keeps XLA's CPU compiler from joining products that follow one another into one kernel, which takes
    seven times as long at 512 channels (jaxlib 0.10.2, with the options of `runtime.compiling`).
    """
    return lax.optimization_barrier(jnp.matmul(first, second, precision="highest"))
