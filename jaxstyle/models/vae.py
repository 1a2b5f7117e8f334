"""The convolutional variational autoencoder, optionally class-conditional."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.models.autoencoder import Decoder, Encoder, coarse_shape


class VAE(nn.Module):
    """A VAE with Gaussian latents, a convolutional encoder and a sub-pixel decoder.

    Attributes:
      shape: Of a picture, `(H, W, C)`; H and W multiples of `2^len(widths)`.
      latents: Number of latents.
      widths: Channels after each halving.
      hidden: Width of the dense layer between feature maps and latents, on either side.
      blocks: Residual blocks on either side.
      classes: Number of labels of a conditional model; 0 for none.
      learned_scale: Whether the likelihood's scale, one a channel, is learned; a Bernoulli likelihood has none.
      dtype: Dtype of the computation; parameters and results are float32.
      remat: Whether the backward pass recomputes encoder and decoder instead of keeping their activations.
    """

    shape: tuple[int, int, int]
    latents: int = 32
    widths: tuple[int, ...] = (32, 64)
    hidden: int = 256
    blocks: int = 0
    classes: int = 0
    learned_scale: bool = False
    dtype: Any = jnp.float32
    remat: bool = False

    def setup(self) -> None:
        self.encoder = Encoder(self.widths, self.blocks, self.dtype, self.remat)
        self.fold = nn.Dense(self.hidden, dtype=self.dtype)
        self.posterior = nn.Dense(2 * self.latents, dtype=self.dtype)
        self.expand = nn.Dense(self.hidden, dtype=self.dtype, name="spread")  # its name in checkpoints
        self.unfold = nn.Dense(math.prod(self.coarse), dtype=self.dtype)
        self.decoder = Decoder(self.shape[-1], self.widths, self.blocks, self.learned_scale, self.dtype, self.remat)

    @property
    def coarse(self) -> tuple[int, int, int]:
        """Shape of a picture's coarsest feature maps."""
        return (*coarse_shape(self.shape, self.widths), self.widths[-1])

    def __call__(
        self, pictures: jax.Array, noise: jax.Array, labels: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """Encodes, draws latents and decodes.

        Args:
          pictures: `[N, H, W, C]` in [0, 1].
          noise: `[N, latents]` standard normal; zeros give the posterior's mean.
          labels: `[N]` int32 for a conditional model, else None.

        Returns:
          Logits `[N, H, W, C]` and log scale `[C]`, then the posterior's mean and log variance `[N, latents]`.
        """
        mean, log_variance = self.encode(pictures, labels)
        return *self.decode(mean + jnp.exp(log_variance / 2) * noise, labels), mean, log_variance

    def encode(self, pictures: jax.Array, labels: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """Encodes to the posterior's mean and log variance, each `[N, latents]`; arguments as in `__call__`."""
        x = nn.silu(self.encoder(pictures, self.one_hot(labels)))
        x = nn.silu(self.fold(x.reshape(x.shape[0], -1)))
        both = self.posterior(x).astype(jnp.float32)
        return both[:, : self.latents], both[:, self.latents :]

    def decode(self, latents: jax.Array, labels: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """Decodes latents `[N, latents]` to logits `[N, H, W, C]` and log scale `[C]`; see `Decoder`."""
        x, classes = latents.astype(self.dtype), self.one_hot(labels)
        x = nn.silu(self.expand(x if classes is None else jnp.concatenate([x, classes], -1)))
        x = self.unfold(x)
        return self.decoder(x.reshape(-1, *self.coarse))

    def one_hot(self, labels: jax.Array | None) -> jax.Array | None:
        """One-hot labels `[N, classes]`; None for a model without classes."""
        return jax.nn.one_hot(labels, self.classes, dtype=self.dtype) if self.classes else None
