"""Variational losses: likelihoods of pictures, KL divergences of latents, and losses of vector quantisation.

All are per example, in nats and float32; nothing is averaged over a batch. The negative evidence lower bound
of an example is `sum(gaussian_kl(mean, log_variance), -1) - log_likelihood` (Kingma & Welling 2014, eq. 3).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError

PICTURE_AXES = (-3, -2, -1)
LEVELS = 256  # pixel values of discretised likelihoods


def gaussian_kl(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """KL divergence of a Gaussian from the standard normal, latent by latent.

    Kingma & Welling 2014, appendix B: `(μ² + σ² - 1 - log σ²) / 2`.

    Args:
      mean: `[..., D]`.
      log_variance: `[..., D]`, `log σ²`.

    Returns:
      `[..., D]` nats, non-negative; an example's KL is the sum over the last axis.

    Raises:
      JaxstyleError: The shapes differ.
    """
    check_same(mean, log_variance, "mean", "log variance")
    mean, log_variance = mean.astype(jnp.float32), log_variance.astype(jnp.float32)
    return (jnp.square(mean) + jnp.expm1(log_variance) - log_variance) / 2


def free_bits(kl: jax.Array, floor: jax.Array | float, batch_mean: jax.Array) -> jax.Array:
    """KL with free bits (Kingma et al. 2016, inverse autoregressive flow, appendix), each latent a group.

    The mean of the result over the batch is `Σ_d max(floor, batch_mean_d)`.

    Args:
      kl: `[..., D]` nats, of `gaussian_kl`.
      floor: Free nats a latent, at least 0.
      batch_mean: `[D]` nats, the mean of `kl` over the whole batch on all devices; it selects the latents above the
        floor, and has no gradient.

    Returns:
      `[...]` nats.
    """
    return jnp.sum(jnp.where(jnp.broadcast_to(batch_mean > floor, kl.shape), kl, floor), -1)


def kl_weight(beta: float, step: jax.Array, warmup: int) -> jax.Array:
    """The weight of the KL at a step, rising linearly from 0 to `beta` (Bowman et al. 2016; β: Higgins et al. 2017).

    Args:
      beta: Weight after the warm-up; 1 is the evidence lower bound.
      step: Scalar, steps taken.
      warmup: Steps over which it rises; 0 for a constant weight.

    Returns:
      Scalar float32.
    """
    share = jnp.minimum(step.astype(jnp.float32) / warmup, 1.0) if warmup else jnp.float32(1.0)
    return jnp.float32(beta) * share


def gaussian_log_density(x: jax.Array, mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """Log density of a Gaussian, `[..., D]` nats, latent by latent; all arguments `[..., D]`, broadcast."""
    return -(jnp.square(x - mean) * jnp.exp(-log_variance) + log_variance + math.log(2 * math.pi)) / 2


def bernoulli_log_likelihood(logits: jax.Array, log_scale: jax.Array, pictures: jax.Array) -> jax.Array:
    """Negative cross entropy of pixels with Bernoulli distributions; for binary pictures a log likelihood.

    `Σ x·l - log(1 + exp l)`, the protocol of flax's VAE example.

    Args:
      logits: `[..., H, W, C]`.
      log_scale: Not used; all likelihoods have one signature.
      pictures: `[..., H, W, C]` in [0, 1].

    Returns:
      `[...]` nats, at most 0.

    Raises:
      JaxstyleError: The shapes differ.
    """
    check_same(logits, pictures, "logits", "pictures")
    logits, pictures = logits.astype(jnp.float32), pictures.astype(jnp.float32)
    return jnp.sum(logits * pictures - jax.nn.softplus(logits), PICTURE_AXES)


def gaussian_log_likelihood(logits: jax.Array, log_scale: jax.Array, pictures: jax.Array) -> jax.Array:
    """Log density of pixels under Gaussians with mean `sigmoid(logits)` and one standard deviation a channel.

    Learning the deviation balances reconstruction and KL (Rybkin et al. 2021, σ-VAE).

    Args:
      logits: `[..., H, W, C]`.
      log_scale: `[C]`, log of the standard deviation, in units of the pictures.
      pictures: `[..., H, W, C]` in [0, 1].

    Returns:
      `[...]` nats; a density, so it may be positive.

    Raises:
      JaxstyleError: The shapes differ.
    """
    check_same(logits, pictures, "logits", "pictures")
    mean, log_scale = jax.nn.sigmoid(logits.astype(jnp.float32)), per_pixel(log_scale, logits)
    return jnp.sum(gaussian_log_density(pictures.astype(jnp.float32), mean, 2 * log_scale), PICTURE_AXES)


def discretized_logistic_log_likelihood(logits: jax.Array, log_scale: jax.Array, pictures: jax.Array) -> jax.Array:
    """Log probability of 8-bit pixels: the logistic distribution's mass in the bin of each level.

    Kingma et al. 2016 (inverse autoregressive flow, appendix), with the bins of Salimans et al. 2017 (PixelCNN++),
    eq. 2: 1/255 wide around each level, the first and last unbounded. The difference of two sigmoids is taken as the
    product `σ(b) - σ(a) = σ(b) σ(-a) (1 - exp(a - b))`, which is exact in the tails too.

    Args:
      logits: `[..., H, W, C]`; the distributions' means are `sigmoid(logits)`.
      log_scale: `[C]`, log of the scale, in units of the pictures.
      pictures: `[..., H, W, C]` in [0, 1], multiples of 1/255.

    Returns:
      `[...]` nats, at most 0.

    Raises:
      JaxstyleError: The shapes differ.
    """
    check_same(logits, pictures, "logits", "pictures")
    pictures, log_scale = pictures.astype(jnp.float32), per_pixel(log_scale, logits)
    half = 0.5 / (LEVELS - 1)
    offset, sharpness = pictures - jax.nn.sigmoid(logits.astype(jnp.float32)), jnp.exp(-log_scale)
    below_upper = jax.nn.log_sigmoid((offset + half) * sharpness)
    above_lower = jax.nn.log_sigmoid((half - offset) * sharpness)
    width = jnp.log(-jnp.expm1(-2 * half * sharpness))
    first, last = pictures < half, pictures > 1 - half
    inner = below_upper + above_lower + jnp.broadcast_to(width, offset.shape)
    return jnp.sum(jnp.where(first, below_upper, jnp.where(last, above_lower, inner)), PICTURE_AXES)


def per_pixel(log_scale: jax.Array, logits: jax.Array) -> jax.Array:
    """Reshapes `[C]` to broadcast over pictures, in float32."""
    return log_scale.astype(jnp.float32).reshape((1,) * (logits.ndim - 1) + (-1,))


LIKELIHOODS: dict[str, Callable[[jax.Array, jax.Array, jax.Array], jax.Array]] = {
    "bernoulli": bernoulli_log_likelihood,
    "gaussian": gaussian_log_likelihood,
    "discretized_logistic": discretized_logistic_log_likelihood,
}
"""Log likelihoods by name, `(logits, log_scale, pictures) -> [...]` nats; for all the mean is `sigmoid(logits)`."""


def straight_through(encoded: jax.Array, quantized: jax.Array) -> jax.Array:
    """The value of `quantized` with the gradient of `encoded` (van den Oord et al. 2017, section 3.2); same shapes."""
    check_same(encoded, quantized, "encoded", "quantized")
    return encoded + jax.lax.stop_gradient(quantized - encoded)


def codebook_loss(encoded: jax.Array, quantized: jax.Array) -> jax.Array:
    """Moves codes e to the encoder's outputs z: `‖sg(z) - e‖²` (van den Oord et al. 2017, eq. 3, second term).

    Args:
      encoded: z, `[..., h, w, D]`; it gets no gradient.
      quantized: e, `[..., h, w, D]`, the nearest codes.

    Returns:
      `[...]`, the squared distances summed over D and averaged over positions.

    Raises:
      JaxstyleError: The shapes differ.
    """
    check_same(encoded, quantized, "encoded", "quantized")
    difference = jax.lax.stop_gradient(encoded) - quantized
    return jnp.mean(jnp.sum(jnp.square(difference.astype(jnp.float32)), -1), (-2, -1))


def commitment_loss(encoded: jax.Array, quantized: jax.Array) -> jax.Array:
    """Keeps the encoder's outputs z near their codes e: `‖z - sg(e)‖²` (eq. 3, third term, without its weight β).

    Arguments, result and errors are those of `codebook_loss`; the gradient goes to `encoded`.
    """
    return codebook_loss(quantized, encoded)


def check_same(one: jax.Array, other: jax.Array, one_name: str, other_name: str) -> None:
    """Raises `JaxstyleError` for arrays of different shape, which would be broadcast."""
    if one.shape != other.shape:
        raise JaxstyleError(f"{one_name} {one.shape} and {other_name} {other.shape} differ in shape")
