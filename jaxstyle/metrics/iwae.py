"""The importance weighted bound on a latent variable model's log likelihood."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError


def iwae_bound(
    log_weights: Callable[[jax.Array], jax.Array], keys: jax.Array, samples: int, *, chunk: int = 8
) -> jax.Array:
    """Importance weighted bound on log p(x): `log 1/k Σ_j p(x, z_j) / q(z_j | x)` with k samples z_j from q.

    The bound's expectation is at most the log likelihood and rises with k; for k = 1 it is the evidence lower bound.
    The sum is computed chunk by chunk, in memory that does not depend on k; each draw's key depends on its number
    alone, so the result does not depend on the chunk.

    Args:
      log_weights: Keys `[N, c]` -> `log p(x, z) - log q(z | x)` `[N, c]` of that many draws for each of N examples.
      keys: `[N]` typed PRNG keys, one an example.
      samples: k, at least 1.
      chunk: Draws of an example that are computed at once.

    Returns:
      `[N]` nats, float32.

    Raises:
      JaxstyleError: No samples or an empty chunk.

    References:
      Burda, Grosse & Salakhutdinov 2016, "Importance Weighted Autoencoders", eq. 8.
    """
    if samples < 1 or chunk < 1:
        raise JaxstyleError(f"the importance weighted bound needs at least one sample, got {samples} by {chunk}")
    chunk = min(chunk, samples)

    def add(number: jax.Array, total: jax.Array) -> jax.Array:
        draws = number * chunk + jnp.arange(chunk, dtype=jnp.int32)
        weights = log_weights(jax.vmap(lambda key: jax.vmap(lambda draw: jax.random.fold_in(key, draw))(draws))(keys))
        counts = jnp.broadcast_to(draws < samples, weights.shape)
        weights = jnp.where(counts, weights.astype(jnp.float32), -jnp.inf)
        return jnp.logaddexp(total, jax.nn.logsumexp(weights, -1))

    start = jnp.full(keys.shape, -jnp.inf, jnp.float32)
    return jax.lax.fori_loop(0, math.ceil(samples / chunk), add, start) - math.log(samples)
