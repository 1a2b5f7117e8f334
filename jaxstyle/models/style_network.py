"""The feed-forward stylisation network, of one style (Johnson et al.) or of many (Dumoulin et al.).

The network is cut into segments at every instance normalisation, which needs statistics of the whole picture. A call
runs one segment after another; a picture larger than memory passes each of them in strips
(`jaxstyle.inference.strips`).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple, Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.ops import functional, normalization, reflected, strided
from jaxstyle.ops.normalization import InstanceStatistics

HE = nn.initializers.he_normal()
OUTPUTS = ("sigmoid", "tanh", "linear")
CONVOLUTIONS = {1: reflected.convolve, Fraction(1, 2): reflected.convolve_half, 2: reflected.convolve_double}
ZERO_CONVOLUTIONS = {1: functional.convolution, Fraction(1, 2): strided.halve_padded, 2: strided.double_padded}
"""Those that continue a picture by zeros; halvings and doublings are of 3×3 or 4×4 kernels."""


class Layer(NamedTuple):
    """A convolution of the network.

    Attributes:
      name: Name of its parameters.
      size: Side of its kernel.
      features: Output channels.
      scale: Factor of the sides: 1, ½ or 2.
      opens: Whether it begins a residual block, whose shortcut is its input.
      closes: Whether it ends a residual block: the shortcut is added to its normalised output, without a nonlinearity.
      normed: Whether an instance normalisation follows; if not, it has a bias.
      zeros: Whether the picture continues by zeros, not by reflection; a doubling is then a transposed convolution.
    """

    name: str
    size: int
    features: int
    scale: int | Fraction = 1
    opens: bool = False
    closes: bool = False
    normed: bool = True
    zeros: bool = False


class Segment(NamedTuple):
    """The receptive field and the output size of a segment, by which pictures are cut into strips.

    Attributes:
      halo: Input rows beyond its own, on either side, that an output row depends on.
      scale: Output rows for each input row.
      floats: Numbers in the output for each of its pixels.
    """

    halo: int
    scale: int | Fraction
    floats: int


@runtime_checkable
class Segmented(Protocol):
    """A network that is cut into segments, which strips of a large picture pass one after the other."""

    @property
    def multiple(self) -> int:
        """Divisor of the sides that it runs on."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Receptive fields and output sizes, in order."""

    def statistics(self, index: int, carry: Any) -> Any:
        """The statistics of a whole carry that a segment needs."""

    def segment(self, index: int, carry: Any, statistics: Any, styles: Any) -> Any:
        """Runs one segment."""


def run_segments(network: Segmented, inputs: tuple[jax.Array, ...], styles: Any) -> jax.Array:
    """Runs all segments of a network on whole pictures.

    Args:
      network: A bound module.
      inputs: Arrays `[N, H, W, …]` of its first segment, padded by reflection here.
      styles: The last argument of `segment`.

    Returns:
      `[N, H, W, 3]`.
    """
    height, width = inputs[0].shape[1:3]
    carry = tuple(reflected.pad_to_multiple(leaf, network.multiple) for leaf in inputs)
    for index in range(len(network.segments)):
        carry = network.segment(index, carry, network.statistics(index, carry), styles)
    return carry[0][:, :height, :width]


class StyleNetwork(nn.Module):
    """Two halvings, residual blocks, two doublings, instance normalisation after every convolution, reflected borders.

    A style is a scale and a shift of every normalisation, and every picture has weights over the styles: one-hot for
    one style, others for a blend.

    Attributes:
      styles: Number of styles, S.
      width: Channels of the first layer; 32 in all papers.
      blocks: Residual blocks.
      output: Output nonlinearity: `"sigmoid"` after an instance normalisation (Dumoulin, and magenta's weights),
        `"tanh"`, scaled to [0, 1] (Johnson), or none, `"linear"` (pytorch/examples), clipped when pictures are written.
      dtype: Dtype of the convolutions; parameters, statistics and the result are float32.

    References:
      Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution" (with batch
      normalisation and transposed convolutions); Ulyanov et al. 2016 (instance normalisation); Dumoulin, Shlens &
      Kudlur 2017, "A Learned Representation for Artistic Style", eq. 5 and table 4.
    """

    styles: int = 1
    width: int = 32
    blocks: int = 5
    output: str = "sigmoid"
    dtype: Any = jnp.float32

    multiple = 4  # divisor of the sides that it runs on; others are padded by reflection, and the result is cropped
    merge = staticmethod(normalization.merge_statistics)  # strips' statistics to those of the whole picture

    def check(self) -> None:
        """Raises `JaxstyleError` for an output that is not in `OUTPUTS`, or a number that is too small."""
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
    def segments(self) -> tuple[Segment, ...]:
        """One segment for each convolution, and the last one for the output nonlinearity."""
        each = (Segment(x.size // 2, x.scale, x.features * (2 if x.opens or x.closes else 1)) for x in self.plan)
        return (*each, Segment(0, 1, 3))

    def setup(self) -> None:
        inputs = 3
        for layer in self.plan:
            styles = self.styles if layer.normed else 0
            # Where nothing normalises their sum, blocks that begin as the identity keep it as large as it was.
            init = HE if layer.normed or not layer.closes else nn.initializers.zeros
            geometry = (inputs, layer.features, layer.size, layer.scale)
            made = ConvolutionNorm(*geometry, styles, self.dtype, layer.zeros, init)
            setattr(self, layer.name, made)
            inputs = layer.features

    def __call__(self, pictures: jax.Array, styles: jax.Array) -> jax.Array:
        """Stylises.

        Args:
          pictures: `[N, H, W, 3]`, RGB in [0, 1], at least 2 pixels a side.
          styles: `[N, S]` weights of the styles, of sum 1.

        Returns:
          `[N, H, W, 3]` float32, in [0, 1] unless `output` is `"linear"`. Sides that are no multiples of 4 are padded
          by reflection, and the result is cropped.
        """
        return run_segments(self, (pictures,), styles)

    def statistics(self, index: int, carry: tuple[jax.Array, ...]) -> InstanceStatistics | None:
        """The statistics of a whole carry that segment `index` normalises by; None where it does not."""
        return normalization.instance_statistics(carry[0]) if index and self.plan[index - 1].normed else None

    def segment(
        self, index: int, carry: tuple[jax.Array, ...], statistics: InstanceStatistics | None, styles: jax.Array
    ) -> tuple[jax.Array, ...]:
        """Runs one segment: normalises the output of the last convolution, and applies the next one.

        Args:
          index: Of the segment.
          carry: The output of the last convolution `[N, h, w, C]`, pictures for segment 0; and within a residual block
            its shortcut.
          statistics: `statistics` of the whole carry.
          styles: `[N, S]`.

        Returns:
          The next segment's carry; the last one's is the stylised pictures alone.
        """
        x, *shortcut = carry
        if index:
            before = self.plan[index - 1]
            x = getattr(self, before.name).finish(x, statistics, styles)
            if before.closes:
                x, shortcut = x + shortcut[0], []
            elif index < len(self.plan):
                x = nn.relu(x)
        if index == len(self.plan):
            return (self.squash(x.astype(jnp.float32)),)
        layer = self.plan[index]
        return getattr(self, layer.name).convolve(x), *((x,) if layer.opens else shortcut)

    def squash(self, x: jax.Array) -> jax.Array:
        """Applies the output nonlinearity to `[N, H, W, 3]`."""
        if self.output == "linear":
            return x
        return nn.sigmoid(x) if self.output == "sigmoid" else (1 + jnp.tanh(x)) / 2


class ConvolutionNorm(nn.Module):
    """A convolution with a conditional instance normalisation, one scale and shift a style, or with a bias.

    Attributes:
      inputs: Input channels.
      features: Output channels.
      size: Side of the kernel.
      scale: Factor of the sides; a key of `CONVOLUTIONS`.
      styles: S; 0 for a bias and no normalisation.
      dtype: Dtype of the convolution.
      zeros: See `Layer`.
      kernel_init: Initialiser of the kernel.
    """

    inputs: int
    features: int
    size: int
    scale: int | Fraction
    styles: int
    dtype: Any
    zeros: bool = False
    kernel_init: Any = HE

    def setup(self) -> None:
        shape = (self.size, self.size, self.inputs, self.features)
        self.kernel = self.param("kernel", self.kernel_init, shape)
        if self.styles:
            self.gamma = self.param("gamma", nn.initializers.ones, (self.styles, self.features))
            self.beta = self.param("beta", nn.initializers.zeros, (self.styles, self.features))
        else:
            self.bias = self.param("bias", nn.initializers.zeros, (self.features,))

    def convolve(self, x: jax.Array) -> jax.Array:
        """`[N, h, w, inputs]` -> `[N, scale h, scale w, features]`."""
        convolve = (ZERO_CONVOLUTIONS if self.zeros else CONVOLUTIONS)[self.scale]
        return convolve(x.astype(self.dtype), self.kernel.astype(self.dtype))

    def finish(
        self, x: jax.Array, statistics: InstanceStatistics | None = None, styles: jax.Array | None = None
    ) -> jax.Array:
        """Normalises `[N, h, w, features]` by its statistics and the weights `[N, S]` of styles; or adds the bias."""
        if statistics is None or styles is None:
            return x + self.bias.reshape(1, 1, 1, -1).astype(x.dtype)
        return normalization.instance_norm(x, statistics, styles @ self.gamma, styles @ self.beta)
