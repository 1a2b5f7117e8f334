"""A discriminator of clips: it tells true continuations from foreseen ones."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.models.dcgan import Discriminator


class VideoDiscriminator(nn.Module):
    """Clips to logits: DCGAN's discriminator, the frames' channels beside each other, so that it sees motion.

    Attributes:
      shape: Of a clip, `(T, H, W, C)`.
      width: Channels after the first layer; every later layer has twice as many.
      dtype: In which it computes; parameters are float32.

    References:
      Mathieu, Couprie & LeCun 2016, "Deep Multi-scale Video Prediction beyond Mean Square Error", section 3.2, at one
      scale.
    """

    shape: tuple[int, ...]
    width: int = 32
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, clips: jax.Array) -> jax.Array:
        """Judges `[N, T, H, W, C]` in [0, 1], inputs included: logits `[N]`, large where it believes."""
        frames, height, width, channels = self.shape
        beside = jnp.moveaxis(clips, 1, 3).reshape(-1, height, width, frames * channels)
        shape = (height, width, frames * channels)
        return Discriminator(shape, self.width, dtype=self.dtype)(beside.astype(self.dtype) * 2 - 1)
