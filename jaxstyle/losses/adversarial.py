"""Adversarial objectives: pairs of losses on a discriminator's logits, and penalties on its gradient.

A logit is large where the discriminator believes a picture; it is no probability, and for Wasserstein and hinge a
score. Every loss is per example: `discriminator(real, fake) -> [N]` and `generator(fake) -> [N]`, both to be made
small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError

Discriminate = Callable[[jax.Array], jax.Array]


class Objective(NamedTuple):
    """What each of the two players makes small.

    Attributes:
      discriminator: Logits `[...]` of real and of generated pictures -> losses `[...]` float32.
      generator: Logits `[...]` of generated pictures -> losses `[...]` float32.
    """

    discriminator: Callable[[jax.Array, jax.Array], jax.Array]
    generator: Callable[[jax.Array], jax.Array]


def single(*logits: jax.Array) -> tuple[jax.Array, ...]:
    """The logits in float32.

    Raises:
      JaxstyleError: Their shapes differ (they are never broadcast).
    """
    if len({part.shape for part in logits}) > 1:
        raise JaxstyleError(f"logits of real {logits[0].shape} and of generated {logits[1].shape} differ in shape")
    return tuple(part.astype(jnp.float32) for part in logits)


def logistic_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """`-log σ(real) - log(1 - σ(fake))`, the cross entropy of telling the two apart.

    Args:
      real: Logits `[...]` of real pictures.
      fake: Of generated ones, same shape.

    Returns:
      `[...]` float32, positive; `2 log 2` for a discriminator that knows nothing.

    Raises:
      JaxstyleError: The shapes differ.

    References:
      Goodfellow et al. 2014, "Generative Adversarial Nets", eq. 1.
    """
    real, fake = single(real, fake)
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)


def minimax_generator(fake: jax.Array) -> jax.Array:
    """`log(1 - σ(fake))`: the same game's other side (Goodfellow et al. 2014, eq. 1).

    Its gradient vanishes where the discriminator is sure, as it is early in a training.

    Args:
      fake: Logits `[...]` of generated pictures.

    Returns:
      `[...]` float32, negative.
    """
    return -jax.nn.softplus(single(fake)[0])


def non_saturating_generator(fake: jax.Array) -> jax.Array:
    """`-log σ(fake)` (Goodfellow et al. 2014, section 3): its gradient is strongest where the discriminator is sure.

    Args:
      fake: Logits `[...]` of generated pictures.

    Returns:
      `[...]` float32, positive.
    """
    return jax.nn.softplus(-single(fake)[0])


def least_squares_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """`½ (real - 1)² + ½ fake²`.

    Args:
      real: Logits `[...]` of real pictures.
      fake: Of generated ones, same shape.

    Returns:
      `[...]` float32, non-negative; ¼ at best where the two cannot be told apart.

    Raises:
      JaxstyleError: The shapes differ.

    References:
      Mao et al. 2017, "Least Squares Generative Adversarial Networks", eq. 9 (a = 0, b = c = 1).
    """
    real, fake = single(real, fake)
    return (jnp.square(real - 1) + jnp.square(fake)) / 2


def least_squares_generator(fake: jax.Array) -> jax.Array:
    """`½ (fake - 1)²` (Mao et al. 2017, eq. 9).

    Args:
      fake: Logits `[...]` of generated pictures.

    Returns:
      `[...]` float32, non-negative.
    """
    return jnp.square(single(fake)[0] - 1) / 2


def wasserstein_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """`fake - real`: minus the estimate of the Wasserstein-1 distance, as far as the discriminator is 1-Lipschitz.

    It takes weight clipping or a gradient penalty to keep it so.

    Args:
      real: Scores `[...]` of real pictures.
      fake: Of generated ones, same shape.

    Returns:
      `[...]` float32.

    Raises:
      JaxstyleError: The shapes differ.

    References:
      Arjovsky, Chintala & Bottou 2017, "Wasserstein GAN", eq. 3 and algorithm 1.
    """
    real, fake = single(real, fake)
    return fake - real


def hinge_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """`max(0, 1 - real) + max(0, 1 + fake)`.

    Args:
      real: Scores `[...]` of real pictures.
      fake: Of generated ones, same shape.

    Returns:
      `[...]` float32, non-negative; 2 at best where the two cannot be told apart.

    Raises:
      JaxstyleError: The shapes differ.

    References:
      Lim & Ye 2017, "Geometric GAN"; Miyato et al. 2018, "Spectral Normalization", eq. 16.
    """
    real, fake = single(real, fake)
    return jax.nn.relu(1 - real) + jax.nn.relu(1 + fake)


def linear_generator(fake: jax.Array) -> jax.Array:
    """`-fake`: the generator's side of Wasserstein and hinge (Arjovsky et al. 2017; Miyato et al. 2018, eq. 17).

    Args:
      fake: Scores `[...]` of generated pictures.

    Returns:
      `[...]` float32.
    """
    return -single(fake)[0]


OBJECTIVES = {
    "minimax": Objective(logistic_discriminator, minimax_generator),
    "non-saturating": Objective(logistic_discriminator, non_saturating_generator),
    "least-squares": Objective(least_squares_discriminator, least_squares_generator),
    "wasserstein": Objective(wasserstein_discriminator, linear_generator),
    "hinge": Objective(hinge_discriminator, linear_generator),
}


def squared_slopes(discriminate: Discriminate, images: jax.Array) -> jax.Array:
    """`[N]`, the squared norm of each logit's gradient by its own picture."""
    slopes = jax.grad(lambda images: jnp.sum(discriminate(images).astype(jnp.float32)))(images)
    return jnp.sum(jnp.square(slopes.astype(jnp.float32)), range(1, slopes.ndim))


def r1_penalty(discriminate: Discriminate, images: jax.Array) -> jax.Array:
    """Half the squared slope of the discriminator at each picture, real ones as a rule; its weight is the paper's γ.

    Args:
      discriminate: Pictures -> logits `[N]`, each a function of its own picture (so no batch normalisation).
      images: `[N, ...]`.

    Returns:
      `[N]` float32, non-negative.

    References:
      Mescheder, Geiger & Nowozin 2018, "Which Training Methods for GANs do actually Converge?", eq. 9.
    """
    return squared_slopes(discriminate, images) / 2


def gradient_penalty(discriminate: Discriminate, real: jax.Array, fake: jax.Array, mix: jax.Array) -> jax.Array:
    """How far the discriminator's slope is from one, squared, at a point between each real and generated picture.

    Where the slope is exactly zero the penalty is 1 and its gradient zero.

    Args:
      discriminate: Pictures -> scores `[N]`, each a function of its own picture (so no batch normalisation).
      real: `[N, ...]`.
      fake: Same shape.
      mix: `[N]` in [0, 1], uniform: the share of the real picture.

    Returns:
      `[N]` float32, non-negative.

    Raises:
      JaxstyleError: The shapes differ.

    References:
      Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", eq. 3 (there with weight 10).
    """
    if real.shape != fake.shape:
        raise JaxstyleError(f"real {real.shape} and generated {fake.shape} pictures differ in shape")
    share = mix.reshape(-1, *(1,) * (real.ndim - 1)).astype(real.dtype)
    squared = squared_slopes(discriminate, share * real + (1 - share) * fake)
    flat = squared == 0  # where the root's derivative is infinite
    slope = jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, squared)))
    return jnp.square(slope - 1)
