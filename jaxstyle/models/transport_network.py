"""Any picture's style in one pass: features moved by optimal transport, and a decoder whose normalisations are told.

Like `StyleNetwork` it is cut into segments where it needs to know statistics of a whole picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.features.vgg import VGG
from jaxstyle.losses.style import standard_deviation
from jaxstyle.models.adain import Styles, regional_moments
from jaxstyle.models.style_network import CONVOLUTIONS, Layer, Piece
from jaxstyle.ops import instance_norm, reflected
from jaxstyle.ops.functional import average_pool
from jaxstyle.ops.instance_norm import Statistics
from jaxstyle.ops.moments import Moments, combine, moments
from jaxstyle.ops.transport import transport

LAYERS = ("relu1_1", "relu2_1", "relu3_1")
JOINED = ("expand1", "expand3")  # layers to which skips are added

Carry = tuple[jax.Array, ...]


class TransportNetwork(nn.Module):
    """`StyleNetwork`'s residual decoder behind a VGG's eyes, in any style; reflected borders.

    What the encoder sees at three depths is moved to the painting's statistics, which keeps where things are and
    brings its colours and strokes; convolutions join the three. Every instance normalisation is scaled and shifted by
    linear functions of the painting's statistics, where Dumoulin's network has learnt numbers a style. At last the
    colours themselves are moved to the painting's. So what a style is comes from the painting, not from training on it.

    Where the shares of the styles, times the strength, are less than one, the photo shows through.

    Attributes:
      widths: Channels of VGG's convolutions as far as relu3_1, block by block; see `VGG`.
      width: Channels at the pictures' size; twice and four times as many where sides are halved and halved again.
      blocks: Residual blocks.
      dtype: In which it convolves; parameters, statistics and what it returns are float32.

    References:
      Ghiasi et al. 2017, "Exploring the structure of a real-time, arbitrary neural artistic stylization network" (there
      a network looks at the painting); and see `transport` and `StyleNetwork`.
    """

    widths: tuple[tuple[int, ...], ...]
    width: int = 16
    blocks: int = 3
    dtype: Any = jnp.float32

    multiple = 4  # of which sides must be; others are mirrored up to one, and the result is cropped

    @staticmethod
    def merge(strips: Sequence[Any]) -> Any:
        """The statistics of strips as one."""
        if isinstance(strips[0], Statistics):
            return instance_norm.merge(strips)
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
    def pieces(self) -> tuple[Piece, ...]:
        """The encoder, one a layer, and the last, which moves colours; how far each sees."""
        # A convolution sees one of its pixels further, a pooling one more to one side.
        halo = sum(2**i * (len(widths) + 1) for i, widths in enumerate(self.widths))
        seen = sum(widths[0] * 4 ** (2 - i) for i, widths in enumerate(self.widths))
        photo, joined = 3 + 1, (3, 2 * self.width)  # of one style's share; of what joins at full and at half size
        made, scale = [], Fraction(1, 4)
        for layer in self.plan:
            scale *= layer.scale
            waiting = photo + (joined[0] if scale < 1 else 0)
            floats = waiting / scale**2 + (joined[1] / (2 * scale) ** 2 if scale < Fraction(1, 2) else 0)
            twice = 2 if layer.opens or layer.closes else 1
            made.append(Piece(layer.size // 2, layer.scale, int(floats) + twice * layer.features))
        return (Piece(halo, Fraction(1, 4), seen + 16 * photo), *made, Piece(0, 1, 3))

    def setup(self) -> None:
        self.encoder = VGG(self.widths, padding="reflect")
        shallow, middle, deep = (widths[0] for widths in self.widths)
        inputs = deep
        for layer in self.plan:
            # What closes a block is not shifted: the next normalisation would take it away again.
            told = (1 if layer.closes else 2) if layer.normed else 0
            made = ToldConvolution(inputs, layer.features, layer.size, layer.scale, told, self.dtype)
            setattr(self, layer.name, made)
            inputs = layer.features
        self.join1 = ToldConvolution(shallow, 3, 3, 1, 0, self.dtype)
        self.join2 = ToldConvolution(middle, 2 * self.width, 3, 1, 0, self.dtype)

    def __call__(self, pictures: jax.Array, shares: jax.Array, styles: Styles) -> jax.Array:
        """Stylises.

        Args:
          pictures: `[N, H, W, 3]`, RGB in [0, 1].
          shares: `[N, H, W, S]` in [0, 1], how much of each style goes where; of sum 1, or less to keep the photo's.
          styles: Of every picture, as `style_of` sees them.

        Returns:
          `[N, H, W, 3]` float32, not clipped.
        """
        height, width = pictures.shape[1:3]
        carry: Carry = tuple(reflected.filled(leaf, self.multiple) for leaf in (pictures, shares))
        for index in range(len(self.pieces)):
            carry = self.segment(index, carry, self.statistics(index, carry), styles)
        return carry[0][:, :height, :width]

    def statistics(self, index: int, carry: Carry) -> Any:
        """What segment `index` must know of what it is given; the encoder nothing."""
        if index == 0:
            return None
        if index == 1:
            *levels, shares, _ = unfolded(carry)
            return tuple(exactly(regional_moments, level, pooled(shares, level)) for level in levels)
        x, shares, *_ = unfolded(carry)
        if index == len(self.plan) + 1:
            return (exactly(regional_moments, x, pooled(shares, x)),)
        return instance_norm.regional_statistics(x, pooled(shares, x))

    def segment(self, index: int, carry: Carry, seen: Any, styles: Styles) -> Carry:
        """Looks (0), moves what is seen (1), normalises (others), and convolves; or moves colours, and is done (last).

        Args:
          index: Of the segment.
          carry: Pictures and shares at first. Then `folded`: what the encoder saw, deepest first, the shares and the
            pictures; or what the last layer made, both, and what waits to be added later, the next of it last.
          seen: `statistics` of the whole carry.
          styles: Of every picture.
        """
        if index == 0:
            pictures, shares = carry
            return folded((*self.encode(pictures), shares, pictures))
        if index == 1:
            *levels, shares, pictures = unfolded(carry)
            told = zip(levels, seen, styles.moments, strict=False)
            moved = [transport(level, at(shares, level), have, want) for level, have, want in told]
            layers = (self.enter, self.join2, self.join1)
            x, half, full = (layer.convolve(level) for layer, level in zip(layers, moved, strict=True))
            return folded((x, shares, pictures, full, half))
        x, shares, pictures, *waiting = unfolded(carry)
        if index == len(self.plan) + 1:
            painted = transport(x.astype(jnp.float32), at(shares, x), seen[0], styles.moments[-1])
            amount = styles.strength.reshape(-1, 1, 1, 1) * jnp.minimum(jnp.sum(shares, -1, keepdims=True), 1)
            return (pictures + amount * (painted - pictures),)
        before, layer = self.plan[index - 2 : index]
        x = getattr(self, before.name).finish(x, at(shares, x), seen, codes(styles.moments))
        x = x + waiting.pop() if before.closes else nn.relu(x)
        made = getattr(self, layer.name).convolve(x)
        if layer.opens:
            waiting.append(x)
        elif layer.name in JOINED:
            made = made + waiting.pop()
        return folded((made, shares, pictures, *waiting))

    def encode(self, pictures: jax.Array) -> tuple[jax.Array, ...]:
        """Features `[N, h, w, C]` of pictures `[N, H, W, 3]` at all of `LAYERS`, the deepest first."""
        seen = self.encoder(pictures, LAYERS)[1]
        return tuple(seen[layer] for layer in reversed(LAYERS))

    def style_of(self, pictures: jax.Array) -> tuple[Moments, ...]:
        """Moments `[N, …]` of paintings `[N, H, W, 3]`, less some last rows and columns: of what the encoder sees,
        the deepest first, and of their colours."""
        height, width = (side - side % self.multiple for side in pictures.shape[1:3])
        pictures = pictures[:, :height, :width]
        return tuple(exactly(moments, level) for level in (*self.encode(pictures), pictures))

    def reconstruct(self, pictures: jax.Array) -> jax.Array:
        """Pictures `[N, H, W, 3]` each in its own style."""
        seen = jax.tree.map(lambda leaf: leaf[:, None], self.style_of(pictures))
        return self(pictures, jnp.ones_like(pictures[..., :1]), Styles(seen, jnp.ones(len(pictures))))


class ToldConvolution(nn.Module):
    """A convolution, and where it is normalised, scale and shift as linear functions of what is told of a style.

    Attributes:
      inputs: Channels that it is given.
      features: Channels that it makes.
      size: Side of the kernel.
      scale: Of the sides.
      numbers: That its normalisation is told a channel: 2, a scale and a shift; 1, a scale; 0, it has none.
      dtype: In which it computes.
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
            self.told = nn.Dense(self.numbers * self.features, kernel_init=start)

    def convolve(self, x: jax.Array) -> jax.Array:
        """`[N, h, w, inputs]` to `[N, scale h, scale w, features]`."""
        return CONVOLUTIONS[self.scale](x.astype(self.dtype), self.kernel.astype(self.dtype))

    def finish(self, x: jax.Array, shares: jax.Array, seen: Statistics, codes: jax.Array) -> jax.Array:
        """Normalised `[N, h, w, features]`, by regions.

        Args:
          x: What `convolve` made.
          shares: `[N, h, w, S]` of sum 1.
          seen: Statistics `[N, S, …]` of the whole x by those shares.
          codes: `[N, S, E]`, see `codes`.
        """
        scale, *shift = jnp.split(self.told(codes), self.numbers, -1)
        factor = (1 + scale) * lax.rsqrt(seen.variance + instance_norm.EPSILON)
        offset = sum(shift, -seen.mean * factor)
        slope, offset = (jnp.einsum("nhws,nsc->nhwc", shares, leaf).astype(x.dtype) for leaf in (factor, offset))
        return x * slope + offset


def codes(styles: Sequence[Moments]) -> jax.Array:
    """What normalisations are told of styles: means and standard deviations of all channels, `[N, S, E]`."""
    return jnp.concatenate([leaf for each in styles for leaf in (each.mean, standard_deviation(each))], -1)


def exactly(look: Callable[..., Moments], *seen: jax.Array) -> Moments:
    """Moments in all of float32's digits: accelerators round products more than `transport.ROUNDING` allows for."""
    with jax.default_matmul_precision("highest"):
        return look(*seen)


def pooled(shares: jax.Array, level: jax.Array) -> jax.Array:
    """Shares `[N, H, W, S]` of a whole picture at a level's size: by them its statistics are taken, so that what no
    style wants has no part in them."""
    return average_pool(shares.astype(jnp.float32), shares.shape[1] // level.shape[1])


def at(shares: jax.Array, level: jax.Array) -> jax.Array:
    """The same, of sum 1 even where no style is wanted: by them it is painted, and in the end the photo shows there."""
    parts = pooled(shares, level)
    total = jnp.sum(parts, -1, keepdims=True)
    return jnp.where(total > 0, parts / jnp.where(total > 0, total, 1), 1 / shares.shape[-1])


def folded(leaves: Sequence[jax.Array]) -> Carry:
    """Leaves `[N, k h, w, C]` as `[N, h, k, w, C]` with the first one's h: rows that are cut together (`strips`)."""
    rows = leaves[0].shape[1]
    return tuple(leaf.reshape(leaf.shape[0], rows, leaf.shape[1] // rows, *leaf.shape[2:]) for leaf in leaves)


def unfolded(carry: Carry) -> list[jax.Array]:
    """What was `folded`."""
    return [leaf.reshape(leaf.shape[0], leaf.shape[1] * leaf.shape[2], *leaf.shape[3:]) for leaf in carry]
