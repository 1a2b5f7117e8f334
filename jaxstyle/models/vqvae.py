"""The vector-quantised variational autoencoder (VQ-VAE) and the autoregressive prior of its codes."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.losses.variational import straight_through
from jaxstyle.models.autoencoder import Decoder, Encoder, coarse_shape
from jaxstyle.ops.convolution import Conv


class VQVAE(nn.Module):
    """VQ-VAE (van den Oord et al. 2017) on the unit sphere (Yu et al. 2022, "ViT-VQGAN", section 3.2).

    Codes and encodings have unit length, so that they cannot grow apart and more codes stay in use.

    Attributes:
      shape: Of a picture, `(H, W, C)`; H and W multiples of `2^len(widths)`.
      codes: Number of codes in the codebook.
      code_width: Dimension of a code.
      widths: Channels after each halving.
      blocks: Residual blocks on either side.
      prior_blocks: Residual blocks of the prior.
      learned_scale: Whether the likelihood's scale, one a channel, is learned; a Bernoulli likelihood has none.
      dtype: Dtype of the computation; parameters and results are float32.
      remat: Whether the backward pass recomputes encoder and decoder instead of keeping their activations.
    """

    shape: tuple[int, int, int]
    codes: int = 64
    code_width: int = 8
    widths: tuple[int, ...] = (32, 64)
    blocks: int = 1
    prior_blocks: int = 3
    learned_scale: bool = False
    dtype: Any = jnp.float32
    remat: bool = False

    def setup(self) -> None:
        self.encoder = Encoder(self.widths, self.blocks, self.dtype, self.remat)
        self.to_codes = nn.Dense(self.code_width, dtype=self.dtype)
        self.codebook = self.param("codebook", nn.initializers.normal(1.0), (self.codes, self.code_width))
        self.from_codes = nn.Dense(self.widths[-1], dtype=self.dtype)
        self.decoder = Decoder(self.shape[-1], self.widths, self.blocks, self.learned_scale, self.dtype, self.remat)
        self.prior_network = CodePrior(self.codes, self.widths[-1], self.prior_blocks, self.dtype)

    @property
    def coarse_shape(self) -> tuple[int, int]:
        """Height and width of a picture's codes."""
        return coarse_shape(self.shape, self.widths)

    def __call__(self, pictures: jax.Array) -> dict[str, jax.Array]:
        """Encodes, quantises and decodes.

        Args:
          pictures: `[N, H, W, C]` in [0, 1].

        Returns:
          Dict of `encoded` and `quantized` `[N, h, w, code_width]`, for the losses of quantisation; their `indices`
          `[N, h, w]` int32; `logits` `[N, H, W, C]` and `log_scale` `[C]`, for the likelihood; and `prior`
          `[N, h, w, codes]`, the prior's logits of each code given those before it.
        """
        encoded = self.encode(pictures)
        indices = self.nearest(encoded)
        quantized = unit(self.codebook)[indices]
        logits, log_scale = self.decode_vectors(straight_through(encoded, quantized))
        return {
            "encoded": encoded,
            "quantized": quantized,
            "indices": indices,
            "logits": logits,
            "log_scale": log_scale,
            "prior": self.prior(indices),
        }

    def encode(self, pictures: jax.Array) -> jax.Array:
        """Encodes pictures `[N, H, W, C]` to unit vectors `[N, h, w, code_width]`, float32."""
        return unit(self.to_codes(nn.silu(self.encoder(pictures))).astype(jnp.float32))

    def nearest(self, encoded: jax.Array) -> jax.Array:
        """Indices `[N, h, w]` int32 of the codes nearest to unit vectors `[N, h, w, code_width]`."""
        return jnp.argmax(jnp.einsum("nhwd,kd->nhwk", encoded, unit(self.codebook)), -1)  # largest cosine

    def decode(self, indices: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Decodes codes `[N, h, w]` int32 to logits `[N, H, W, C]` and log scale `[C]`; see `Decoder`."""
        return self.decode_vectors(unit(self.codebook)[indices])

    def decode_vectors(self, quantized: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Decodes code vectors `[N, h, w, code_width]` to logits and log scale."""
        return self.decoder(self.from_codes(quantized.astype(self.dtype)))

    def prior(self, indices: jax.Array) -> jax.Array:
        """Logits `[N, h, w, codes]` of each of the codes `[N, h, w]` int32 given those before it, in reading order."""
        return self.prior_network(indices)


class CodePrior(nn.Module):
    """A small PixelCNN over codes (van den Oord et al. 2016): each logit depends on codes above and to the left alone.

    Attributes:
      codes: Number of codes in the codebook.
      width: Channels.
      blocks: Residual blocks.
      dtype: Dtype of the computation; parameters are float32.
    """

    codes: int
    width: int = 64
    blocks: int = 3
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, indices: jax.Array) -> jax.Array:
        """Codes `[N, h, w]` int32 -> logits `[N, h, w, codes]` float32."""
        x = nn.Embed(self.codes, self.width, dtype=self.dtype)(indices)
        x = self.masked(5, include_center=False)(x)
        for _ in range(self.blocks):
            x += self.masked(3, include_center=True)(nn.silu(x))
        return nn.Dense(self.codes, dtype=self.dtype)(nn.silu(x)).astype(jnp.float32)

    def masked(self, side: int, *, include_center: bool) -> nn.Conv:
        """A masked convolution; see `causal_mask`."""
        mask = causal_mask(side, include_center=include_center) * np.ones((1, 1, self.width, self.width), np.float32)
        return Conv(self.width, (side, side), mask=jnp.asarray(mask), dtype=self.dtype)


def causal_mask(side: int, *, include_center: bool) -> np.ndarray:
    """A kernel's mask `[side, side, 1, 1]` float32: 1 before the centre in reading order, on it if included, else 0."""
    places, center = np.arange(side**2).reshape(side, side, 1, 1), side**2 // 2
    return (places <= center if include_center else places < center).astype(np.float32)


def unit(vectors: jax.Array) -> jax.Array:
    """Scales vectors `[..., D]` to length 1."""
    return vectors / jnp.sqrt(jnp.sum(jnp.square(vectors), -1, keepdims=True) + 1e-12)
