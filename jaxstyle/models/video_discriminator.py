"""A discriminator of clips, for adversarial losses of video prediction."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.models.dcgan import Discriminator


class VideoDiscriminator(nn.Module):
    """DCGAN's discriminator on frames concatenated along the channels, so that its logits depend on motion.

    Attributes:
      shape: Of a clip, `(T, H, W, C)`.
      width: Channels after the first layer; every later layer has twice as many.
      dtype: Dtype of the computation; parameters are float32.

    References:
      Mathieu, Couprie & LeCun 2016, "Deep Multi-scale Video Prediction beyond Mean Square Error", section 3.2, at one
      scale.
    """

    shape: tuple[int, ...]
    width: int = 32
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, clips: jax.Array) -> jax.Array:
        """Scores clips `[N, T, H, W, C]` in [0, 1], input frames included: logits `[N]`, large for real clips."""
        frames, height, width, channels = self.shape
        stacked = jnp.moveaxis(clips, 1, 3).reshape(-1, height, width, frames * channels)
        shape = (height, width, frames * channels)
        return Discriminator(shape, self.width, dtype=self.dtype)(stacked.astype(self.dtype) * 2 - 1)
