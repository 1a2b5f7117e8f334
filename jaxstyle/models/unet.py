"""The U-Net: a class for every pixel, from a picture seen at several scales."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.ops.conditioning import BatchNorm
from jaxstyle.ops.convolution import Conv
from jaxstyle.ops.functional import max_pool
from jaxstyle.ops.resampling import depth_to_space

INIT = nn.initializers.he_normal()


class Pair(nn.Module):
    """Twice a 3×3 convolution, batch normalisation and ReLU.

    Attributes:
      features: Output channels.
      dtype: In which it computes; parameters are float32.
      axis: Name of the devices' axis, for batch normalisation.
    """

    features: int
    dtype: Any = jnp.float32
    axis: str | None = "batch"

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """`[N, H, W, C]` -> `[N, H, W, features]`; in training by the batch's own statistics."""
        for _ in range(2):
            x = Conv(self.features, (3, 3), use_bias=False, kernel_init=INIT, dtype=self.dtype)(x)
            x = nn.relu(BatchNorm(0, self.axis, self.dtype)(x, None, train))
        return x


class UNet(nn.Module):
    """Pictures of any size to logits of every pixel's class.

    Against the paper: edges are padded, so that every pixel gets its class, and convolutions are batch-normalised. Its
    up-convolution, every pixel painting its own 2×2, is a matrix product and a rearrangement: a transposed convolution
    is slow on CPUs (measured on one core, 64×64×32 to 128×128×16, batch 8: 51 ms forward as a 4×4 one).

    Attributes:
      classes: Number of logits; two for one kind of object and its background.
      width: Channels at full size; twice as many after each halving. The paper has 64.
      levels: Halvings.
      dtype: In which it computes; parameters are float32, and so are the logits.
      remat: Whether the backward pass works out again what is between the scales, instead of keeping it.
      axis: Name of the devices' axis, for batch normalisation.

    References:
      Ronneberger, Fischer & Brox 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation", figure 1.
    """

    classes: int
    width: int = 64
    levels: int = 4
    dtype: Any = jnp.float32
    remat: bool = False
    axis: str | None = "batch"

    @property
    def factor(self) -> int:
        """Of which a side that needs no padding is a multiple."""
        return 2**self.levels

    @property
    def radius(self) -> int:
        """How many pixels away, at most, something in the picture can change a pixel's logits."""
        reach = 2  # of the convolutions at the coarsest scale, in its pixels
        for _ in range(self.levels):
            reach = 2 * reach + 1 + 4  # of the other pixel that shares one there, and of four convolutions here
        return reach

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Looks at pictures.

        Args:
          images: `[N, H, W, C]` in [0, 1].
          train: Whether batch normalisation goes by this batch's statistics.

        Returns:
          `[N, H, W, classes]` float32.
        """
        _, height, width, _ = images.shape
        pair = nn.remat(Pair, static_argnums=(2,)) if self.remat else Pair
        x, beside = padded(images.astype(self.dtype) * 2 - 1, self.factor), []
        for level in range(self.levels):
            x = pair(self.width << level, self.dtype, self.axis, name=f"down{level}")(x, train)
            beside.append(x)
            x = max_pool(x)
        x = pair(self.width << self.levels, self.dtype, self.axis, name="bottom")(x, train)
        for level in reversed(range(self.levels)):
            up = nn.Dense(4 * self.width << level, use_bias=False, dtype=self.dtype, name=f"double{level}")(x)
            x = jnp.concatenate([beside[level], depth_to_space(up)], -1)
            x = pair(self.width << level, self.dtype, self.axis, name=f"up{level}")(x, train)
        logits = nn.Dense(self.classes, dtype=self.dtype, name="logits")(x)
        return logits[:, :height, :width].astype(jnp.float32)


def padded(x: jax.Array, factor: int) -> jax.Array:
    """`[N, H, W, C]` with its last row and column repeated until both sides are multiples of `factor`."""
    below, beside = -x.shape[1] % factor, -x.shape[2] % factor
    return jnp.pad(x, ((0, 0), (0, below), (0, beside), (0, 0)), "edge") if below or beside else x
