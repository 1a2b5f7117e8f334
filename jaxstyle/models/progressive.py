"""Growing networks: a generator and a discriminator of 4×4 pictures, to which a size after the other is faded in.

References:
  Karras, Aila, Laine & Lehtinen 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation".
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.models import stylegan2
from jaxstyle.models.dcgan import levels_of
from jaxstyle.models.stylegan2 import sizes_of
from jaxstyle.ops.conditioning import LogitsHead
from jaxstyle.ops.functional import average_pool
from jaxstyle.ops.modulation import EqualConv, EqualDense, pixel_norm

OPTIONS = ("growth",)
"""Fields of a GAN's `model` for these networks that others may lack."""


def build(config: Any, shape: tuple[int, ...], classes: int) -> tuple[Generator, Discriminator]:
    """Makes the networks of a GAN, as `dcgan.build`."""
    levels_of(shape, 1)
    model, common = config.model, {"dtype": jnp.dtype(config.dtype), "remat": config.remat}
    return (
        Generator(shape, model.generator_width, classes or model.codes, **common),
        Discriminator(shape, model.discriminator_width, classes, codes=model.codes, **common),
    )


def rectified(x: jax.Array) -> jax.Array:
    """Leaky ReLU."""
    return nn.leaky_relu(x, 0.2)


def doubled(x: jax.Array) -> jax.Array:
    """`[N, H, W, C]` -> `[N, 2 H, 2 W, C]`, every pixel four times."""
    return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)


def faded(small: jax.Array, large: jax.Array, share: jax.Array | float) -> jax.Array:
    """The way from one array to another at a share of it, of which 0 and 1 are exactly one of them."""
    return (1 - share) * small + share * large


class Generator(nn.Module):
    """The generator.

    Attributes:
      shape: Of a picture at its largest, `(H, W, C)`.
      width: Channels of the largest feature maps; each smaller size has twice as many.
      classes: Number of labels, or of codes in their place; 0 for none.
      dtype: Dtype of the computation; parameters are float32.
      remat: Whether the backward pass recomputes every layer instead of keeping its activations.
      level: Largest size that is drawn, as a number of doublings; None is the whole picture.
      fades: `[levels + 1]` in [0, 1], how far each size is faded in, a constant or traced; None is all of them.
    """

    shape: tuple[int, ...]
    width: int = 32
    classes: int = 0
    dtype: Any = jnp.float32
    remat: bool = False
    level: int | None = None
    fades: Any = None

    @nn.compact
    def __call__(self, noise: jax.Array, labels: jax.Array | None = None, train: bool = False) -> jax.Array:
        """Generates pictures.

        Args:
          noise: `[N, Z]`, normal.
          labels: `[N]`, where there are classes.
          train: Not used; it is there for generators with batch normalisation.

        Returns:
          `[N, h, w, C]` float32, of about [-1, 1].
        """
        sizes = sizes_of(self.shape, self.width)
        last = len(sizes) - 1 if self.level is None else self.level
        convolve = nn.remat(EqualConv) if self.remat else EqualConv
        x = noise.astype(self.dtype)
        if self.classes:
            embed = nn.Embed(self.classes, noise.shape[1], self.dtype, embedding_init=nn.initializers.normal(1.0))
            x = jnp.concatenate([x, embed(labels)], -1)
        height, width, channels = sizes[0]
        x = EqualDense(height * width * channels, dtype=self.dtype, name="enter")(pixel_norm(x))
        x = pixel_norm(rectified(x.reshape(-1, height, width, channels)))
        picture = jnp.zeros((1, 1, 1, 1), self.dtype)
        for level, (_, _, channels) in enumerate(sizes[: last + 1]):
            for place in range(2) if level else (1,):
                x = x if place else doubled(x)
                x = pixel_norm(rectified(convolve(channels, dtype=self.dtype, name=f"conv{level}_{place}")(x)))
            if self.level is not None and level < last - 1:
                continue  # no longer seen
            own = EqualConv(self.shape[2], 1, dtype=self.dtype, name=f"picture{level}")(x)
            small = picture.shape[1] > 1
            picture = faded(doubled(picture), own, share_of(self.fades, level, self.dtype)) if small else own
        return picture.astype(jnp.float32)


def share_of(fades: Any, level: int, dtype: Any) -> Any:
    """The share, in [0, 1], to which a size is faded in."""
    return 1.0 if fades is None else fades[level].astype(dtype)


class Discriminator(stylegan2.Discriminator):
    """The discriminator, told of a minibatch's deviation as StyleGAN 2's is.

    Attributes:
      level: Size of the pictures, as a number of doublings; None is the largest.
      fades: As the generator's.
    """

    level: int | None = None
    fades: Any = None

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array | None = None, train: bool = False) -> jax.Array:
        """Scores pictures.

        Args:
          images: `[N, h, w, C]`, of about [-1, 1].
          labels: `[N]`, where there are classes.
          train: Whether the deviation is this batch's.

        Returns:
          Logits `[N]` float32, large for pictures taken for real.
        """
        sizes = sizes_of(self.shape, self.width)
        last = len(sizes) - 1 if self.level is None else self.level
        convolve = nn.remat(EqualConv) if self.remat else EqualConv
        images = images.astype(self.dtype)

        def entered(level: int) -> jax.Array:
            enter = EqualConv(sizes[level][2], 1, dtype=self.dtype, name=f"enter{level}")
            return rectified(enter(average_pool(images, 2 ** (last - level))))

        x = entered(last)
        for level in range(last, 0, -1):
            x = rectified(convolve(sizes[level][2], dtype=self.dtype, name=f"conv{level}_0")(x))
            x = rectified(convolve(sizes[level - 1][2], dtype=self.dtype, name=f"conv{level}_1")(x))
            x = average_pool(x)
            if self.level is None or level == last:  # those before are faded in
                x = faded(entered(level - 1), x, share_of(self.fades, level, self.dtype))
        spread = jnp.broadcast_to(self.deviation(x, train).astype(self.dtype), (*x.shape[:3], 1))
        x = rectified(EqualConv(sizes[0][2], dtype=self.dtype, name="last")(jnp.concatenate([x, spread], -1)))
        x = rectified(EqualDense(sizes[0][2], dtype=self.dtype, name="dense")(x.reshape(len(x), -1)))
        return LogitsHead(self.classes, self.codes, dtype=self.dtype, name="head")(x, labels)
