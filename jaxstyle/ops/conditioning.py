"""How a class label, a code, or the noise enters a layer of a generator or a discriminator. Without them each is the
unconditional layer."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import log_ndtr

from jaxstyle.ops.channels import channel_sum, spread

EPSILON = 1e-5  # beside a variance, as Ioffe & Szegedy have it
MODULATION = 32  # units between the noise and a scale, as Chen et al. have it

Modulators = tuple[jax.Array | None, jax.Array | None]
"""Labels or codes `[N]` and noise `[N, Z]`, each where a batch normalisation goes by it."""


class BatchNorm(nn.Module):
    """Batch normalisation over all devices; scale and shift chosen by the label where there are classes, and changed
    by the noise where it is given: self-modulation.

    The collection `batch_stats` is given the mean and variance of the last batch, not their running average: the
    training averages them as it averages the parameters that they belong to.

    Attributes:
      classes: Number of labels; 0 for none.
      axis: Name of the devices' axis, over which statistics are averaged; None outside of one.
      dtype: In which it computes; statistics and parameters are float32.

    References:
      Ioffe & Szegedy 2015; by class: Dumoulin, Shlens & Kudlur 2017, "A Learned Representation for Artistic Style";
      by noise: Chen, Lucic, Houlsby & Gelly 2019, "On Self Modulation for Generative Adversarial Networks", eq. 3.
    """

    classes: int = 0
    axis: str | None = "batch"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, labels: jax.Array | None, train: bool, noise: jax.Array | None = None
    ) -> jax.Array:
        """`[N, ..., C]` -> same shape; `labels` `[N]`, `noise` `[N, Z]`; in training by the batch's own statistics."""
        by_class, features = self.classes > 0, x.shape[-1]
        alike = (len(x), *(1,) * (x.ndim - 2), features)
        x = Normalized(not by_class, self.axis, name="BatchNorm_0")(x.astype(jnp.float32), train).astype(self.dtype)
        if noise is not None:
            between = nn.relu(nn.Dense(MODULATION, dtype=self.dtype, name="modulation")(noise.astype(self.dtype)))
            slope, offset = jnp.split(nn.Dense(2 * features, dtype=self.dtype, name="modulated")(between), 2, -1)
            x = x * (1 + slope.reshape(alike)) + offset.reshape(alike)
        if not by_class:
            return x
        ones, zeros = nn.initializers.ones, nn.initializers.zeros
        scale = nn.Embed(self.classes, features, embedding_init=ones, dtype=self.dtype, name="scale")(labels)
        shift = nn.Embed(self.classes, features, embedding_init=zeros, dtype=self.dtype, name="shift")(labels)
        return x * scale.reshape(alike) + shift.reshape(alike)


class Normalized(nn.Module):
    """`flax.linen.BatchNorm` without a memory, many times as fast on CPUs (`models.channels`).

    Attributes:
      affine: Whether it has a scale and a bias.
      axis: Name of the devices' axis, over which statistics are averaged; None outside of one.
    """

    affine: bool = True
    axis: str | None = "batch"

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """`[..., C]` float32 -> same shape, by the batch's own statistics or those of `batch_stats`."""
        shape, features = x.shape, (x.shape[-1],)
        mean = self.variable("batch_stats", "mean", jnp.zeros, features)
        var = self.variable("batch_stats", "var", jnp.ones, features)
        if train:
            begun = not self.is_initializing()
            moments = jnp.stack([channel_sum(x), channel_sum(jnp.square(x))]) / (x.size // x.shape[-1])
            first, second = lax.pmean(moments, self.axis) if self.axis and begun else moments
            center, variance = first, jnp.maximum(second - jnp.square(first), 0.0)
            if begun:
                mean.value, var.value = center, variance
        else:
            center, variance = mean.value, var.value
        factor = lax.rsqrt(variance + EPSILON)
        if self.affine:
            factor *= self.param("scale", nn.initializers.ones, features)
        x = (x - spread(center, shape)) * spread(factor, shape)
        return x + spread(self.param("bias", nn.initializers.zeros, features), shape) if self.affine else x


class Verdict(nn.Module):
    """The last layer of a discriminator: a linear map to one logit, plus the features' product with the label's own.

    With codes there is a second linear map, which guesses the code of a generated picture. Its logits `[N, codes]` are
    put into the collection `codes`.

    Attributes:
      classes: Number of labels; 0 for none.
      codes: Number of codes; 0 for none.
      kernel_init: Of all kernels.
      dtype: In which it computes; the logits are float32.

    References:
      Miyato & Koyama 2018, "cGANs with Projection Discriminator", eq. 3; codes: Chen et al. 2016, "InfoGAN", section 6.
    """

    classes: int = 0
    codes: int = 0
    kernel_init: Any = nn.initializers.lecun_normal()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array | None) -> jax.Array:
        """`[N, ...]` and `[N]` -> logits `[N]`."""
        flat = features.reshape(features.shape[0], -1).astype(self.dtype)
        logits = nn.Dense(1, kernel_init=self.kernel_init, dtype=self.dtype)(flat)[:, 0].astype(jnp.float32)
        if self.classes:
            own = nn.Embed(self.classes, flat.shape[-1], embedding_init=self.kernel_init, dtype=self.dtype)(labels)
            logits += jnp.sum((flat * own).astype(jnp.float32), -1)
        if self.codes:
            guess = nn.Dense(self.codes, kernel_init=self.kernel_init, dtype=self.dtype, name="guess")(flat)
            self.sow("codes", "logits", guess.astype(jnp.float32))
        return logits


def code_of(noise: jax.Array, shares: jax.Array) -> jax.Array:
    """The code that noise chooses, each as often as its share says.

    The noise's first numbers are made Gumbel's, whose maximum beside logarithms of shares is at each code with the
    probability of its share (Gumbel 1954). With equal shares it is the largest number's place.

    Args:
      noise: `[N, Z]`, normal; Z at least K.
      shares: `[K]`, from 0, of sum 1.

    Returns:
      `[N]` int32 in [0, K).
    """
    gumbel = -jnp.log(-log_ndtr(noise[:, : len(shares)]))
    return jnp.argmax(gumbel + jnp.log(shares)[None], -1).astype(jnp.int32)
