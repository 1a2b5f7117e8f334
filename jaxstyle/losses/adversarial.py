"""Adversarial losses, pairs of a discriminator loss and a generator loss on logits, and gradient penalties.

A logit is large for pictures that the discriminator takes for real; for Wasserstein and hinge losses it is a score, not
a log odds. Every loss is per example: `discriminator(real, fake) -> [N]` and `generator(fake) -> [N]`, both minimised.
The relativistic loss compares pairs: its generator loss is of the real pictures' logits, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError

Discriminate = Callable[[jax.Array], jax.Array]


class AdversarialLoss(NamedTuple):
    """The losses that the discriminator and the generator minimise.

    Attributes:
      discriminator: Logits `[...]` of real and of generated pictures -> losses `[...]` float32.
      generator: Logits `[...]` of generated pictures and, where `paired`, of real ones -> losses `[...]` float32.
      paired: Whether the generator's loss compares generated pictures with real ones.
    """

    discriminator: Callable[[jax.Array, jax.Array], jax.Array]
    generator: Callable[..., jax.Array]
    paired: bool = False


def as_float32(*logits: jax.Array) -> tuple[jax.Array, ...]:
    """Casts logits to float32.

    Raises:
      JaxstyleError: Their shapes differ (they are never broadcast).
    """
    if len({part.shape for part in logits}) > 1:
        raise JaxstyleError(f"logits of real {logits[0].shape} and of generated {logits[1].shape} differ in shape")
    return tuple(part.astype(jnp.float32) for part in logits)


def logistic_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """`-log σ(real) - log(1 - σ(fake))`, the cross entropy of classifying pictures as real or generated.

    Args:
      real: Logits `[...]` of real pictures.
      fake: Those of generated ones, same shape.

    Returns:
      `[...]` float32, positive; `2 log 2` for logits of 0.

    Raises:
      JaxstyleError: The shapes differ.

    References:
      Goodfellow et al. 2014, "Generative Adversarial Nets", eq. 1.
    """
    real, fake = as_float32(real, fake)
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)


def minimax_generator(fake: jax.Array) -> jax.Array:
    """`log(1 - σ(fake))`, the generator loss of the minimax game (Goodfellow et al. 2014, eq. 1).

    Its gradient vanishes where the discriminator is confident, as it is early in a training.

    Args:
      fake: Logits `[...]` of generated pictures.

    Returns:
      `[...]` float32, negative.
    """
    return -jax.nn.softplus(as_float32(fake)[0])


def non_saturating_generator(fake: jax.Array) -> jax.Array:
    """`-log σ(fake)`, the non-saturating generator loss (Goodfellow et al. 2014, section 3).

    The gradient of this loss is largest where the discriminator is confident.

    Args:
      fake: Logits `[...]` of generated pictures.

    Returns:
      `[...]` float32, positive.
    """
    return jax.nn.softplus(-as_float32(fake)[0])


def least_squares_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """`½ (real - 1)² + ½ fake²`, the discriminator loss of least-squares GAN.

    Args:
      real: Logits `[...]` of real pictures.
      fake: Those of generated ones, same shape.

    Returns:
      `[...]` float32, non-negative; its least mean is ¼ where real and generated logits have one distribution.

    Raises:
      JaxstyleError: The shapes differ.

    References:
      Mao et al. 2017, "Least Squares Generative Adversarial Networks", eq. 9 (a = 0, b = c = 1).
    """
    real, fake = as_float32(real, fake)
    return (jnp.square(real - 1) + jnp.square(fake)) / 2


def least_squares_generator(fake: jax.Array) -> jax.Array:
    """`½ (fake - 1)²`, the generator loss of least-squares GAN (Mao et al. 2017, eq. 9).

    Args:
      fake: Logits `[...]` of generated pictures.

    Returns:
      `[...]` float32, non-negative.
    """
    return jnp.square(as_float32(fake)[0] - 1) / 2


def wasserstein_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """`fake - real`, minus the estimate of the Wasserstein-1 distance by a discriminator that is 1-Lipschitz.

    Weight clipping or a gradient penalty keeps the discriminator 1-Lipschitz.

    Args:
      real: Scores `[...]` of real pictures.
      fake: Those of generated ones, same shape.

    Returns:
      `[...]` float32.

    Raises:
      JaxstyleError: The shapes differ.

    References:
      Arjovsky, Chintala & Bottou 2017, "Wasserstein GAN", eq. 3 and algorithm 1.
    """
    real, fake = as_float32(real, fake)
    return fake - real


def hinge_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """`max(0, 1 - real) + max(0, 1 + fake)`, the hinge loss.

    Args:
      real: Scores `[...]` of real pictures.
      fake: Those of generated ones, same shape.

    Returns:
      `[...]` float32, non-negative; its least mean is 2 where real and generated logits have one distribution.

    Raises:
      JaxstyleError: The shapes differ.

    References:
      Lim & Ye 2017, "Geometric GAN"; Miyato et al. 2018, "Spectral Normalization", eq. 16.
    """
    real, fake = as_float32(real, fake)
    return jax.nn.relu(1 - real) + jax.nn.relu(1 + fake)


def linear_generator(fake: jax.Array) -> jax.Array:
    """`-fake`, the generator loss of Wasserstein and hinge (Arjovsky et al. 2017; Miyato et al. 2018, eq. 17).

    Args:
      fake: Scores `[...]` of generated pictures.

    Returns:
      `[...]` float32.
    """
    return -as_float32(fake)[0]


def relativistic_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """`-log σ(real - fake)`, the relativistic pairing loss: each real picture against one generated picture.

    Where generated pictures cover some modes of the real ones only, the generator has no local minimum there, as it has
    with losses that judge each picture by itself (Sun et al. 2020).

    Args:
      real: Logits `[...]` of real pictures.
      fake: Those of generated ones, same shape.

    Returns:
      `[...]` float32, positive; `log 2` for equal logits.

    Raises:
      JaxstyleError: The shapes differ.

    References:
      Jolicoeur-Martineau 2019, "The relativistic discriminator", section 4.1 (RpGAN).
      Huang et al. 2024, "The GAN is dead; long live the GAN!", eq. 2.
    """
    real, fake = as_float32(real, fake)
    return jax.nn.softplus(fake - real)


def relativistic_generator(fake: jax.Array, real: jax.Array) -> jax.Array:
    """`-log σ(fake - real)`, the generator's part of the relativistic pairing loss.

    Args:
      fake: Logits `[...]` of generated pictures.
      real: Those of real ones, same shape.

    Returns:
      `[...]` float32, positive.

    Raises:
      JaxstyleError: The shapes differ.
    """
    return relativistic_discriminator(fake, real)


RELATIVISTIC = AdversarialLoss(relativistic_discriminator, relativistic_generator, paired=True)
ADVERSARIAL_LOSSES = {
    "minimax": AdversarialLoss(logistic_discriminator, minimax_generator),
    "non-saturating": AdversarialLoss(logistic_discriminator, non_saturating_generator),
    "least-squares": AdversarialLoss(least_squares_discriminator, least_squares_generator),
    "wasserstein": AdversarialLoss(wasserstein_discriminator, linear_generator),
    "hinge": AdversarialLoss(hinge_discriminator, linear_generator),
}


def squared_gradient_norms(discriminate: Discriminate, images: jax.Array) -> jax.Array:
    """Squared norms `[N]` of the gradient of each logit by its own picture."""
    gradients = jax.grad(lambda images: jnp.sum(discriminate(images).astype(jnp.float32)))(images)
    return jnp.sum(jnp.square(gradients.astype(jnp.float32)), range(1, gradients.ndim))


def r1_penalty(discriminate: Discriminate, images: jax.Array) -> jax.Array:
    """R1: half the squared gradient norm of the discriminator at each picture; its weight is the paper's γ.

    Args:
      discriminate: Pictures -> logits `[N]`, each a function of its own picture (so no batch normalisation).
      images: `[N, ...]`, real pictures for R1, generated ones for R2.

    Returns:
      `[N]` float32, non-negative.

    References:
      Mescheder, Geiger & Nowozin 2018, "Which Training Methods for GANs do actually Converge?", eq. 9.
    """
    return squared_gradient_norms(discriminate, images) / 2


def logits_and_penalties(
    discriminate: Callable[[jax.Array], tuple[jax.Array, Any]], images: jax.Array
) -> tuple[jax.Array, jax.Array, Any]:
    """Logits and the zero-centred penalty at every picture, by one pass forward and one pullback.

    The penalty is R1 at real pictures and R2 at generated ones; given a batch of both, none is passed twice.

    Args:
      discriminate: Pictures -> (logits `[N]` float32, each a function of its own picture; anything else).
      images: `[N, ...]`.

    Returns:
      Logits `[N]`, half the squared norms of their gradients `[N]` float32, and what else `discriminate` returned.

    References:
      Huang et al. 2024, "The GAN is dead; long live the GAN!", section 2.3.
    """
    logits, pull, others = jax.vjp(discriminate, images, has_aux=True)
    (gradients,) = pull(jnp.ones_like(logits))
    return logits, jnp.sum(jnp.square(gradients.astype(jnp.float32)), range(1, gradients.ndim)) / 2, others


def gradient_penalty(discriminate: Discriminate, real: jax.Array, fake: jax.Array, mix: jax.Array) -> jax.Array:
    """`(‖∇D(x)‖ - 1)²` at a random point x between each real and generated picture.

    Where `∇D(x)` is exactly zero the penalty is 1 and its gradient zero.

    Args:
      discriminate: Pictures -> scores `[N]`, each a function of its own picture (so no batch normalisation).
      real: `[N, ...]`.
      fake: Same shape.
      mix: `[N]` uniform in [0, 1], the weight of the real picture in x.

    Returns:
      `[N]` float32, non-negative.

    Raises:
      JaxstyleError: The shapes differ.

    References:
      Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", eq. 3 (there with weight 10).
    """
    if real.shape != fake.shape:
        raise JaxstyleError(f"real {real.shape} and generated {fake.shape} pictures differ in shape")
    weight = mix.reshape(-1, *(1,) * (real.ndim - 1)).astype(real.dtype)
    squared = squared_gradient_norms(discriminate, weight * real + (1 - weight) * fake)
    flat = squared == 0  # where the root's derivative is infinite
    norm = jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, squared)))
    return jnp.square(norm - 1)
