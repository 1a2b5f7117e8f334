"""The residual generator and discriminator of SN-GAN, for spectral normalisation and class labels.

References:
  Miyato, Kataoka, Koyama & Yoshida 2018, "Spectral Normalization for Generative Adversarial Networks", tables 4 to 6.
  Miyato & Koyama 2018, "cGANs with Projection Discriminator", figure 14.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.models.dcgan import levels_of
from jaxstyle.ops.conditioning import LogitsHead, Modulators
from jaxstyle.ops.convolution import Conv
from jaxstyle.ops.functional import average_pool
from jaxstyle.ops.normalization import BatchNorm
from jaxstyle.ops.strided import Double, Halve

INIT = nn.initializers.xavier_uniform()
OPTIONS = ("self_modulation",)
"""Fields of a GAN's `model` for these networks that others may lack."""


def build(config: Any, shape: tuple[int, ...], classes: int) -> tuple[Generator, Discriminator]:
    """Makes the networks of a GAN, as `dcgan.build`."""
    levels_of(shape)
    model = config.model
    common = {"dtype": jnp.dtype(config.dtype), "remat": config.remat}
    return (
        Generator(shape, model.generator_width, classes or model.codes, model.self_modulation, **common),
        Discriminator(shape, model.discriminator_width, classes, model.codes, **common),
    )


def convolution(features: int, side: int, dtype: Any, bias: bool = True) -> nn.Conv:
    """A convolution with stride 1 and zero padding."""
    return Conv(features, (side, side), use_bias=bias, kernel_init=INIT, dtype=dtype)


def upsampled(x: jax.Array) -> jax.Array:
    """Nearest-neighbour upsampling, `[N, H, W, C]` -> `[N, 2 H, 2 W, C]`."""
    n, h, w, c = x.shape
    return jnp.broadcast_to(x[:, :, None, :, None], (n, h, 2, w, 2, c)).reshape(n, 2 * h, 2 * w, c)


class Generator(nn.Module):
    """The generator: noise to pictures, with class-conditional batch normalisation.

    Attributes:
      shape: Of a picture, `(H, W, C)`.
      width: Channels of every block; the paper's 256 at 32 px.
      classes: Number of labels, or of codes in their place; 0 for none.
      self_modulation: Whether every batch normalisation's scale and shift depend on the noise, too.
      dtype: Dtype of the computation; parameters are float32.
      remat: Whether the backward pass recomputes every block instead of keeping its activations.
      axis: Name of the `pmap` axis, for batch normalisation.
    """

    shape: tuple[int, ...]
    width: int = 256
    classes: int = 0
    self_modulation: bool = False
    dtype: Any = jnp.float32
    remat: bool = False
    axis: str | None = "batch"

    @nn.compact
    def __call__(self, noise: jax.Array, labels: jax.Array | None = None, train: bool = False) -> jax.Array:
        """Generates pictures.

        Args:
          noise: `[N, Z]`, normal.
          labels: `[N]`, where there are classes.
          train: Whether batch normalisation uses this batch's statistics.

        Returns:
          `[N, H, W, C]` float32 in (-1, 1).
        """
        block = nn.remat(Generator.block, static_argnums=(3,)) if self.remat else Generator.block
        modulators = labels, noise if self.self_modulation else None
        levels = levels_of(self.shape)
        height, width = (side >> levels for side in self.shape[:2])
        x = nn.Dense(height * width * self.width, kernel_init=INIT, dtype=self.dtype)(noise.astype(self.dtype))
        x = x.reshape(-1, height, width, self.width)
        for _ in range(levels):
            x = block(self, x, modulators, train)
        x = nn.relu(BatchNorm(0, self.axis, self.dtype)(x, None, train))
        return jnp.tanh(convolution(self.shape[2], 3, self.dtype)(x).astype(jnp.float32))

    def block(self, x: jax.Array, modulators: Modulators, train: bool) -> jax.Array:
        """Two convolutions beside a shortcut, `[N, H, W, C]` -> `[N, 2 H, 2 W, width]`."""
        labels, noise = modulators

        def activated(x: jax.Array) -> jax.Array:
            return nn.relu(BatchNorm(self.classes, self.axis, self.dtype)(x, labels, train, noise))

        # No biases: the next batch normalisation would remove them.
        inner = Double(self.width, True, bias=False, kernel_init=INIT, dtype=self.dtype)(activated(x))
        inner = convolution(self.width, 3, self.dtype, bias=False)(activated(inner))
        return inner + upsampled(convolution(self.width, 1, self.dtype, bias=False)(x))


class Discriminator(nn.Module):
    """The discriminator: blocks that halve the sides to 8 to 15 px, two that do not, a sum over positions, the logits.

    Attributes:
      shape: Of a picture, `(H, W, C)`.
      width: Channels of every block; the paper's 128 at 32 px.
      classes: Number of labels; 0 for none.
      codes: Number of codes, which a second head predicts; 0 for none.
      dtype: Dtype of the computation; parameters are float32.
      remat: Whether the backward pass recomputes every block instead of keeping its activations.
    """

    shape: tuple[int, ...]
    width: int = 128
    classes: int = 0
    codes: int = 0
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array | None = None, train: bool = False) -> jax.Array:
        """Scores pictures.

        Args:
          images: `[N, H, W, C]` in [-1, 1].
          labels: `[N]`, where there are classes.
          train: Not used; it is there for discriminators with batch normalisation.

        Returns:
          Logits `[N]` float32, large for pictures taken for real.
        """

        def method(function: Any, *static: int) -> Any:
            return nn.remat(function, static_argnums=static) if self.remat else function

        halving, block = method(Discriminator.halving, 2), method(Discriminator.block)
        x = images.astype(self.dtype)
        for number in range(levels_of(self.shape) - 1):
            x = halving(self, x, number > 0)
        for _ in range(2):
            x = block(self, x)
        head = LogitsHead(self.classes, self.codes, INIT, self.dtype, name="Verdict_0")  # its name in checkpoints
        return head(jnp.sum(nn.relu(x), (1, 2)), labels)

    def halving(self, x: jax.Array, rectifies: bool) -> jax.Array:
        """Two convolutions, the second pooled, beside a pooled shortcut, `[N, H, W, C]` -> `[N, H/2, W/2, width]`."""
        inner = convolution(self.width, 3, self.dtype)(nn.relu(x) if rectifies else x)
        inner = Halve(self.width, pooled=True, kernel_init=INIT, dtype=self.dtype)(nn.relu(inner))
        return inner + convolution(self.width, 1, self.dtype)(average_pool(x))

    def block(self, x: jax.Array) -> jax.Array:
        """Two convolutions beside a shortcut, `[N, H, W, width]` -> same shape."""
        inner = convolution(self.width, 3, self.dtype)(nn.relu(x))
        return x + convolution(self.width, 3, self.dtype)(nn.relu(inner))
