"""DCGAN: a generator of transposed convolutions and a discriminator of strided ones.

At 28 px the smallest feature maps are 7×7, two layers from the picture: the usual network for handwritten digits, with
`hidden=1024` InfoGAN's. At 32 px and 64 px they are 4×4, with three and four layers: DCGAN.

References:
  Radford, Metz & Chintala 2016, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
  Networks", section 3 and figure 1.
  Chen et al. 2016, "InfoGAN", table 1.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.ops.conditioning import LogitsHead, Modulators
from jaxstyle.ops.normalization import BatchNorm
from jaxstyle.ops.strided import Double, Halve
from jaxstyle.runtime.settings import named

INIT = nn.initializers.normal(0.02)
OPTIONS = ("hidden", "self_modulation", "batch_norm")
"""Fields of a GAN's `model` for these networks that others may lack."""


def build(config: Any, shape: tuple[int, ...], classes: int) -> tuple[Generator, Discriminator]:
    """Makes the networks of a GAN.

    Args:
      config: The recipe: its `model`, `dtype` and `remat`.
      shape: Of a picture, `(H, W, C)`.
      classes: Number of labels that both are conditioned on; 0 for none.

    Returns:
      Generator and discriminator. A generator may have a penalty of its own: `memory()` is its state before the first
      step, `penalty` as that of `stylegan2.Generator` the rest.

    Raises:
      JaxstyleError: They make no pictures of this size.
    """
    levels_of(shape)
    model = config.model
    common = {"hidden": model.hidden, "dtype": jnp.dtype(config.dtype), "remat": config.remat}
    return (
        Generator(
            shape,
            model.generator_width,
            classes=classes or model.codes,
            self_modulation=model.self_modulation,
            **common,
        ),
        Discriminator(
            shape, model.discriminator_width, classes=classes, codes=model.codes, norm=model.batch_norm, **common
        ),
    )


def levels_of(shape: tuple[int, ...], least: int = 2, patch: int = 1) -> int:
    """The number of halvings that bring the shorter side of a picture to 4 to 7 pixels, or patches.

    Args:
      shape: `(H, W, C)`.
      least: Smallest number of halvings allowed.
      patch: Pixels a side of a patch.

    Raises:
      JaxstyleError: There are fewer halvings, or a side cannot be halved so often.
    """
    height, width, _ = shape
    levels = max(0, (min(height, width) // patch // 4).bit_length() - 1)
    if levels < least or height % (patch << levels) or width % (patch << levels):
        raise JaxstyleError(
            f"these networks make no pictures of {width}x{height} pixels, whose sides cannot be halved down to 4 to 7 "
            f"pixels; 28, 32, 48 and 64 are sides that can ({named('data.size')}=32)"
        )
    return levels


class Generator(nn.Module):
    """The generator: noise to pictures, with class-conditional batch normalisation.

    Measured: with the label's embedding concatenated to the noise instead, all pictures of a class became the same
    within an epoch, and stayed so (mode collapse), since the label's part of the input outweighed the noise.

    Attributes:
      shape: Of a picture, `(H, W, C)`.
      width: Input channels of the last layer; every layer before it has twice as many as the next.
      hidden: Units of a dense layer between the noise and the smallest feature maps; 0 for none.
      classes: Number of labels, or of codes in their place; 0 for none.
      self_modulation: Whether every batch normalisation's scale and shift depend on the noise, too.
      dtype: Dtype of the computation; parameters are float32.
      remat: Whether the backward pass recomputes every doubling instead of keeping its activations.
      axis: Name of the `pmap` axis, for batch normalisation.
    """

    shape: tuple[int, ...]
    width: int = 64
    hidden: int = 0
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

        def dense(units: int, x: jax.Array) -> jax.Array:
            return nn.Dense(units, use_bias=False, kernel_init=INIT, dtype=self.dtype)(x)

        layer = nn.remat(Generator.layer, static_argnums=(2, 4)) if self.remat else Generator.layer
        modulators = labels, noise if self.self_modulation else None
        levels = levels_of(self.shape)
        height, width = (side >> levels for side in self.shape[:2])
        channels = [self.width << level for level in reversed(range(levels))]
        square, units = (-1, height, width, channels[0]), height * width * channels[0]
        x = noise.astype(self.dtype)
        if self.hidden:
            x = self.normalized(dense(self.hidden, x), modulators, train)
            # Normalised unit by unit, as in InfoGAN. Normalised by channel over positions, a pattern common to all
            # noise, from the previous units' nonzero means, would pass: mode collapse (measured, after 4 epochs).
            x = self.normalized(dense(units, x), modulators, train).reshape(square)
        else:
            x = self.normalized(dense(units, x).reshape(square), modulators, train)
        for features in channels[1:]:
            x = layer(self, x, features, modulators, train)
        return jnp.tanh(Double(self.shape[2], kernel_init=INIT, dtype=self.dtype)(x).astype(jnp.float32))

    def layer(self, x: jax.Array, features: int, modulators: Modulators, train: bool) -> jax.Array:
        """A transposed convolution, batch normalisation and ReLU, `[N, H, W, C]` -> `[N, 2 H, 2 W, features]`."""
        return self.normalized(Double(features, bias=False, kernel_init=INIT, dtype=self.dtype)(x), modulators, train)

    def normalized(self, x: jax.Array, modulators: Modulators, train: bool) -> jax.Array:
        """Applies batch normalisation and ReLU."""
        labels, noise = modulators
        return nn.relu(BatchNorm(self.classes, self.axis, self.dtype)(x, labels, train, noise))


class Discriminator(nn.Module):
    """The discriminator: pictures to logits.

    Attributes:
      shape: Of a picture, `(H, W, C)`.
      width: Channels after the first layer; every later layer has twice as many.
      hidden: Units of a dense layer between the last feature maps and the logits head; 0 for none.
      classes: Number of labels; 0 for none.
      codes: Number of codes, which a second head predicts; 0 for none.
      norm: Whether layers after the first are batch-normalised, as in the paper. A logit then depends on the other
        pictures of its batch, which gradient penalties do not allow.
      dtype: Dtype of the computation; parameters are float32.
      remat: Whether the backward pass recomputes every halving instead of keeping its activations.
      axis: Name of the `pmap` axis, for batch normalisation.
    """

    shape: tuple[int, ...]
    width: int = 64
    hidden: int = 0
    classes: int = 0
    codes: int = 0
    norm: bool = False
    dtype: Any = jnp.float32
    remat: bool = False
    axis: str | None = "batch"

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array | None = None, train: bool = False) -> jax.Array:
        """Scores pictures.

        Args:
          images: `[N, H, W, C]` in [-1, 1].
          labels: `[N]`, where there are classes.
          train: Whether batch normalisation uses this batch's statistics.

        Returns:
          Logits `[N]` float32, large for pictures taken for real.
        """
        layer = nn.remat(Discriminator.layer, static_argnums=(2, 3)) if self.remat else Discriminator.layer
        x = images
        for level in range(levels_of(self.shape)):
            x = layer(self, x, level, train)
        if self.hidden:
            x = nn.Dense(self.hidden, kernel_init=INIT, dtype=self.dtype)(x.reshape(x.shape[0], -1))
            x = nn.leaky_relu(x, 0.2)
        head = LogitsHead(self.classes, self.codes, INIT, self.dtype, name="Verdict_0")  # its name in checkpoints
        return head(x, labels)

    def layer(self, x: jax.Array, level: int, train: bool) -> jax.Array:
        """A strided convolution, batch normalisation where `norm` asks for it, and leaky ReLU."""
        norm = self.norm and level > 0
        x = Halve(self.width << level, bias=not norm, kernel_init=INIT, dtype=self.dtype)(x)
        x = BatchNorm(0, self.axis, self.dtype)(x, None, train) if norm else x
        return nn.leaky_relu(x, 0.2)
