"""R3GAN's residual networks: inverted bottlenecks of grouped convolutions, without normalisation.

A block's last convolution begins with zeros and the others with kernels scaled by the number of blocks (Fixup), so that
every network begins as its shortcuts. Feature maps are resampled bilinearly, never by strides. The generator's pictures
are linear in its last features: no saturating function holds them in [-1, 1].

References:
  Huang, Gokaslan, Kuleshov & Tompkin 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline", section 3.
  Zhang, Dauphin & Ma 2019, "Fixup Initialization: Residual Learning Without Normalization".
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.models.dcgan import levels_of
from jaxstyle.ops.conditioning import LogitsHead
from jaxstyle.ops.convolution import GroupedConv
from jaxstyle.ops.resampling import depth_to_space, resize_image, space_to_depth
from jaxstyle.runtime.settings import named

OPTIONS = ("blocks", "group", "patch")
"""Fields of a GAN's `model` for these networks that others may lack."""
EXPANSION = 2
"""Channels within a block, as a multiple of those between blocks."""
SLOPE = 0.2
"""Slope of leaky ReLU below 0."""
GAIN = 2 / (1 + SLOPE**2)
"""The variance of an input over that of its leaky ReLU, in the mean square."""


def build(config: Any, shape: tuple[int, ...], classes: int) -> tuple[Generator, Discriminator]:
    """Makes the networks of a GAN, as `dcgan.build`; widths that groups do not divide are refused, too."""
    model = config.model
    if shape[0] % model.patch or shape[1] % model.patch:
        sides = f"pictures of {shape[1]}x{shape[0]} pixels"
        raise JaxstyleError(f"{named('model.patch')} is {model.patch}; it must divide the sides of {sides}")
    for name in ("generator_width", "discriminator_width"):
        if (inner := EXPANSION * getattr(model, name)) % min(model.group, inner):
            widths = f"{EXPANSION} times {named(f'model.{name}')}, {inner}"
            raise JaxstyleError(f"{named('model.group')} is {model.group}; it must divide {widths}")
    levels_of(shape, 1, model.patch)
    common = {"blocks": model.blocks, "group": model.group, "patch": model.patch}
    common |= {"dtype": jnp.dtype(config.dtype), "remat": config.remat}
    return (
        Generator(shape, model.generator_width, classes=classes or model.codes, **common),
        Discriminator(shape, model.discriminator_width, classes=classes, codes=model.codes, **common),
    )


def normal(variance: float) -> Any:
    """Initialises kernels normally, with a variance divided by the number of inputs of an output."""
    return nn.initializers.variance_scaling(variance, "fan_in", "normal") if variance else nn.initializers.zeros


def pointwise(features: int, variance: float, dtype: Any, bias: bool, name: str) -> nn.Dense:
    """A 1×1 convolution."""
    return nn.Dense(features, bias, dtype, kernel_init=normal(variance), name=name)


class Block(nn.Module):
    """A residual block, `[N, H, W, C]` -> same shape: 1×1 to twice the channels, grouped 3×3, 1×1 back.

    Attributes:
      group: Channels that a group has at most.
      variance: Of the kernels before activations: the gain times the number of the network's blocks to the power -1/2,
        as Fixup has it for three layers.
      dtype: Dtype of the computation; parameters are float32.
    """

    group: int
    variance: float
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width = EXPANSION * x.shape[-1]
        y = nn.leaky_relu(pointwise(width, self.variance, self.dtype, True, "expand")(x), SLOPE)
        y = GroupedConv(
            width,
            (3, 3),
            feature_group_count=width // min(self.group, width),
            kernel_init=normal(self.variance),
            dtype=self.dtype,
            name="grouped",
        )(y)
        return x + pointwise(x.shape[-1], 0, self.dtype, False, "project")(nn.leaky_relu(y, SLOPE))


class Stages(nn.Module):
    """The block of which both networks are made.

    Attributes:
      shape: Of a picture, `(H, W, C)`.
      width: Channels of the largest feature maps; each smaller size has twice as many.
      blocks: Residual blocks at each size.
      group: Channels of a convolution's group.
      patch: Pixels a side that are channels of one place of the largest feature maps; the paper's networks have 1.
      classes: Number of labels, for the generator or of codes in their place; 0 for none.
      codes: Number of codes, which the discriminator's second head predicts; 0 for none.
      dtype: Dtype of the computation; parameters are float32.
      remat: Whether the backward pass recomputes every block instead of keeping its activations.
    """

    shape: tuple[int, ...]
    width: int = 64
    blocks: int = 2
    group: int = 16
    patch: int = 1
    classes: int = 0
    codes: int = 0
    dtype: Any = jnp.float32
    remat: bool = False

    def sizes(self) -> list[tuple[int, int, int]]:
        """Height, width and channels of the feature maps, from the largest to the smallest."""
        height, width = (side // self.patch for side in self.shape[:2])
        levels = levels_of(self.shape, 1, self.patch)
        return [(height >> level, width >> level, self.width << level) for level in range(levels + 1)]

    def stage(self, x: jax.Array, level: int) -> jax.Array:
        """The residual blocks of one size."""
        block = nn.remat(Block) if self.remat else Block
        count = self.blocks * len(self.sizes())
        for number in range(self.blocks):
            x = block(self.group, GAIN / count**0.5, self.dtype, name=f"block{level}_{number}")(x)
        return x

    def resampled(self, x: jax.Array, level: int) -> jax.Array:
        """Feature maps at another level's size, bilinear."""
        return resize_image(x, *self.sizes()[level][:2], "linear")


class Generator(Stages):
    """The generator: noise scales a learnt basis of the smallest feature maps, which blocks and resampling enlarge."""

    @nn.compact
    def __call__(self, noise: jax.Array, labels: jax.Array | None = None, train: bool = False) -> jax.Array:
        """Generates pictures.

        Args:
          noise: `[N, Z]`, normal.
          labels: `[N]`, where there are classes.
          train: Not used; it is there for generators with batch normalisation.

        Returns:
          `[N, H, W, C]` float32, of about [-1, 1].
        """
        x, sizes = noise.astype(self.dtype), self.sizes()
        if self.classes:
            embed = nn.Embed(self.classes, noise.shape[1], self.dtype, embedding_init=normal(1), name="embed")
            x = jnp.concatenate([x, embed(labels)], -1)
        basis = self.param("basis", nn.initializers.normal(1.0), sizes[-1]).astype(self.dtype)
        x = pointwise(sizes[-1][2], 1, self.dtype, False, "enter")(x)[:, None, None] * basis[None]
        for level in reversed(range(len(sizes))):
            if level < len(sizes) - 1:
                x = pointwise(sizes[level][2], 1, self.dtype, False, f"narrow{level}")(x)
                x = self.resampled(x, level)
            x = self.stage(x, level)
        x = pointwise(self.shape[2] * self.patch**2, 1, self.dtype, False, "leave")(x)
        return depth_to_space(x, self.patch).astype(jnp.float32)


class Discriminator(Stages):
    """The discriminator: blocks and resampling bring pictures to the smallest feature maps, and a basis to a vector."""

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array | None = None, train: bool = False) -> jax.Array:
        """Scores pictures.

        Args:
          images: `[N, H, W, C]`, of about [-1, 1].
          labels: `[N]`, where there are classes.
          train: Not used; it is there for discriminators with batch normalisation.

        Returns:
          Logits `[N]` float32, large for pictures taken for real.
        """
        sizes = self.sizes()
        x = space_to_depth(images.astype(self.dtype), self.patch)
        x = pointwise(self.width, 1, self.dtype, False, "enter")(x)
        for level in range(len(sizes)):
            x = self.stage(x, level)
            if level < len(sizes) - 1:
                x = self.resampled(x, level + 1)
                x = pointwise(sizes[level + 1][2], 1, self.dtype, False, f"widen{level}")(x)
        places = sizes[-1][0] * sizes[-1][1]
        basis = self.param("basis", nn.initializers.normal(places**-0.5), sizes[-1]).astype(self.dtype)
        head = LogitsHead(self.classes, self.codes, normal(1), self.dtype, bias=False, name="head")
        return head(jnp.sum(x * basis[None], (1, 2)), labels)
