"""Arbitrary style transfer in one pass by adaptive instance normalisation (AdaIN; Huang & Belongie 2017).

Like `StyleNetwork` the network is cut into segments where it needs statistics of the whole picture: an encoder, which
is a fixed VGG, and a decoder that mirrors it.
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
from jaxstyle.models.style_network import ConvolutionNorm, Segment, run_segments
from jaxstyle.ops.functional import average_pool
from jaxstyle.ops.moments import Moments, combine, moments


def adain(
    features: jax.Array, shares: jax.Array, statistics: Moments, styles: Moments, strength: jax.Array | float = 1.0
) -> jax.Array:
    """Adaptive instance normalisation with several styles: `f + strength · Σ_s share_s (adain_s(f) - f)`.

    `adain_s(f) = σ_s (f - μ) / σ + μ_s`, with μ and σ of the region of style s. With shares that are the same
    everywhere this is the paper's interpolation of styles, with masks its spatial control; features without a share
    stay unchanged.

    Args:
      features: `[N, h, w, C]` of the content.
      shares: `[N, h, w, S]` in [0, 1], the share of each style at each position.
      statistics: Moments `[N, S, …]` of the content's features weighted by those shares (`regional_moments`).
      styles: Moments `[N, S, …]` of the styles' features.
      strength: `[N]` or a number, from 0, the identity, to 1.

    Returns:
      `[N, h, w, C]`.

    References:
      Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization", eq. 8, 14
      and 15.
    """
    shares = shares.astype(jnp.float32)
    factor = standard_deviation(styles) / standard_deviation(statistics)
    offset = styles.mean - factor * statistics.mean
    slope, shift = (jnp.einsum("nhws,nsc->nhwc", shares, leaf).astype(features.dtype) for leaf in (factor - 1, offset))
    strength = jnp.broadcast_to(jnp.asarray(strength, features.dtype), features.shape[:1]).reshape(-1, 1, 1, 1)
    return features + strength * (features * slope + shift)


def regional_moments(features: jax.Array, shares: jax.Array) -> Moments:
    """Moments `[N, S, …]` of features `[N, h, w, C]`, weighted by each of `[N, h, w, S]`."""
    return jax.vmap(moments, in_axes=(None, -1), out_axes=1)(features, shares)


class Styles(NamedTuple):
    """The styles of a batch of pictures, for a network of arbitrary styles.

    Attributes:
      encoding: What the network's `style_of` makes of paintings, `[N, S, …]`.
      strength: `[N]` float32, 0 to 1.
    """

    encoding: Any
    strength: jax.Array


class Level(NamedTuple):
    """A convolution of the decoder.

    Attributes:
      features: Output channels.
      doubles: Whether its input is upsampled to twice the size first.
    """

    features: int
    doubles: bool


class AdaIN(nn.Module):
    """A VGG encoder, AdaIN, and a decoder that mirrors the encoder with nearest-neighbour upsampling.

    All convolutions have reflection padding.

    Attributes:
      widths: Channels of the encoder's convolutions, block by block; see `VGG`.
      dtype: Dtype of the decoder; parameters, statistics and the result are float32.
    """

    widths: tuple[tuple[int, ...], ...]
    dtype: Any = jnp.float32

    merge = staticmethod(combine)  # strips' statistics to those of the whole picture

    @property
    def layer(self) -> str:
        """The encoder's output: the ReLU after its last convolution."""
        return f"relu{len(self.widths)}_{len(self.widths[-1])}"

    @property
    def multiple(self) -> int:
        """Divisor of the sides that the network runs on; others are padded by reflection, and the result is cropped."""
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
    def segments(self) -> tuple[Segment, ...]:
        """Encoder and decoder."""
        stride = self.multiple
        # A convolution's receptive field is one of its pixels larger on each side, a pooling's one to one side.
        encoder = sum(2**i * (len(widths) + 1) for i, widths in enumerate(self.widths))
        decoder = sum(
            Fraction(len(widths) + 1, 2 ** (len(self.widths) - 1 - i)) for i, widths in enumerate(self.widths)
        )
        return (Segment(encoder, Fraction(1, stride), self.widths[-1][-1]), Segment(math.ceil(decoder), stride, 3))

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
          shares: `[N, H, W, S]` in [0, 1], the share of each style at each pixel, of sum 1 or less; the rest is photo.
          styles: The styles of every picture.

        Returns:
          `[N, H, W, 3]` float32, not clipped.
        """
        return run_segments(self, (pictures, shares), styles)

    def statistics(self, index: int, carry: tuple[jax.Array, ...]) -> Moments | None:
        """The statistics of a whole carry that segment `index` needs; None for the encoder."""
        return regional_moments(*carry) if index else None

    def segment(
        self, index: int, carry: tuple[jax.Array, ...], statistics: Moments | None, styles: Styles
    ) -> tuple[jax.Array, ...]:
        """Runs one segment: encodes (0), or normalises and decodes (1).

        Args:
          index: Of the segment.
          carry: Pictures or features, and the shares at their size.
          statistics: `statistics` of the whole carry.
          styles: The styles of every picture.

        Returns:
          The next segment's carry; the last one's is the stylised pictures alone.
        """
        x, shares = carry
        if statistics is None:
            return self.encode(x), average_pool(shares, self.multiple)
        return (self.decode(adain(x, shares, statistics, styles.encoding, styles.strength)),)

    def encode(self, pictures: jax.Array) -> jax.Array:
        """Pictures `[N, H, W, 3]` -> features `[N, H / multiple, W / multiple, C]`."""
        return self.encoder(pictures, (self.layer,))[0]

    def style_of(self, pictures: jax.Array) -> Moments:
        """Moments `[N, …]` of the features of paintings `[N, H, W, 3]`, whose sides are cropped to multiples."""
        height, width = (side - side % self.multiple for side in pictures.shape[1:3])
        return moments(self.encode(pictures[:, :height, :width]))

    def decode(self, features: jax.Array) -> jax.Array:
        """Features `[N, H / multiple, W / multiple, C]` -> pictures `[N, H, W, 3]` float32."""
        x = features
        for i, layer in enumerate(self.decoder):
            x = layer.finish(layer.convolve(nn.relu(x) if i else x))
        return x.astype(jnp.float32)

    def reconstruct(self, pictures: jax.Array) -> jax.Array:
        """Encodes and decodes pictures `[N, H, W, 3]` without a style."""
        return self.decode(self.encode(pictures))
