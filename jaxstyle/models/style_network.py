"""The feed-forward stylisation network: of one style (Johnson et al.), or of many (Dumoulin et al.).

It is cut into segments where it needs to know statistics of a whole picture: each instance normalisation. Called, it
runs one segment after another; a picture larger than memory goes through each in strips
(`jaxstyle.inference.strips`).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.ops import instance_norm, reflected
from jaxstyle.ops.instance_norm import Statistics

OUTPUTS = ("sigmoid", "tanh", "linear")
CONVOLUTIONS = {1: reflected.convolve, Fraction(1, 2): reflected.convolve_half, 2: reflected.convolve_double}


class Layer(NamedTuple):
    """A layer of the plan.

    Attributes:
      name: Of its parameters.
      size: Side of its kernel.
      features: Channels that it makes.
      scale: Of the sides: 1, ½ or 2.
      opens: Whether its input is held for the end of a residual block.
      closes: Whether what is held is added to its normalised output, which has no nonlinearity.
      normed: Whether it has an instance normalisation; if not, it has a bias.
    """

    name: str
    size: int
    features: int
    scale: int | Fraction = 1
    opens: bool = False
    closes: bool = False
    normed: bool = True


class Piece(NamedTuple):
    """How the rows that a segment makes depend on those that it is given.

    Attributes:
      halo: Rows it looks beyond a row's own, on either side, among those given.
      scale: Rows made of one given.
      floats: Numbers that it makes, a pixel of the rows made.
    """

    halo: int
    scale: int | Fraction
    floats: int


class StyleNetwork(nn.Module):
    """Two halvings, residual blocks, two doublings, instance normalisation after every convolution, reflected borders.

    A style is a scale and a shift of every normalisation. It is chosen by weights over the styles, so that a number, a
    blend and a batch in which every picture has its own are one thing.

    Attributes:
      styles: How many, S.
      width: Channels of the first layer; 32 in all papers.
      blocks: Residual blocks.
      output: What makes a picture of the last convolution: `"sigmoid"` after an instance normalisation (Dumoulin, and
        magenta's weights), `"tanh"`, scaled to [0, 1] (Johnson), or nothing, `"linear"` (pytorch/examples), clipped
        where pictures are written.
      dtype: In which it convolves; parameters, statistics and what it returns are float32.

    References:
      Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution" (there with
      batch normalisation and transposed convolutions); Ulyanov et al. 2016 (instance normalisation); Dumoulin, Shlens &
      Kudlur 2017, "A Learned Representation for Artistic Style", eq. 5 and table 4.
    """

    styles: int = 1
    width: int = 32
    blocks: int = 5
    output: str = "sigmoid"
    dtype: Any = jnp.float32

    multiple = 4  # of which sides must be; others are mirrored up to one, and the result is cropped
    merge = staticmethod(instance_norm.merge)  # of strips' statistics

    def check(self) -> None:
        """Raises `JaxstyleError` for an output that is none of `OUTPUTS`, or a size that cannot be."""
        if self.width < 1 or self.blocks < 0 or self.styles < 1:
            raise JaxstyleError(f"no network has {self.styles} styles, {self.width} channels and {self.blocks} blocks")
        if self.output not in OUTPUTS:
            raise JaxstyleError(f"unknown output {self.output!r}; {did_you_mean(self.output, OUTPUTS)}")

    @property
    def plan(self) -> tuple[Layer, ...]:
        """All layers in their order."""
        self.check()
        width, half = self.width, Fraction(1, 2)
        layers = [Layer("contract1", 9, width)]
        layers += [Layer("contract2", 3, 2 * width, half), Layer("contract3", 3, 4 * width, half)]
        for i in range(1, self.blocks + 1):
            layers.append(Layer(f"residual{i}_1", 3, 4 * width, opens=True))
            layers.append(Layer(f"residual{i}_2", 3, 4 * width, closes=True))
        layers += [Layer("expand1", 3, 2 * width, 2), Layer("expand2", 3, width, 2)]
        return (*layers, Layer("expand3", 9, 3, normed=self.output == "sigmoid"))

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """One a segment: a convolution each, and the last, which makes pictures of what the last convolution made."""
        each = (Piece(x.size // 2, x.scale, x.features * (2 if x.opens or x.closes else 1)) for x in self.plan)
        return (*each, Piece(0, 1, 3))

    def setup(self) -> None:
        inputs = 3
        for layer in self.plan:
            styles = self.styles if layer.normed else 0
            made = ConvolutionNorm(inputs, layer.features, layer.size, layer.scale, styles, self.dtype)
            setattr(self, layer.name, made)
            inputs = layer.features

    def __call__(self, pictures: jax.Array, styles: jax.Array) -> jax.Array:
        """Stylises.

        Args:
          pictures: `[N, H, W, 3]`, RGB in [0, 1], at least 2 pixels a side.
          styles: `[N, S]` weights, which sum to one where the style is a blend.

        Returns:
          `[N, H, W, 3]` float32, in [0, 1] but for the output `"linear"`. Sides that are no multiples of 4 are
          mirrored up to one, and the result is cropped.
        """
        height, width = pictures.shape[1:3]
        carry: tuple[jax.Array, ...] = (reflected.filled(pictures, self.multiple),)
        for index in range(len(self.pieces)):
            carry = self.segment(index, carry, self.statistics(index, carry), styles)
        return carry[0][:, :height, :width]

    def statistics(self, index: int, carry: tuple[jax.Array, ...]) -> Statistics | None:
        """What segment `index` must know of what it is given; None is nothing."""
        return instance_norm.statistics(carry[0]) if index and self.plan[index - 1].normed else None

    def segment(
        self, index: int, carry: tuple[jax.Array, ...], seen: Statistics | None, styles: jax.Array
    ) -> tuple[jax.Array, ...]:
        """Normalises what the layer before has convolved, and convolves with the next.

        Args:
          index: Of the segment.
          carry: `[N, h, w, C]`, and within a residual block what it will be added to; at first the pictures.
          seen: `statistics` of the whole carry.
          styles: `[N, S]`.
        """
        x, *held = carry
        if index:
            before = self.plan[index - 1]
            x = getattr(self, before.name).finish(x, seen, styles)
            if before.closes:
                x, held = x + held[0], []
            elif index < len(self.plan):
                x = nn.relu(x)
        if index == len(self.plan):
            return (self.squash(x.astype(jnp.float32)),)
        layer = self.plan[index]
        return getattr(self, layer.name).convolve(x), *((x,) if layer.opens else held)

    def squash(self, x: jax.Array) -> jax.Array:
        """Any numbers to pictures."""
        if self.output == "linear":
            return x
        return nn.sigmoid(x) if self.output == "sigmoid" else (1 + jnp.tanh(x)) / 2


class ConvolutionNorm(nn.Module):
    """A convolution, and its instance normalisation with a scale and a shift a style, or its bias.

    Attributes:
      inputs: Channels that it is given.
      features: Channels that it makes.
      size: Side of the kernel.
      scale: Of the sides.
      styles: S; 0 for a bias and no normalisation.
      dtype: In which it computes.
    """

    inputs: int
    features: int
    size: int
    scale: int | Fraction
    styles: int
    dtype: Any

    def setup(self) -> None:
        shape = (self.size, self.size, self.inputs, self.features)
        self.kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        if self.styles:
            self.gamma = self.param("gamma", nn.initializers.ones, (self.styles, self.features))
            self.beta = self.param("beta", nn.initializers.zeros, (self.styles, self.features))
        else:
            self.bias = self.param("bias", nn.initializers.zeros, (self.features,))

    def convolve(self, x: jax.Array) -> jax.Array:
        """`[N, h, w, inputs]` to `[N, scale h, scale w, features]`."""
        return CONVOLUTIONS[self.scale](x.astype(self.dtype), self.kernel.astype(self.dtype))

    def finish(self, x: jax.Array, seen: Statistics | None = None, styles: jax.Array | None = None) -> jax.Array:
        """Normalised, in the styles' blend; or with the bias."""
        if seen is None or styles is None:
            return x + self.bias.reshape(1, 1, 1, -1).astype(x.dtype)
        return instance_norm.normalise(x, seen, styles @ self.gamma, styles @ self.beta)
