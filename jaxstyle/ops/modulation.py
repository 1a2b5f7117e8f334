"""Modulated convolution and equalised layers, of which StyleGAN 2's networks are made."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.ops.functional import convolution

EPSILON = 1e-8  # added to a sum of squares, as in the published networks


def modulated_convolution(x: jax.Array, kernel: jax.Array, styles: jax.Array, *, demodulate: bool = True) -> jax.Array:
    """A convolution whose kernel is scaled for every example, by input channel, and then normalised by output channel.

    `k'[n, u, v, c, d] = s[n, c] k[u, v, c, d] / sqrt(Σ_uvc (s[n, c] k[u, v, c, d])² + ε)`: features keep unit deviation
    if they had it, and what an example's style scales up in one layer does not go on through the next. It is computed
    by one kernel for all examples, with inputs scaled before it and outputs after it: the same numbers, and no grouped
    convolution.

    Args:
      x: `[N, H, W, C]`.
      kernel: `[h, w, C, D]`, of the same dtype.
      styles: s, `[N, C]`, of the same dtype.
      demodulate: Whether to normalise.

    Returns:
      `[N, H, W, D]`, zeros around the picture.

    References:
      Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", eq. 1 to 3.
    """
    y = convolution(x * styles[:, None, None], kernel)
    if not demodulate:
        return y
    squares = jnp.square(styles) @ jnp.sum(jnp.square(kernel), (0, 1))
    return y * lax.rsqrt(squares + EPSILON)[:, None, None]


def pixel_norm(x: jax.Array) -> jax.Array:
    """Features `[..., C]` divided by the root of their mean square at every place."""
    return x * lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + EPSILON)


def equalized(module: nn.Module, shape: tuple[int, ...], rate: float = 1.0, name: str = "kernel") -> jax.Array:
    """A kernel that is stored with deviation `1 / rate` and used with deviation `sqrt(1 / inputs)`.

    So its learning rate is in effect the same for layers of all widths, and `rate` times the optimiser's (Karras et al.
    2018, "Progressive Growing of GANs", section 4.1).

    Args:
      module: Of whose parameters it is one.
      shape: `[..., C, D]`, of C inputs at each of the other places.
      rate: Factor of the learning rate.
      name: Of the parameter.
    """
    inputs = 1
    for size in shape[:-1]:
        inputs *= size
    return module.param(name, nn.initializers.normal(1 / rate), shape) * (rate * inputs**-0.5)


class EqualDense(nn.Module):
    """A dense layer with an equalised learning rate, `[N, C]` -> `[N, features]`.

    Attributes:
      features: Output channels.
      rate: Factor of the learning rate of kernel and bias.
      start: Of the bias.
      dtype: Dtype of the computation; parameters are float32.
    """

    features: int
    rate: float = 1.0
    start: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = equalized(self, (x.shape[-1], self.features), self.rate).astype(self.dtype)
        bias = self.param("bias", nn.initializers.constant(self.start / self.rate), (self.features,)) * self.rate
        return x.astype(self.dtype) @ kernel + bias.astype(self.dtype)[None]


class EqualConv(nn.Module):
    """A convolution with an equalised learning rate, zero padding, `[N, H, W, C]` -> `[N, H, W, features]`.

    Attributes:
      features: Output channels.
      side: Of the kernel, pixels.
      bias: Whether it has a bias.
      dtype: Dtype of the computation; parameters are float32.
    """

    features: int
    side: int = 3
    bias: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = equalized(self, (self.side, self.side, x.shape[-1], self.features)).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype) if self.bias else None
        return convolution(x.astype(self.dtype), kernel, bias)


class ModulatedConv(nn.Module):
    """A modulated convolution with an equalised learning rate and a bias; styles are an affine map of `w`.

    Attributes:
      features: Output channels.
      side: Of the kernel, pixels.
      demodulate: Whether outputs are normalised.
      dtype: Dtype of the computation; parameters are float32.
    """

    features: int
    side: int = 3
    demodulate: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, noise: jax.Array | None = None) -> jax.Array:
        """`[N, H, W, C]` and `[N, Z]` -> `[N, H, W, features]`; noise `[N, H, W, 1]` is added before the bias."""
        styles = EqualDense(x.shape[-1], start=1.0, dtype=self.dtype, name="style")(w)
        kernel = equalized(self, (self.side, self.side, x.shape[-1], self.features)).astype(self.dtype)
        y = modulated_convolution(x.astype(self.dtype), kernel, styles, demodulate=self.demodulate)
        if noise is not None:
            y += self.param("strength", nn.initializers.zeros, ()).astype(self.dtype) * noise.astype(self.dtype)
        return y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)[None, None, None]
