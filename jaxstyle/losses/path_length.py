"""Path lengths: how far pictures move where the styles that they are drawn from do."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

EPSILON = 1e-8
"""Added to squared lengths, whose root has no gradient at 0."""


def path_lengths(draw: Callable[[jax.Array], jax.Array], styles: jax.Array, keys: jax.Array) -> jax.Array:
    """The lengths `|Jᵀ y|` of styles, J the Jacobian of their pictures and y a normal picture.

    StyleGAN 2's generator is penalised by the squares of their differences from their running mean, so that a step in
    any direction changes a picture as much as any other step.

    Args:
      draw: Styles -> pictures `[N, H, W, C]`, each a function of its own styles.
      styles: `[N, L, W]`; of the L layers' squared lengths the mean is taken.
      keys: `[N]`, of y.

    Returns:
      `[N]` float32, for pictures of deviation 1 independent of their size.

    References:
      Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 3.2.
    """

    def projected(styles: jax.Array) -> jax.Array:
        images = draw(styles)
        normal = jax.vmap(lambda key: jax.random.normal(key, images.shape[1:]))(keys)
        return jnp.sum(images * lax.stop_gradient(normal)) / (images.shape[1] * images.shape[2]) ** 0.5

    slopes = jax.grad(projected)(styles).astype(jnp.float32)
    return jnp.sqrt(jnp.mean(jnp.sum(jnp.square(slopes), -1), -1) + EPSILON)
