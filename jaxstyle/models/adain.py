"""Adaptive instance normalisation: any picture's style in one pass (Huang & Belongie 2017).

Like `StyleNetwork` it is cut into segments where it needs to know statistics of the whole picture: an encoder that is
a fixed VGG, and a decoder that mirrors it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.features.vgg import VGG
from jaxstyle.losses.style import standard_deviation
from jaxstyle.models.style_network import ConvolutionNorm, Piece
from jaxstyle.ops import reflected
from jaxstyle.ops.functional import average_pool
from jaxstyle.ops.moments import Moments, combine, moments


def adain(
    features: jax.Array, shares: jax.Array, seen: Moments, styles: Moments, strength: jax.Array | float = 1.0
) -> jax.Array:
    """Features given the mean and standard deviation of a style's: `f + strength · Σ_s share_s (adain_s(f) - f)`.

    `adain_s(f) = σ_s (f - μ) / σ + μ_s`, with μ and σ of the region in which that style goes. With shares that are
    the same everywhere that is the paper's interpolation of styles, with masks its spatial control; what is in no
    share stays as it is.

    Args:
      features: `[N, h, w, C]` of the content.
      shares: `[N, h, w, S]` in [0, 1], how much of each style goes where.
      seen: Moments `[N, S, …]` of the content's features by those shares (`regional_moments`).
      styles: Moments `[N, S, …]` of the styles' features.
      strength: `[N]` or a number, 0 (nothing happens) to 1.

    Returns:
      `[N, h, w, C]`.

    References:
      Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization", eq. 8, 14
      and 15.
    """
    shares = shares.astype(jnp.float32)
    factor = standard_deviation(styles) / standard_deviation(seen)
    offset = styles.mean - factor * seen.mean
    slope, shift = (jnp.einsum("nhws,nsc->nhwc", shares, leaf).astype(features.dtype) for leaf in (factor - 1, offset))
    strength = jnp.broadcast_to(jnp.asarray(strength, features.dtype), features.shape[:1]).reshape(-1, 1, 1, 1)
    return features + strength * (features * slope + shift)


def regional_moments(features: jax.Array, shares: jax.Array) -> Moments:
    """Moments `[N, S, …]` of features `[N, h, w, C]`, weighted by each of `[N, h, w, S]`."""
    return jax.vmap(moments, in_axes=(None, -1), out_axes=1)(features, shares)


class Styles(NamedTuple):
    """What a network of any style is told.

    Attributes:
      moments: `[N, S, …]` of the styles' features; a tuple where the network looks at several layers.
      strength: `[N]` float32, 0 to 1.
    """

    moments: Any
    strength: jax.Array


class Level(NamedTuple):
    """A convolution of the decoder.

    Attributes:
      features: Channels that it makes.
      doubles: Whether it enlarges its input first.
    """

    features: int
    doubles: bool


class AdaIN(nn.Module):
    """A VGG as far as one layer, AdaIN, and its mirror image with nearest-neighbour upsampling; reflected borders.

    Attributes:
      widths: Channels of VGG's convolutions as far as the layer, block by block; see `VGG`.
      dtype: In which the decoder computes; parameters, statistics and what it returns are float32.
    """

    widths: tuple[tuple[int, ...], ...]
    dtype: Any = jnp.float32

    merge = staticmethod(combine)  # of strips' statistics

    @property
    def layer(self) -> str:
        """Where features are taken: after the last convolution's ReLU."""
        return f"relu{len(self.widths)}_{len(self.widths[-1])}"

    @property
    def multiple(self) -> int:
        """Of which sides must be; others are mirrored up to one, and the result is cropped."""
        return 2 ** (len(self.widths) - 1)

    @property
    def plan(self) -> tuple[Level, ...]:
        """The decoder's convolutions."""
        inputs, levels = 3, []
        for block, widths in enumerate(self.widths, 1):
            for i, width in enumerate(widths, 1):
                last = i == len(widths) and block < len(self.widths)  # the encoder pools after it
                levels.append(Level(inputs, last))
                inputs = width
        return tuple(reversed(levels))

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Encoder and decoder; how far each sees."""
        stride = self.multiple
        # A convolution sees one of its pixels further, a pooling one more to one side.
        encoder = sum(2**i * (len(widths) + 1) for i, widths in enumerate(self.widths))
        decoder = sum(
            Fraction(len(widths) + 1, 2 ** (len(self.widths) - 1 - i)) for i, widths in enumerate(self.widths)
        )
        seen = Piece(encoder, Fraction(1, stride), self.widths[-1][-1])
        return (seen, Piece(math.ceil(decoder), stride, 3))

    def setup(self) -> None:
        self.encoder = VGG(self.widths, padding="reflect")
        inputs, decoder = self.widths[-1][-1], []
        for level in self.plan:
            scale = 2 if level.doubles else 1
            decoder.append(ConvolutionNorm(inputs, level.features, 3, scale, 0, self.dtype))
            inputs = level.features
        self.decoder = decoder

    def __call__(self, pictures: jax.Array, shares: jax.Array, styles: Styles) -> jax.Array:
        """Stylises.

        Args:
          pictures: `[N, H, W, 3]`, RGB in [0, 1].
          shares: `[N, H, W, S]` in [0, 1], how much of each style goes where; of sum 1, or less to keep the photo's.
          styles: Of every picture.

        Returns:
          `[N, H, W, 3]` float32, not clipped.
        """
        height, width = pictures.shape[1:3]
        carry: tuple[jax.Array, ...] = tuple(reflected.filled(leaf, self.multiple) for leaf in (pictures, shares))
        for index in range(len(self.pieces)):
            carry = self.segment(index, carry, self.statistics(index, carry), styles)
        return carry[0][:, :height, :width]

    def statistics(self, index: int, carry: tuple[jax.Array, ...]) -> Moments | None:
        """What segment `index` must know of what it is given; the encoder nothing."""
        return regional_moments(*carry) if index else None

    def segment(
        self, index: int, carry: tuple[jax.Array, ...], seen: Moments | None, styles: Styles
    ) -> tuple[jax.Array, ...]:
        """Encodes (0), or normalises and decodes (1).

        Args:
          index: Of the segment.
          carry: Pictures or features, and the shares at their size.
          seen: `statistics` of the whole carry.
          styles: Of every picture.
        """
        x, shares = carry
        if seen is None:
            return self.encode(x), average_pool(shares, self.multiple)
        return (self.decode(adain(x, shares, seen, styles.moments, styles.strength)),)

    def encode(self, pictures: jax.Array) -> jax.Array:
        """Features `[N, H / multiple, W / multiple, C]` of pictures `[N, H, W, 3]`."""
        return self.encoder(pictures, (self.layer,))[0]

    def style_of(self, pictures: jax.Array) -> Moments:
        """Moments `[N, …]` of the features of paintings `[N, H, W, 3]`, less some last rows and columns."""
        height, width = (side - side % self.multiple for side in pictures.shape[1:3])
        return moments(self.encode(pictures[:, :height, :width]))

    def decode(self, features: jax.Array) -> jax.Array:
        """Pictures `[N, H, W, 3]` float32 of features `[N, H / multiple, W / multiple, C]`."""
        x = features
        for i, layer in enumerate(self.decoder):
            x = layer.finish(layer.convolve(nn.relu(x) if i else x))
        return x.astype(jnp.float32)

    def reconstruct(self, pictures: jax.Array) -> jax.Array:
        """Pictures `[N, H, W, 3]` in no style: encoded and decoded."""
        return self.decode(self.encode(pictures))
