"""Arbitrary style transfer in one pass: optimal transport of VGG features, and a decoder conditioned on the style.

Like `StyleNetwork` the network is cut into segments wherever it needs statistics of the whole picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.features.vgg import VGG
from jaxstyle.losses.style import standard_deviation
from jaxstyle.models.adain import Styles, regional_moments
from jaxstyle.models.style_network import CONVOLUTIONS, Layer, Segment, run_segments
from jaxstyle.ops import normalization
from jaxstyle.ops.functional import average_pool
from jaxstyle.ops.moments import Moments, combine, moments
from jaxstyle.ops.normalization import InstanceStatistics
from jaxstyle.ops.transport import (
    STRIDE,
    WINDOW_VARIANCE,
    Gaussian,
    gaussian,
    transport,
    transport_windows,
    window_vectors,
)

LAYERS = ("relu1_1", "relu2_1", "relu3_1")
SKIP_LAYERS = ("expand1", "expand3")  # decoder layers to whose outputs skip connections are added

COLOR_VARIANCE = 1e-4  # `least` of the transport of colours; with more the decoder's weak hues stay pale

Carry = tuple[jax.Array, ...]


class StyleEncoding(NamedTuple):
    """A painting, or several of them with leading axes, to be transported to.

    Attributes:
      levels: Of its features, the deepest first.
      colors: Of its colours.
      windows: Of its windows.
      code: `[..., E]`, the means and standard deviations of all channels of features and colours.
    """

    levels: tuple[Gaussian, ...]
    colors: Gaussian
    windows: Gaussian
    code: jax.Array


class TransportNetwork(nn.Module):
    """A VGG encoder, optimal transport at three depths, and `StyleNetwork`'s residual decoder with skip connections.

    The encoder's features at three depths are transported to the statistics of the painting's features, which keeps
    the layout and brings colours and strokes; the decoder joins the three. The scale and shift of every instance
    normalisation are linear functions of the painting's statistics, in place of numbers learnt for each style as in
    Dumoulin's network. Finally the picture is transported to the painting's colours, and windows of it to the
    painting's windows. So the network paints in styles that it was not trained on. Where the shares of the styles,
    times the strength, are less than one, the photo is blended in.

    Attributes:
      widths: Channels of VGG's convolutions as far as relu3_1, block by block; see `VGG`.
      width: Channels at full size; twice as many at half and four times as many at a quarter of it.
      blocks: Residual blocks.
      window: Side in pixels of the windows that are transported, odd.
      dtype: Dtype of the convolutions; parameters, statistics and the result are float32.

    References:
      Ghiasi et al. 2017, "Exploring the structure of a real-time, arbitrary neural artistic stylization network" (which
      predicts scales and shifts with a network of its own); see also `transport` and `StyleNetwork`.
    """

    widths: tuple[tuple[int, ...], ...]
    width: int = 16
    blocks: int = 3
    window: int = 7
    dtype: Any = jnp.float32

    multiple = 4  # divisor of the sides that it runs on; others are padded by reflection, and the result is cropped

    @staticmethod
    def merge(strips: Sequence[Any]) -> Any:
        """Merges the statistics of strips into those of the whole picture."""
        if isinstance(strips[0], InstanceStatistics):
            return normalization.merge_statistics(strips)
        if isinstance(strips[0], Moments):
            return combine(strips)
        return tuple(combine(each) for each in zip(*strips, strict=True))

    @property
    def plan(self) -> tuple[Layer, ...]:
        """The decoder's layers in their order."""
        width = self.width
        layers = [Layer("enter", 3, 4 * width)]
        for i in range(1, self.blocks + 1):
            layers.append(Layer(f"residual{i}_1", 3, 4 * width, opens=True))
            layers.append(Layer(f"residual{i}_2", 3, 4 * width, closes=True))
        layers += [Layer("expand1", 3, 2 * width, 2), Layer("expand2", 3, width, 2)]
        return (*layers, Layer("expand3", 9, 3, normed=False))

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The encoder, one segment for each layer of the decoder, and two for the transport of the picture."""
        # A convolution's receptive field is one of its pixels larger on each side, a pooling's one to one side.
        halo = sum(2**i * (len(widths) + 1) for i, widths in enumerate(self.widths))
        encoded = sum(widths[0] * 4 ** (2 - i) for i, widths in enumerate(self.widths))
        photo, skips = 3 + 1, (3, 2 * self.width)  # with one style's share; channels at full and at half size
        made, scale = [], Fraction(1, 4)
        for layer in self.plan:
            scale *= layer.scale
            waiting = photo + (skips[0] if scale < 1 else 0)
            floats = waiting / scale**2 + (skips[1] / (2 * scale) ** 2 if scale < Fraction(1, 2) else 0)
            twice = 2 if layer.opens or layer.closes else 1
            made.append(Segment(layer.size // 2, layer.scale, int(floats) + twice * layer.features))
        seen = Segment(self.window // 2, Fraction(1, STRIDE), photo * STRIDE**2 + 3 * (STRIDE**2 + self.window**2))
        last = Segment(-(-(self.window - 1) // STRIDE), STRIDE, 3)
        return (Segment(halo, Fraction(1, 4), encoded + 16 * photo), *made, seen, last)

    def setup(self) -> None:
        self.encoder = VGG(self.widths, padding="reflect")
        shallow, middle, deep = (widths[0] for widths in self.widths)
        inputs = deep
        for layer in self.plan:
            # The end of a block needs no shift: the next normalisation would remove it.
            numbers = (1 if layer.closes else 2) if layer.normed else 0
            made = ConditionalConvolution(inputs, layer.features, layer.size, layer.scale, numbers, self.dtype)
            setattr(self, layer.name, made)
            inputs = layer.features
        self.join1 = ConditionalConvolution(shallow, 3, 3, 1, 0, self.dtype)
        self.join2 = ConditionalConvolution(middle, 2 * self.width, 3, 1, 0, self.dtype)

    def __call__(self, pictures: jax.Array, shares: jax.Array, styles: Styles) -> jax.Array:
        """Stylises.

        Args:
          pictures: `[N, H, W, 3]`, RGB in [0, 1].
          shares: `[N, H, W, S]` in [0, 1], the share of each style at each pixel, of sum 1 or less; the rest is photo.
          styles: The styles of every picture, from `style_of`.

        Returns:
          `[N, H, W, 3]` float32, not clipped.
        """
        return run_segments(self, (pictures, shares), styles)

    def statistics(self, index: int, carry: Carry) -> Any:
        """The statistics of a whole carry that segment `index` needs; None for the encoder."""
        if index == 0:
            return None
        if index == 1:
            *levels, shares, _ = unfold_rows(carry)
            return tuple(in_float32(regional_moments, level, pooled_shares(shares, level)) for level in levels)
        x, shares, *_ = unfold_rows(carry)
        if index > len(self.plan):
            return in_float32(regional_moments, x, pooled_shares(shares, x))
        return normalization.regional_statistics(x, pooled_shares(shares, x))

    def segment(self, index: int, carry: Carry, statistics: Any, styles: Styles) -> Carry:
        """Runs one segment.

        Segment 0 encodes. Segment 1 transports the features and applies the decoder's first convolution and those of
        the skip connections. Every other segment normalises the output of a layer of the decoder and applies the next
        layer's convolution, but the last two: one transports colours, the other windows, and blends in the photo.

        Args:
          index: Of the segment.
          carry: Pictures and shares for segment 0. For the others arrays folded by `fold_rows`: for segment 1 the
            features, deepest first, then shares and pictures; later the output of the last convolution, shares,
            pictures, and the skip connections not yet added, the next one last; for the last segment windows, shares,
            pictures, and the picture that the windows are of.
          statistics: `statistics` of the whole carry.
          styles: The styles of every picture.

        Returns:
          The next segment's carry; the last one's is the stylised pictures alone.
        """
        if index == 0:
            pictures, shares = carry
            return fold_rows((*self.encode(pictures), shares, pictures))
        if index == 1:
            *levels, shares, pictures = unfold_rows(carry)
            moved = [
                transport(level, normalized_shares(shares, level), of_level, of_style)
                for level, of_level, of_style in zip(levels, statistics, styles.encoding.levels, strict=True)
            ]
            layers = (self.enter, self.join2, self.join1)
            x, half, full = (layer.convolve(level) for layer, level in zip(layers, moved, strict=True))
            return fold_rows((x, shares, pictures, full, half))
        x, shares, pictures, *skips = unfold_rows(carry)
        painting: StyleEncoding = styles.encoding
        if index == len(self.plan) + 1:
            parts = normalized_shares(shares, x)
            colored = transport(x.astype(jnp.float32), parts, statistics, painting.colors, COLOR_VARIANCE)
            return fold_rows((window_vectors(colored, self.window), shares, pictures, colored))
        if index == len(self.plan) + 2:
            (colored,) = skips
            painted = transport_windows(colored, normalized_shares(shares, colored), statistics, painting.windows)
            amount = styles.strength.reshape(-1, 1, 1, 1) * jnp.minimum(jnp.sum(shares, -1, keepdims=True), 1)
            return (pictures + amount * (painted - pictures),)
        before, layer = self.plan[index - 2 : index]
        parts = normalized_shares(shares, x)
        x = getattr(self, before.name).finish(x, parts, statistics, painting.code)
        x = x + skips.pop() if before.closes else nn.relu(x)
        made = getattr(self, layer.name).convolve(x)
        if layer.opens:
            skips.append(x)
        elif layer.name in SKIP_LAYERS:
            made = made + skips.pop()
        return fold_rows((made, shares, pictures, *skips))

    def encode(self, pictures: jax.Array) -> tuple[jax.Array, ...]:
        """Features `[N, h, w, C]` of pictures `[N, H, W, 3]` at all of `LAYERS`, the deepest first."""
        features = self.encoder(pictures, LAYERS)[1]
        return tuple(features[layer] for layer in reversed(LAYERS))

    def style_of(self, pictures: jax.Array) -> StyleEncoding:
        """Encodes paintings `[N, H, W, 3]`.

        They are cropped below and at the right to sides that are multiples of `multiple`.
        """
        height, width = (side - side % self.multiple for side in pictures.shape[1:3])
        pictures = pictures[:, :height, :width]
        *levels, colors, windows = (
            in_float32(moments, x) for x in (*self.encode(pictures), pictures, window_vectors(pictures, self.window))
        )
        code = [leaf for each in (*levels, colors) for leaf in (each.mean, standard_deviation(each))]
        return StyleEncoding(
            tuple(map(gaussian, levels)),
            gaussian(colors, COLOR_VARIANCE),
            gaussian(windows, WINDOW_VARIANCE),
            jnp.concatenate(code, -1),
        )

    def reconstruct(self, pictures: jax.Array) -> jax.Array:
        """Stylises pictures `[N, H, W, 3]`, each in its own style."""
        own = jax.tree.map(lambda leaf: leaf[:, None], self.style_of(pictures))
        return self(pictures, jnp.ones_like(pictures[..., :1]), Styles(own, jnp.ones(len(pictures))))


class ConditionalConvolution(nn.Module):
    """A convolution, and an instance normalisation whose scale and shift are linear functions of the style's code.

    Attributes:
      inputs: Input channels.
      features: Output channels.
      size: Side of the kernel.
      scale: Factor of the sides; a key of `CONVOLUTIONS`.
      numbers: Numbers a channel predicted from the code: 2, scale and shift; 1, scale; 0, no normalisation.
      dtype: Dtype of the convolution.
    """

    inputs: int
    features: int
    size: int
    scale: int | Fraction
    numbers: int
    dtype: Any

    def setup(self) -> None:
        shape = (self.size, self.size, self.inputs, self.features)
        self.kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        if self.numbers:
            start = nn.initializers.variance_scaling(0.1, "fan_in", "normal")  # near to a scale of one
            # "told" is the name in saved checkpoints and models.
            self.modulation = nn.Dense(self.numbers * self.features, kernel_init=start, name="told")

    def convolve(self, x: jax.Array) -> jax.Array:
        """`[N, h, w, inputs]` -> `[N, scale h, scale w, features]`."""
        return CONVOLUTIONS[self.scale](x.astype(self.dtype), self.kernel.astype(self.dtype))

    def finish(self, x: jax.Array, shares: jax.Array, statistics: InstanceStatistics, codes: jax.Array) -> jax.Array:
        """Normalises the output of `convolve` region by region.

        Args:
          x: `[N, h, w, features]`.
          shares: `[N, h, w, S]` of sum 1.
          statistics: Those `[N, S, …]` of the whole x, weighted by the shares.
          codes: `[N, S, E]`, see `StyleEncoding`.

        Returns:
          `[N, h, w, features]`.
        """
        scale, *shift = jnp.split(self.modulation(codes), self.numbers, -1)
        factor = (1 + scale) * lax.rsqrt(statistics.variance + normalization.EPSILON)
        offset = sum(shift, -statistics.mean * factor)
        slope, offset = (jnp.einsum("nhws,nsc->nhwc", shares, leaf).astype(x.dtype) for leaf in (factor, offset))
        return x * slope + offset


def in_float32(function: Callable[..., Moments], *arguments: jax.Array) -> Moments:
    """Computes moments in full float32 precision; an accelerator's default exceeds `transport.ROUNDING`."""
    with jax.default_matmul_precision("highest"):
        return function(*arguments)


def pooled_shares(shares: jax.Array, level: jax.Array) -> jax.Array:
    """Averages shares `[N, H, W, S]` to the size of features `[N, h, w, C]`, as weights of their statistics."""
    return average_pool(shares.astype(jnp.float32), shares.shape[1] // level.shape[1])


def normalized_shares(shares: jax.Array, level: jax.Array) -> jax.Array:
    """`pooled_shares` divided by their sum; equal shares where the sum is 0, and the photo will be blended in."""
    parts = pooled_shares(shares, level)
    total = jnp.sum(parts, -1, keepdims=True)
    return jnp.where(total > 0, parts / jnp.where(total > 0, total, 1), 1 / shares.shape[-1])


def fold_rows(leaves: Sequence[jax.Array]) -> Carry:
    """Reshapes `[N, k h, w, C]` to `[N, h, k, w, C]`, h that of the first leaf, so that strips cut all leaves alike."""
    rows = leaves[0].shape[1]
    return tuple(leaf.reshape(leaf.shape[0], rows, leaf.shape[1] // rows, *leaf.shape[2:]) for leaf in leaves)


def unfold_rows(carry: Carry) -> list[jax.Array]:
    """The inverse of `fold_rows`."""
    return [leaf.reshape(leaf.shape[0], leaf.shape[1] * leaf.shape[2], *leaf.shape[3:]) for leaf in carry]
