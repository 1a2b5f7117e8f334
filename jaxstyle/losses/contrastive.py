"""The patchwise contrastive loss: features at a place must be told from features elsewhere in the picture."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax


def patch_contrast(queries: jax.Array, keys: jax.Array, *, temperature: float = 0.07) -> jax.Array:
    """Cross-entropy of finding each query's own key among those of the same picture, PatchNCE.

    Args:
      queries: `[N, P, D]` unit vectors of P places of the pictures that are made.
      keys: `[N, P, D]` unit vectors of the same places of the pictures that they are made of; they pass no gradient.
      temperature: By which cosines are divided.

    Returns:
      `[N]`, log P where all keys are alike.

    Raises:
      ValueError: The shapes differ.

    References:
      Park, Efros, Zhang & Zhu 2020, "Contrastive Learning for Unpaired Image-to-Image Translation", eq. 3 and 4.
    """
    if queries.shape != keys.shape:
        raise ValueError(f"queries are {queries.shape} and keys {keys.shape}; they must be of the same places")
    logits = jnp.einsum("npd,nqd->npq", queries, lax.stop_gradient(keys)) / temperature
    own = jnp.diagonal(logits, axis1=1, axis2=2)
    return jnp.mean(jax.nn.logsumexp(logits, -1) - own, -1)
