"""Spectral normalisation: every kernel divided by its largest singular value, whatever network it belongs to.

It is a function of parameters, so the network needs not know of it. The value comes from one power iteration a step,
whose vectors are carried along; they depend on the parameters alone, and so are equal on all devices.

References:
  Miyato, Kataoka, Koyama & Yoshida 2018, "Spectral Normalization for Generative Adversarial Networks", algorithm 1.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import lax

NORMALISED = ("kernel", "embedding")
Vectors = dict[str, jax.Array]


def as_matrix(kernel: jax.Array) -> jax.Array:
    """A kernel `[..., outputs]` as the matrix `[everything else, outputs]`."""
    return kernel.astype(jnp.float32).reshape(-1, kernel.shape[-1])


def unit(vector: jax.Array) -> jax.Array:
    """A vector at length one; zero stays zero."""
    return vector * lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(vector)), 1e-24))


def start_vectors(params: Any, key: jax.Array) -> Vectors:
    """Random right singular vectors to begin with.

    Args:
      params: Nested dict of arrays; those named `kernel` or `embedding` are normalised.
      key: A typed PRNG key.

    Returns:
      Parameter's name, as in `"Dense_0/kernel"` -> `[outputs]` float32 of length one.
    """
    kernels = {name: leaf for name, leaf in flatten_dict(params, sep="/").items() if name.endswith(NORMALISED)}
    return {
        name: unit(jax.random.normal(jax.random.fold_in(key, number), leaf.shape[-1:]))
        for number, (name, leaf) in enumerate(kernels.items())
    }


def iterate(params: Any, vectors: Vectors) -> Vectors:
    """One power iteration: the vectors turn towards those of the largest singular values.

    Args:
      params: Nested dict of arrays.
      vectors: As `start_vectors` returned them, or this function.
    """
    leaves = lax.stop_gradient(flatten_dict(params, sep="/"))

    def turned(matrix: jax.Array, vector: jax.Array) -> jax.Array:
        return unit(unit(matrix @ vector) @ matrix)

    return {name: turned(as_matrix(leaves[name]), vector) for name, vector in vectors.items()}


def normalize(params: Any, vectors: Vectors) -> Any:
    """The parameters with every kernel divided by its largest singular value, as the vectors see it.

    Args:
      params: Nested dict of arrays.
      vectors: As `iterate` returned them; they are constants, the value's gradient goes through the kernel.

    Returns:
      The same structure and dtypes.
    """
    leaves = dict(flatten_dict(params, sep="/"))
    for name, vector in vectors.items():
        matrix, vector = as_matrix(leaves[name]), lax.stop_gradient(vector)
        left = lax.stop_gradient(unit(matrix @ vector))
        largest = left @ matrix @ vector
        leaves[name] = leaves[name] / jnp.maximum(largest, 1e-12).astype(leaves[name].dtype)
    return unflatten_dict(leaves, sep="/")
