"""The U-Net as a generator: pictures of one domain to pictures of another."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.models.unet import UNet


class UNetGenerator(nn.Module):
    """`UNet` with instance normalisation, whose logits are colours; the generator of pix2pix and DualGAN.

    Its features at every scale reach the output by a short way, so that contours stay where they are.

    Attributes:
      width: Channels at full size.
      levels: Halvings.
      dtype: Dtype of the convolutions; parameters and the result are float32.
    """

    styles = 1

    width: int = 64
    levels: int = 4
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, pictures: jax.Array, styles: jax.Array) -> jax.Array:
        """Translates `[N, H, W, 3]` in [0, 1] to the same; `styles` is there for the form of stylisation networks."""
        colors = UNet(3, self.width, self.levels, self.dtype, instance=True, name="unet")(pictures)
        return (1 + jnp.tanh(colors)) / 2
