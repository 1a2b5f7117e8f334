"""The convolutional halves that autoencoders are made of: pictures to feature maps, and feature maps to pictures."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.models.convolution import Conv
from jaxstyle.models.resampling import depth_to_space

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
    """

    widths: tuple[int, ...] = (32, 64)
    blocks: int = 1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, pictures: jax.Array, classes: jax.Array | None = None) -> jax.Array:
        """Feature maps of pictures.

        Args:
          pictures: `[N, H, W, C]` in [0, 1].
          classes: One-hot `[N, classes]`, or None.

        Returns:
          `[N, H / 2^L, W / 2^L, widths[-1]]` with L halvings, not yet activated.
        """
        x = pictures.astype(self.dtype) * 2 - 1
        for level, width in enumerate(self.widths):
            x = Conv(width, (3, 3), strides=2, dtype=self.dtype)(nn.silu(x) if level else x)
            if classes is not None and not level:
                x += nn.Dense(width, use_bias=False, dtype=self.dtype)(classes)[:, None, None, :]
        for _ in range(self.blocks):
            x = Residual(self.dtype)(x)
        return x


class Decoder(nn.Module):
    """The encoder backwards: residual blocks, then a sub-pixel convolution a width.

    Attributes:
      channels: Of the pictures.
      widths: As the encoder's, from fine to coarse.
      blocks: Residual blocks at the coarsest level.
      learned_scale: Whether pixels have a scale, one a channel, that is learned; a Bernoulli likelihood has none.
      dtype: In which it computes; parameters are float32.
    """

    channels: int
    widths: tuple[int, ...] = (32, 64)
    blocks: int = 1
    learned_scale: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """What the likelihoods of `jaxstyle.losses.variational` take.

        Args:
          x: `[N, H / 2^L, W / 2^L, widths[-1]]`, not yet activated.

        Returns:
          Logits `[N, H, W, channels]`, whose sigmoid is the mean picture, and the log scale `[channels]` of pixels,
          zeros where it is not learned; both float32.
        """
        for _ in range(self.blocks):
            x = Residual(self.dtype)(x)
        for width in (*reversed(self.widths[:-1]), self.channels):
            x = depth_to_space(Conv(4 * width, (3, 3), dtype=self.dtype)(nn.silu(x)))
        first = nn.initializers.constant(LOG_SCALE)
        scale = self.param("log_scale", first, (self.channels,)) if self.learned_scale else jnp.zeros(self.channels)
        return x.astype(jnp.float32), scale


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
