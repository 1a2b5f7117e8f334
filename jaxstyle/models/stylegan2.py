"""StyleGAN 2: a mapping network, a generator of modulated convolutions that sums its pictures of all sizes, and a
residual discriminator that is told how much the pictures of a batch differ.

References:
  Karras, Laine, Aittala, Hellsten, Lehtinen & Aila 2020, "Analyzing and Improving the Image Quality of StyleGAN",
  sections 2 to 4.
  Karras, Laine & Aila 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks", section 3.1:
  mixed styles.
  Karras, Aila, Laine & Lehtinen 2018, "Progressive Growing of GANs", section 3: the deviation of a minibatch, here of
  the whole global batch.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.losses.path_length import path_lengths
from jaxstyle.models.dcgan import levels_of
from jaxstyle.ops.conditioning import LogitsHead
from jaxstyle.ops.modulation import EPSILON, EqualConv, EqualDense, ModulatedConv, pixel_norm
from jaxstyle.ops.resampling import resize_image

OPTIONS = ("mapping", "style_mixing", "path_length")
"""Fields of a GAN's `model` for these networks that others may lack."""
MAPPING_RATE = 0.01
"""Learning rate of the mapping network, relative to the others'."""
PATH_DECAY = 0.99
"""Decay of the running mean of path lengths, per step."""


def build(config: Any, shape: tuple[int, ...], classes: int) -> tuple[Generator, Discriminator]:
    """Makes the networks of a GAN, as `dcgan.build`."""
    levels_of(shape, 1)
    model, common = config.model, {"dtype": jnp.dtype(config.dtype), "remat": config.remat}
    styles = {"mapping": model.mapping, "style_mixing": model.style_mixing, "path_length": model.path_length}
    return (
        Generator(shape, model.generator_width, classes or model.codes, **styles, **common),
        Discriminator(shape, model.discriminator_width, classes, codes=model.codes, **common),
    )


def activated(x: jax.Array) -> jax.Array:
    """Leaky ReLU that keeps the mean square of normal inputs, nearly."""
    return nn.leaky_relu(x, 0.2) * 2**0.5


def sizes_of(shape: tuple[int, ...], width: int) -> list[tuple[int, int, int]]:
    """Height, width and channels of the feature maps, from the smallest to the largest."""
    levels = reversed(range(levels_of(shape, 1) + 1))
    return [(shape[0] >> level, shape[1] >> level, width << level) for level in levels]


def noise_maps(latents: jax.Array, layer: int, size: tuple[int, int], train: bool) -> jax.Array:
    """Normal noise `[N, H, W, 1]` of a layer.

    In training it is a function of the bits of the example's latent, so that a picture is one of its latent alone.
    Later it is the same for all pictures, so that pictures of near latents have their details at the same places.
    """
    if not train:
        same = jax.random.normal(jax.random.key(layer), (1, *size, 1))
        return jnp.broadcast_to(same, (latents.shape[0], *size, 1))  # `len` knows no symbolic shape of an export
    return jax.vmap(lambda key: jax.random.normal(key, (*size, 1)))(keys_of(latents, layer))


def keys_of(latents: jax.Array, use: int) -> jax.Array:
    """Keys `[N]` that are functions of the bits of latents `[N, Z]`, for one use."""
    bits = lax.bitcast_convert_type(latents[:, 0].astype(jnp.float32), jnp.uint32)
    return jax.vmap(lambda bits: jax.random.fold_in(jax.random.key(use), bits))(bits)


def toward(w: jax.Array, mean: jax.Array, share: float) -> jax.Array:
    """The point on the way from the mean w `[Z]` to w `[N, Z]` at a share of it."""
    center = mean.astype(w.dtype)[None]
    return w if share == 1 else center + share * (w - center)


class Mapping(nn.Module):
    """The mapping network: latents `[N, Z]` and labels `[N]` -> w `[N, Z]`."""

    classes: int
    layers: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, labels: jax.Array | None) -> jax.Array:
        width = latents.shape[-1]
        parts = [latents.astype(self.dtype)]
        if self.classes:
            parts.append(nn.Embed(self.classes, width, self.dtype, embedding_init=nn.initializers.normal(1.0))(labels))
        x = jnp.concatenate([pixel_norm(part) for part in parts], -1)
        for layer in range(self.layers):
            x = activated(EqualDense(width, MAPPING_RATE, dtype=self.dtype, name=f"dense{layer}")(x))
        return x


class Generator(nn.Module):
    """The generator.

    The collection `batch_stats` receives the mean w of the last batch, which the training loop averages.

    Attributes:
      shape: Of a picture, `(H, W, C)`.
      width: Channels of the largest feature maps; each smaller size has twice as many.
      classes: Number of labels, or of codes in their place; 0 for none.
      mapping: Layers of the mapping network.
      style_mixing: Share of pictures in training whose layers, from a random one on, have the style of another latent.
      path_length: Weight of path length regularisation.
      truncation: How far w is from its mean, as a share of the way; below 1 pictures are more typical and less various.
        It does not count in training.
      dtype: Dtype of the computation; parameters are float32.
      remat: Whether the backward pass recomputes every layer instead of keeping its activations.
      axis: Name of the `pmap` axis, for the mean w.
    """

    shape: tuple[int, ...]
    width: int = 32
    classes: int = 0
    mapping: int = 8
    style_mixing: float = 0.0
    path_length: float = 0.0
    truncation: float = 1.0
    dtype: Any = jnp.float32
    remat: bool = False
    axis: str | None = "batch"

    @nn.compact
    def __call__(
        self,
        noise: jax.Array,
        labels: jax.Array | None = None,
        train: bool = False,
        styles: jax.Array | None = None,
    ) -> jax.Array:
        """Generates pictures.

        Args:
          noise: `[N, Z]`, normal.
          labels: `[N]`, where there are classes.
          train: Whether the batch's mean w is kept, and noise maps differ between pictures.
          styles: `[N, layers, Z]`, the w of every layer, in place of noise and labels. The picture of a size takes the
            one of the next size's first layer.

        Returns:
          `[N, H, W, C]` float32, of about [-1, 1].
        """
        if styles is None:
            mapping = Mapping(self.classes, self.mapping, self.dtype, name="mapping")
            styles = self.for_layers(self.truncated(mapping(noise, labels), train))
            if train and self.style_mixing:
                other, mixed = self.other_latents(noise)
                styles = jnp.where(mixed[..., None], self.for_layers(mapping(other, labels)), styles)
        sizes, count = sizes_of(self.shape, self.width), styles.shape[0]
        start = self.param("start", nn.initializers.normal(1.0), sizes[0]).astype(self.dtype)
        x, picture = jnp.broadcast_to(start[None], (count, *sizes[0])), jnp.zeros((1, 1, 1, self.shape[2]), self.dtype)
        convolve = nn.remat(ModulatedConv) if self.remat else ModulatedConv
        for level, (height, width, channels) in enumerate(sizes):
            for place in range(2) if level else (1,):
                x = x if place else resize_image(x, height, width, "linear")
                maps = noise_maps(noise, 2 * level + place, (height, width), train)
                w = styles[:, 2 * level + place - 1]
                x = activated(convolve(channels, dtype=self.dtype, name=f"conv{level}_{place}")(x, w, maps))
            own = ModulatedConv(self.shape[2], 1, False, self.dtype, name=f"picture{level}")(
                x, styles[:, 2 * level + 1]
            )
            picture = own + resize_image(picture, height, width, "linear")
        return picture.astype(jnp.float32)

    @property
    def layers(self) -> int:
        """Number of styles of a picture."""
        return 2 * len(sizes_of(self.shape, self.width))

    def for_layers(self, w: jax.Array) -> jax.Array:
        """The same w `[N, Z]` for all layers, `[N, layers, Z]`."""
        return jnp.broadcast_to(w[:, None], (w.shape[0], self.layers, w.shape[-1]))

    def other_latents(self, latents: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Latents `[N, Z]` to mix with others, and which layers take their style, `[N, layers]`."""
        uses = 2 * self.layers  # beyond those of noise maps

        def one(key: jax.Array) -> tuple[jax.Array, jax.Array]:
            chance, first = jax.random.uniform(jax.random.fold_in(key, 1), (2,))
            start = jnp.where(chance < self.style_mixing, 1 + jnp.floor(first * (self.layers - 1)), 1.0 * self.layers)
            return jax.random.normal(jax.random.fold_in(key, 0), latents.shape[1:]), jnp.arange(
                self.layers, dtype=start.dtype
            ) >= start

        return jax.vmap(one)(keys_of(latents, uses))

    def memory(self) -> dict[str, jax.Array]:
        """The state of `penalty` before the first step; empty where it has no weight."""
        return {"path_length": jnp.zeros(())} if self.path_length else {}

    def penalty(
        self, params: Any, noise: jax.Array, labels: jax.Array | None, keys: jax.Array, memory: dict[str, jax.Array]
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], dict[str, jax.Array]]]:
        """The weighted path length regularisation of examples, see `losses.path_lengths`, and (memory, metrics)."""
        variables = {"params": params, "batch_stats": {"w": jnp.zeros(noise.shape[1])}}

        def draw(styles: jax.Array) -> Any:
            return self.apply(variables, noise, labels, True, styles)

        lengths = path_lengths(draw, self.mapped(variables, noise, labels), keys)
        own = jnp.mean(lax.stop_gradient(lengths))
        own = lax.pmean(own, self.axis) if self.axis else own
        mean = PATH_DECAY * memory["path_length"] + (1 - PATH_DECAY) * own
        return self.path_length * jnp.mean(jnp.square(lengths - mean)), ({"path_length": mean}, {"path_length": own})

    def mapped(self, variables: Any, latents: jax.Array, labels: jax.Array | None) -> jax.Array:
        """The styles `[N, layers, Z]` of latents `[N, Z]` and labels `[N]` as a picture's layers get them."""
        mapping = Mapping(self.classes, self.mapping, self.dtype, parent=None)
        w: Any = mapping.apply({"params": variables["params"]["mapping"]}, latents, labels)
        return self.for_layers(toward(w, variables["batch_stats"]["w"], self.truncation))

    def truncated(self, w: jax.Array, train: bool) -> jax.Array:
        """The w that counts; in training itself, of which the mean is kept."""
        mean = self.variable("batch_stats", "w", jnp.zeros, w.shape[-1:])
        if train and not self.is_initializing():
            own = jnp.mean(lax.stop_gradient(w).astype(jnp.float32), 0)
            mean.value = lax.pmean(own, self.axis) if self.axis else own
        return w if train else toward(w, mean.value, self.truncation)


class Discriminator(nn.Module):
    """The discriminator.

    The collection `batch_stats` receives the deviation of the last batch, which the training loop averages for later.

    Attributes:
      shape: Of a picture, `(H, W, C)`.
      width: Channels of the largest feature maps; each smaller size has twice as many.
      classes: Number of labels; 0 for none.
      codes: Number of codes, which a second head predicts; 0 for none.
      dtype: Dtype of the computation; parameters are float32.
      remat: Whether the backward pass recomputes every block instead of keeping its activations.
      axis: Name of the `pmap` axis, for the deviation.
    """

    shape: tuple[int, ...]
    width: int = 32
    classes: int = 0
    codes: int = 0
    dtype: Any = jnp.float32
    remat: bool = False
    axis: str | None = "batch"

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array | None = None, train: bool = False) -> jax.Array:
        """Scores pictures.

        Args:
          images: `[N, H, W, C]`, of about [-1, 1].
          labels: `[N]`, where there are classes.
          train: Whether the deviation is this batch's.

        Returns:
          Logits `[N]` float32, large for pictures taken for real.
        """
        sizes = sizes_of(self.shape, self.width)[::-1]
        block = nn.remat(Discriminator.block, static_argnums=(2,)) if self.remat else Discriminator.block
        x = activated(EqualConv(self.width, 1, dtype=self.dtype, name="enter")(images))
        for level in range(1, len(sizes)):
            x = block(self, x, level)
        spread = jnp.broadcast_to(self.deviation(x, train).astype(self.dtype), (*x.shape[:3], 1))
        x = activated(EqualConv(sizes[-1][2], dtype=self.dtype, name="last")(jnp.concatenate([x, spread], -1)))
        x = activated(EqualDense(sizes[-1][2], dtype=self.dtype, name="dense")(x.reshape(len(x), -1)))
        return LogitsHead(self.classes, self.codes, dtype=self.dtype, name="head")(x, labels)

    def block(self, x: jax.Array, level: int) -> jax.Array:
        """Two convolutions beside a shortcut, `[N, H, W, C]` -> `[N, H/2, W/2, 2 C]`.

        Feature maps are halved, bilinearly, before the second one and not in it: that costs a quarter.
        """
        channels = x.shape[3]

        def halved(x: jax.Array) -> jax.Array:
            return resize_image(x, x.shape[1] // 2, x.shape[2] // 2, "linear")

        y = activated(EqualConv(channels, dtype=self.dtype, name=f"conv{level}_0")(x))
        y = activated(EqualConv(2 * channels, dtype=self.dtype, name=f"conv{level}_1")(halved(y)))
        short = EqualConv(2 * channels, 1, False, self.dtype, name=f"short{level}")(halved(x))
        return (y + short) * 0.5**0.5

    def deviation(self, x: jax.Array, train: bool) -> jax.Array:
        """The standard deviation over the examples of a batch, on all devices, averaged over the features; a scalar."""
        running = self.variable("batch_stats", "deviation", jnp.zeros, ())
        if not train:
            return running.value
        own = jnp.stack([jnp.mean(x, 0), jnp.mean(jnp.square(x), 0)]).astype(jnp.float32)
        shared = self.axis is not None and not self.is_initializing()
        first, second = lax.pmean(own, self.axis) if shared else own
        found = jnp.mean(jnp.sqrt(jnp.maximum(second - jnp.square(first), 0) + EPSILON))
        if not self.is_initializing():
            running.value = lax.stop_gradient(found)
        return found
