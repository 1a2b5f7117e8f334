"""Eigenvalues of symmetric matrices, of many at once, on every platform."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@jax.custom_batching.custom_vmap
def eigh(matrices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues, rising, and eigenvectors of symmetric matrices; it has no derivative, `eigenvalues` has.

    On a CPU one matrix after another. jaxlib's own batch of them waits, on a thread of XLA's pool, for work that it has
    given to that pool: where two such batches are worked out at the same time, as those of two layers are, two cores
    wait for ever (jaxlib 0.10.2, `ParallelBatchMap`).

    Args:
      matrices: `[..., C, C]` float32, of which the symmetric part counts.

    Returns:
      `[..., C]`, and `[..., C, C]` with the vectors in columns.
    """
    return lax.platform_dependent(matrices, cpu=in_turn, default=lambda x: tuple(jnp.linalg.eigh(x)))


@eigh.def_vmap
def _eigh_batched(size: int, batched: list[bool], matrices: jax.Array) -> Any:
    return eigh(matrices), (True, True)  # the new axis is the first of those that it takes anyway


def in_turn(matrices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`jnp.linalg.eigh` of `[..., C, C]` in a loop."""
    *leading, size, _ = matrices.shape
    values, vectors = lax.map(lambda x: tuple(jnp.linalg.eigh(x)), matrices.reshape(-1, size, size))
    return values.reshape(*leading, size), vectors.reshape(matrices.shape)


@jax.custom_vjp
def eigenvalues(matrices: jax.Array) -> jax.Array:
    """Eigenvalues `[..., C]`, rising, of symmetric matrices `[..., C, C]` float32; the symmetric part counts."""
    return eigh(matrices)[0]


def _eigenvalues_backward(vectors: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    """`dλ_i = v_iᵀ dM v_i` (Magnus & Neudecker 1999, "Matrix Differential Calculus", chapter 8, theorem 7)."""
    return ((vectors * cotangent[..., None, :]) @ jnp.swapaxes(vectors, -1, -2),)


eigenvalues.defvjp(eigh, _eigenvalues_backward)
