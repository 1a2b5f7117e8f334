"""The hourglass network of "Deep Image Prior": its weights are optimised, its architecture is the image prior."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.ops.convolution import Conv


class Hourglass(nn.Module):
    """An encoder and decoder with narrow skip connections.

    Normalisation is over the picture (batch normalisation with a batch of one).

    Attributes:
      width: Channels of every level.
      skip: Channels of every skip connection.
      depth: Number of halvings; fewer where a side would fall below 4 pixels.

    References:
      Ulyanov, Vedaldi & Lempitsky 2018, "Deep Image Prior", supplementary figure 21.
    """

    width: int = 32
    skip: int = 4
    depth: int = 4

    @nn.compact
    def __call__(self, noise: jax.Array) -> jax.Array:
        """Computes the features of every pixel.

        Args:
          noise: `[H, W, C]`, the fixed input; each side has at least 8 pixels.

        Returns:
          `[H, W, width]`, to be mapped to colours linearly.
        """
        x, skips = noise, []
        for level in range(self.depth):
            if min(x.shape[:2]) < 8:
                break
            skips.append(self.layer(x, self.skip, 1, name=f"skip{level}"))
            x = self.layer(x, self.width, 3, stride=2, name=f"down{level}")
            x = self.layer(x, self.width, 3, name=f"inner{level}")
        for level, beside in reversed(list(enumerate(skips))):
            x = jax.image.resize(x, (*beside.shape[:2], x.shape[-1]), "linear")
            x = self.layer(jnp.concatenate([x, beside], axis=-1), self.width, 3, name=f"up{level}")
        return x

    def layer(self, x: jax.Array, features: int, size: int, *, stride: int = 1, name: str) -> jax.Array:
        """Applies a convolution, normalises every channel over the picture, and applies a leaky ReLU."""
        x = Conv(features, (size, size), strides=stride, name=name)(x)
        mean, variance = jnp.mean(x, (0, 1), keepdims=True), jnp.var(x, (0, 1), keepdims=True)
        scale = self.param(f"{name}_scale", nn.initializers.ones, (1, 1, features))
        shift = self.param(f"{name}_shift", nn.initializers.zeros, (1, 1, features))
        return nn.leaky_relu((x - mean) * jax.lax.rsqrt(variance + 1e-5) * scale + shift, 0.2)
