"""The convolutional encoder and decoder of the autoencoders `vae` and `vqvae`."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.ops.convolution import Conv
from jaxstyle.ops.resampling import depth_to_space
from jaxstyle.runtime.settings import named

LOG_SCALE = -2.0  # initial log scale of pixels: e⁻², about an eighth of their range


class Residual(nn.Module):
    """`x + conv(act(conv(act(x))))`, with the second kernel initialised to 0, so that a block begins as the identity.

    Attributes:
      dtype: Dtype of the computation.
    """

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[N, H, W, C]` -> same shape."""
        y = Conv(x.shape[-1], (3, 3), dtype=self.dtype)(nn.silu(x))
        return x + Conv(x.shape[-1], (3, 3), dtype=self.dtype, kernel_init=nn.initializers.zeros)(nn.silu(y))


class Encoder(nn.Module):
    """Strided convolutions, then residual blocks at the coarsest level, where they are cheapest.

    Attributes:
      widths: Channels after each halving.
      blocks: Residual blocks.
      dtype: Dtype of the computation; parameters are float32.
      remat: Whether the backward pass recomputes levels and blocks instead of keeping their activations.
    """

    widths: tuple[int, ...] = (32, 64)
    blocks: int = 1
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, pictures: jax.Array, classes: jax.Array | None = None) -> jax.Array:
        """Encodes pictures.

        Args:
          pictures: `[N, H, W, C]` in [0, 1].
          classes: One-hot `[N, classes]`, or None.

        Returns:
          `[N, H / 2^L, W / 2^L, widths[-1]]` with L halvings, not yet activated.
        """
        halving = nn.remat(Encoder.halving, static_argnums=(2,)) if self.remat else Encoder.halving
        x = pictures.astype(self.dtype) * 2 - 1
        for level, width in enumerate(self.widths):
            x = halving(self, x, level)
            if classes is not None and not level:
                x += nn.Dense(width, use_bias=False, dtype=self.dtype)(classes)[:, None, None, :]
        return residuals(x, self.blocks, self.dtype, self.remat)

    def halving(self, x: jax.Array, level: int) -> jax.Array:
        """`[N, H, W, C]` -> `[N, H/2, W/2, widths[level]]`."""
        return Conv(self.widths[level], (3, 3), strides=2, dtype=self.dtype)(nn.silu(x) if level else x)


class Decoder(nn.Module):
    """Residual blocks at the coarsest level, then sub-pixel convolutions: the encoder in reverse.

    Attributes:
      channels: Channels of the pictures.
      widths: The encoder's widths, from fine to coarse.
      blocks: Residual blocks at the coarsest level.
      learned_scale: Whether the likelihood's scale, one a channel, is learned; a Bernoulli likelihood has none.
      dtype: Dtype of the computation; parameters are float32.
      remat: Whether the backward pass recomputes levels and blocks instead of keeping their activations.
    """

    channels: int
    widths: tuple[int, ...] = (32, 64)
    blocks: int = 1
    learned_scale: bool = False
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Decodes feature maps to the parameters of a likelihood of `jaxstyle.losses.variational`.

        Args:
          x: `[N, H / 2^L, W / 2^L, widths[-1]]`, not yet activated.

        Returns:
          Logits `[N, H, W, channels]`, whose sigmoid is the mean picture, and the log scale `[channels]` of pixels,
          zeros where it is not learned; both float32.
        """
        doubling = nn.remat(Decoder.doubling, static_argnums=(2,)) if self.remat else Decoder.doubling
        x = residuals(x, self.blocks, self.dtype, self.remat)
        for width in (*reversed(self.widths[:-1]), self.channels):
            x = doubling(self, x, width)
        first = nn.initializers.constant(LOG_SCALE)
        scale = self.param("log_scale", first, (self.channels,)) if self.learned_scale else jnp.zeros(self.channels)
        return x.astype(jnp.float32), scale

    def doubling(self, x: jax.Array, width: int) -> jax.Array:
        """`[N, H, W, C]` -> `[N, 2 H, 2 W, width]`."""
        return depth_to_space(Conv(4 * width, (3, 3), dtype=self.dtype)(nn.silu(x)))


def residuals(x: jax.Array, blocks: int, dtype: Any, remat: bool) -> jax.Array:
    """Applies residual blocks to `[N, H, W, C]`, as submodules `Residual_0`, `Residual_1`, … of the calling module."""
    kind = nn.remat(Residual) if remat else Residual
    for number in range(blocks):
        x = kind(dtype, name=f"Residual_{number}")(x)
    return x


def coarse_shape(shape: tuple[int, ...], widths: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of the coarsest feature maps.

    Args:
      shape: Of the pictures, `(H, W, C)`.
      widths: Channels after each halving.

    Raises:
      JaxstyleError: A side is no multiple of `2^len(widths)`.
    """
    factor = 2 ** len(widths)
    if not widths or shape[0] % factor or shape[1] % factor:
        raise JaxstyleError(
            f"pictures of {shape[0]}×{shape[1]} cannot be halved {len(widths)} times (model.widths={widths}): "
            f"their sides must be multiples of {factor}; choose a size by {named('data.size')}={nearest(shape, factor)}"
        )
    return shape[0] // factor, shape[1] // factor


def nearest(shape: tuple[int, ...], factor: int) -> int:
    """The multiple of `factor` at or above the shorter side."""
    return max(1, math.ceil(min(shape[:2]) / factor)) * factor
