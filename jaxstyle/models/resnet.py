"""Residual networks for small pictures: the CIFAR-10 ResNets of 20, 32, 44, 56 or 110 layers.

Reference:
  He et al. 2016, "Deep Residual Learning for Image Recognition", arXiv 1512.03385, section 4.2.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.ops.convolution import Conv
from jaxstyle.ops.functional import average_pool
from jaxstyle.ops.normalization import BatchNorm

STAGES = 3


class ResNet(nn.Module):
    """A convolution, three stages of residual blocks, a mean over positions, and a logits head.

    The second and third stage halve the sides and double the channels. Shortcuts have no parameters (the paper's
    option A): there they are 2×2 averages (the paper takes every second pixel) padded with zero channels.

    Attributes:
      classes: Number of classes.
      depth: Layers with parameters, 6 n + 2 for n blocks a stage: 20 has 0.27 million parameters, 56 has 0.85.
      width: Channels of the first stage.
      dropout: Rate at which the last features are dropped in training.
      dtype: Dtype of the computation; parameters, statistics and logits are float32.
      remat: Whether the backward pass recomputes every block instead of keeping its activations.
      axis: Name of the `pmap` axis, for batch normalisation.
    """

    classes: int = 10
    depth: int = 20
    width: int = 16
    dropout: float = 0.0
    dtype: Any = jnp.float32
    remat: bool = False
    axis: str | None = "batch"

    @property
    def features(self) -> int:
        """Channels of the last stage."""
        return self.width << (STAGES - 1)

    @nn.compact
    def __call__(
        self, images: jax.Array, train: bool = False, noise: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Classifies pictures.

        Args:
          images: `[N, H, W, C]` in [0, 1], at least 4 pixels a side.
          train: Whether batch normalisation uses this batch's statistics.
          noise: `[N, features]` uniform in [0, 1), for dropout; None in evaluation.

        Returns:
          Logits `[N, classes]` and the features before them `[N, 4 width]`, both float32.
        """
        kind = nn.remat(Block, static_argnums=(2,)) if self.remat else Block
        x = images.astype(self.dtype) * 2 - 1
        x = Normed(self.width, train, 1, self.dtype, self.axis)(x)
        for stage in range(STAGES):
            for number in range(blocks_of(self.depth)):
                halves = stage > 0 and number == 0
                name = f"stage{stage + 1}_block{number + 1}"
                x = kind(self.width << stage, halves, self.dtype, self.axis, name=name)(x, train)
        x = jnp.mean(x.astype(jnp.float32), (1, 2))
        kept = x if noise is None else jnp.where(noise >= self.dropout, x / (1 - self.dropout), 0.0)
        logits = nn.Dense(self.classes, dtype=self.dtype)(kept.astype(self.dtype))
        return logits.astype(jnp.float32), x


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut.

    Attributes:
      features: Output channels.
      halves: Whether the first convolution has stride 2, and the shortcut is pooled.
      dtype: Dtype of the computation.
      axis: Name of the `pmap` axis.
    """

    features: int
    halves: bool = False
    dtype: Any = jnp.float32
    axis: str | None = "batch"

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """`[N, H, W, C]` -> `[N, H, W, features]`, or `[N, ⌊H/2⌋, ⌊W/2⌋, features]`."""
        convolution = partial(Normed, self.features, train, dtype=self.dtype, axis=self.axis)
        short = x
        if self.halves:
            x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
            short = average_pool(x)
        y = convolution(2 if self.halves else 1)(x)
        y = convolution(1, rectified=False)(y)
        more = self.features - short.shape[-1]
        return nn.relu(y + (jnp.pad(short, ((0, 0), (0, 0), (0, 0), (0, more))) if more else short))


class Normed(nn.Module):
    """A 3×3 convolution, batch normalisation over all devices, and optionally a ReLU.

    Attributes:
      features: Output channels.
      train: Whether batch normalisation uses this batch's statistics.
      stride: Step in pixels.
      dtype: Dtype of the computation; statistics are float32.
      axis: Name of the `pmap` axis.
      rectified: Whether there is a ReLU.
    """

    features: int
    train: bool
    stride: int = 1
    dtype: Any = jnp.float32
    axis: str | None = "batch"
    rectified: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[N, H, W, C]` -> `[N, H/stride, W/stride, features]`."""
        steps, init = (self.stride, self.stride), nn.initializers.he_normal()
        x = Conv(self.features, (3, 3), steps, use_bias=False, kernel_init=init, dtype=self.dtype)(x)
        x = BatchNorm(0, self.axis, self.dtype)(x, None, self.train)
        return nn.relu(x) if self.rectified else x


def blocks_of(depth: int) -> int:
    """The number of blocks a stage of a network with `depth` layers.

    Raises:
      JaxstyleError: The depth is not 6 n + 2.
    """
    blocks, left = divmod(depth - 2, 2 * STAGES)
    if blocks < 1 or left:
        raise JaxstyleError(f"model.depth is {depth}; a residual network has 20, 32, 44, 56 or another 6 n + 2 layers")
    return blocks
