"""The convolutional halves that autoencoders are made of: pictures to feature maps, and feature maps to pictures."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.ops.convolution import Conv
from jaxstyle.ops.resampling import depth_to_space

LOG_SCALE = -2.0  # first log scale of pixels: about an eighth of the range


class Residual(nn.Module):
    """`x + conv(act(conv(act(x))))`, the second convolution from zero, so that a block begins as the identity.

    Attributes:
      dtype: In which it computes.
    """

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[N, H, W, C]` to the same shape."""
        y = Conv(x.shape[-1], (3, 3), dtype=self.dtype)(nn.silu(x))
        return x + Conv(x.shape[-1], (3, 3), dtype=self.dtype, kernel_init=nn.initializers.zeros)(nn.silu(y))


class Encoder(nn.Module):
    """A strided convolution a width, then residual blocks at the coarsest level, where they are cheapest.

    Attributes:
      widths: Channels after each halving.
      blocks: Residual blocks.
      dtype: In which it computes; parameters are float32.
      remat: Whether the backward pass works levels and blocks out again, instead of keeping what is in them.
    """

    widths: tuple[int, ...] = (32, 64)
    blocks: int = 1
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, pictures: jax.Array, classes: jax.Array | None = None) -> jax.Array:
        """Feature maps of pictures.

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
    """The encoder backwards: residual blocks, then a sub-pixel convolution a width.

    Attributes:
      channels: Of the pictures.
      widths: As the encoder's, from fine to coarse.
      blocks: Residual blocks at the coarsest level.
      learned_scale: Whether pixels have a scale, one a channel, that is learned; a Bernoulli likelihood has none.
      dtype: In which it computes; parameters are float32.
      remat: As the encoder's.
    """

    channels: int
    widths: tuple[int, ...] = (32, 64)
    blocks: int = 1
    learned_scale: bool = False
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """What the likelihoods of `jaxstyle.losses.variational` take.

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
    """`[N, H, W, C]` through so many residual blocks of the module that calls, worked out again if need be."""
    kind = nn.remat(Residual) if remat else Residual
    for number in range(blocks):
        x = kind(dtype, name=f"Residual_{number}")(x)
    return x


def coarse_shape(shape: tuple[int, ...], widths: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of the coarsest feature maps of pictures `(H, W, C)`.

    Raises:
      JaxstyleError: The pictures cannot be halved so often.
    """
    factor = 2 ** len(widths)
    if not widths or shape[0] % factor or shape[1] % factor:
        raise JaxstyleError(
            f"pictures of {shape[0]}×{shape[1]} cannot be halved {len(widths)} times (model.widths={widths}): "
            f"their sides must be multiples of {factor}; choose a size by --config.data.size={nearest(shape, factor)}"
        )
    return shape[0] // factor, shape[1] // factor


def nearest(shape: tuple[int, ...], factor: int) -> int:
    """A size near the pictures' that can be halved."""
    return max(1, math.ceil(min(shape[:2]) / factor)) * factor
