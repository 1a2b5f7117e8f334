"""Spectral normalisation: every kernel divided by its largest singular value.

It is a function of parameters, so it works for any network. The singular value comes from one power iteration a step,
whose vectors are part of the training state; they depend on the parameters alone, and so are equal on all devices.

References:
  Miyato, Kataoka, Koyama & Yoshida 2018, "Spectral Normalization for Generative Adversarial Networks", algorithm 1.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import lax

NORMALIZED = ("kernel", "embedding")  # names of the parameters that are divided
Vectors = dict[str, jax.Array]


def as_matrix(kernel: jax.Array) -> jax.Array:
    """Reshapes a kernel `[..., outputs]` to a float32 matrix `[inputs, outputs]`."""
    return kernel.astype(jnp.float32).reshape(-1, kernel.shape[-1])


def unit(vector: jax.Array) -> jax.Array:
    """Scales a vector to length one; zero stays zero."""
    return vector * lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(vector)), 1e-24))


def start_vectors(params: Any, key: jax.Array) -> Vectors:
    """Draws initial estimates of the right singular vectors.

    Args:
      params: Nested dict of arrays; those named in `NORMALIZED` have a vector.
      key: A typed PRNG key.

    Returns:
      Dict of the parameter's path, such as `"Dense_0/kernel"`, to `[outputs]` float32 of length one.
    """
    kernels = {name: leaf for name, leaf in flatten_dict(params, sep="/").items() if name.endswith(NORMALIZED)}
    return {
        name: unit(jax.random.normal(jax.random.fold_in(key, number), leaf.shape[-1:]))
        for number, (name, leaf) in enumerate(kernels.items())
    }


def iterate(params: Any, vectors: Vectors) -> Vectors:
    """One power iteration towards the singular vectors of the largest singular values.

    Args:
      params: Nested dict of arrays.
      vectors: From `start_vectors` or the last iteration.

    Returns:
      New vectors, in the same dict.
    """
    leaves = lax.stop_gradient(flatten_dict(params, sep="/"))

    def power_step(matrix: jax.Array, vector: jax.Array) -> jax.Array:
        return unit(unit(matrix @ vector) @ matrix)

    return {name: power_step(as_matrix(leaves[name]), vector) for name, vector in vectors.items()}


def normalize(params: Any, vectors: Vectors) -> Any:
    """Divides every kernel by the largest singular value that its vector estimates.

    Args:
      params: Nested dict of arrays.
      vectors: From `iterate`, constants: the gradient of the singular value is by the kernel alone.

    Returns:
      Parameters of the same structure and dtypes.
    """
    leaves = dict(flatten_dict(params, sep="/"))
    for name, vector in vectors.items():
        matrix, vector = as_matrix(leaves[name]), lax.stop_gradient(vector)
        left = lax.stop_gradient(unit(matrix @ vector))
        singular_value = left @ matrix @ vector
        leaves[name] = leaves[name] / jnp.maximum(singular_value, 1e-12).astype(leaves[name].dtype)
    return unflatten_dict(leaves, sep="/")
