"""The U-Net: logits of every pixel's class, from features at several scales."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.ops.convolution import Conv
from jaxstyle.ops.functional import max_pool
from jaxstyle.ops.normalization import BatchNorm, InstanceNorm
from jaxstyle.ops.resampling import depth_to_space

INIT = nn.initializers.he_normal()


class Pair(nn.Module):
    """Two 3×3 convolutions, each with batch or instance normalisation and ReLU.

    Attributes:
      features: Output channels.
      dtype: Dtype of the computation; parameters are float32.
      axis: Name of the `pmap` axis, for batch normalisation.
      instance: Whether each picture is normalised by itself.
    """

    features: int
    dtype: Any = jnp.float32
    axis: str | None = "batch"
    instance: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """`[N, H, W, C]` -> `[N, H, W, features]`; in training by the batch's own statistics."""
        for _ in range(2):
            x = Conv(self.features, (3, 3), use_bias=False, kernel_init=INIT, dtype=self.dtype)(x)
            x = InstanceNorm()(x) if self.instance else BatchNorm(0, self.axis, self.dtype)(x, None, train)
            x = nn.relu(x)
        return x


class UNet(nn.Module):
    """U-Net for pictures of any size.

    Unlike the paper's it pads every convolution, so that every pixel gets a class, and has batch normalisation. The 2×2
    up-convolution is a matrix product and a rearrangement, since transposed convolutions are slow on CPUs (measured on
    one core, 64×64×32 to 128×128×16, batch 8: 51 ms forward for a 4×4 one).

    Attributes:
      classes: Number of classes; two for one kind of object and its background.
      width: Channels at full size, doubled by each halving; 64 in the paper.
      levels: Number of halvings.
      dtype: Dtype of the computation; parameters and logits are float32.
      remat: Whether the backward pass recomputes the convolutions of each scale instead of keeping their activations.
      axis: Name of the `pmap` axis, for batch normalisation.
      instance: Whether each picture is normalised by itself, not with its batch.

    References:
      Ronneberger, Fischer & Brox 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation", figure 1.
    """

    classes: int
    width: int = 64
    levels: int = 4
    dtype: Any = jnp.float32
    remat: bool = False
    axis: str | None = "batch"
    instance: bool = False

    @property
    def factor(self) -> int:
        """Divisor of the sides that the network runs on; others are padded by repeating edge pixels."""
        return 2**self.levels

    @property
    def radius(self) -> int:
        """The radius of the receptive field of a pixel's logits, in pixels."""
        radius = 2  # two convolutions at the coarsest scale, in its pixels
        for _ in range(self.levels):
            radius = 2 * radius + 1 + 4  # the other pixel pooled with this one, and four convolutions at this scale
        return radius

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Segments pictures.

        Args:
          images: `[N, H, W, C]` in [0, 1].
          train: Whether batch normalisation uses this batch's statistics.

        Returns:
          `[N, H, W, classes]` float32.
        """
        _, height, width, _ = images.shape
        pair = nn.remat(Pair, static_argnums=(2,)) if self.remat else Pair
        x, skips = padded(images.astype(self.dtype) * 2 - 1, self.factor), []
        for level in range(self.levels):
            x = pair(self.width << level, self.dtype, self.axis, self.instance, name=f"down{level}")(x, train)
            skips.append(x)
            x = max_pool(x)
        x = pair(self.width << self.levels, self.dtype, self.axis, self.instance, name="bottom")(x, train)
        for level in reversed(range(self.levels)):
            up = nn.Dense(4 * self.width << level, use_bias=False, dtype=self.dtype, name=f"double{level}")(x)
            x = jnp.concatenate([skips[level], depth_to_space(up)], -1)
            x = pair(self.width << level, self.dtype, self.axis, self.instance, name=f"up{level}")(x, train)
        logits = nn.Dense(self.classes, dtype=self.dtype, name="logits")(x)
        return logits[:, :height, :width].astype(jnp.float32)


def padded(x: jax.Array, factor: int) -> jax.Array:
    """Pads `[N, H, W, C]` by repeating its last row and column until both sides are multiples of `factor`."""
    below, right = -x.shape[1] % factor, -x.shape[2] % factor
    return jnp.pad(x, ((0, 0), (0, below), (0, right), (0, 0)), "edge") if below or right else x
