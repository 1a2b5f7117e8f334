"""The few layers that fixed feature networks are made of: colour map, convolution, pooling, and the taps."""

from __future__ import annotations

from collections.abc import Iterable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError, did_you_mean

Pooling = str  # a key of POOLING_SCALE
Padding = str  # "zeros" or "replicate"

# Average and L2 pooling change the size of the activations; these factors bring it back to max pooling's
# (crowsonkb/style-transfer-pytorch, `pooling_scales`).
POOLING_SCALE = {"max": 1.0, "average": 2.0, "l2": 0.78}


class ColorMap(nn.Module):
    """The affine map from RGB in [0, 1] to what the weights were trained on: `x @ kernel + bias`.

    It is a parameter because it belongs to the weights: Caffe's BGR in 0..255 minus the mean, torchvision's
    standardised RGB and the learned 1x1 convolution of a distilled encoder are all such maps.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", lambda _: jnp.eye(3)).astype(x.dtype)
        bias = self.param("bias", lambda _: jnp.zeros(3)).astype(x.dtype)
        # Written as nine multiply-adds: XLA fuses them, where a [H·W, 3] x [3, 3] product is a slow matmul on CPU.
        channels = [sum(x[..., i] * kernel[i, o] for i in range(3)) + bias[o] for o in range(3)]
        return jnp.stack(channels, axis=-1)


class Conv(nn.Module):
    """A convolution `[..., H, W, Cin] -> [..., H', W', Cout]` with bias, in the input's dtype.

    Attributes:
      features: Cout.
      size: Side of the square kernel, in pixels.
      stride: Step in pixels.
      padding: `"SAME"`, `"VALID"`, or `"replicate"` (edge pixels repeated, so that the frame of the picture
        does not read as an edge; crowsonkb does so at the first layer).
    """

    features: int
    size: int = 3
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape).astype(x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype)
        padding = self.padding
        if padding == "replicate":
            margin = self.size // 2
            x = jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="edge")
            padding = "VALID"
        y = jax.lax.conv_general_dilated(
            x, kernel, (self.stride, self.stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y + bias.reshape(1, 1, 1, -1)


def pool2(x: jax.Array, pooling: Pooling) -> jax.Array:
    """2x2 pooling with stride 2 of `[N, H, W, C]`; an odd last row or column is left out, as VGG does.

    Four slices instead of `reduce_window`, whose gradient (select-and-scatter) costs some 10 % of a whole VGG step
    on CPU. Average and L2 pooling are rescaled by `POOLING_SCALE`.
    """
    _, height, width, _ = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    if pooling == "max":
        return max_pool2(x)
    a, b, c, d = windows2(x)
    if pooling == "average":
        return (a + b + c + d) * (POOLING_SCALE["average"] / 4)
    if pooling == "l2":
        # The epsilon keeps the gradient finite where all four are zero, which after a ReLU is common.
        squares = a * a + b * b + c * c + d * d
        return jnp.sqrt(squares + float(jnp.finfo(x.dtype).tiny) ** 0.5) * POOLING_SCALE["l2"]
    raise JaxstyleError(f"unknown pooling {pooling!r}; {did_you_mean(pooling, POOLING_SCALE)}")


def windows2(x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The four pixels of every 2x2 window, in reading order, each `[N, H/2, W/2, C]`."""
    n, height, width, channels = x.shape
    x = x.reshape(n, height // 2, 2, width // 2, 2, channels)
    return x[:, :, 0, :, 0], x[:, :, 0, :, 1], x[:, :, 1, :, 0], x[:, :, 1, :, 1]


@jax.custom_vjp
def max_pool2(x: jax.Array) -> jax.Array:
    """2x2 max pooling with stride 2 of `[N, H, W, C]` with even H and W.

    The backward pass sends the gradient to the first maximum in reading order, as PyTorch does, by one byte of
    index a window (measured: 3 to 6 % of a whole VGG-19 step on CPU against autodiff, which compares again).
    """
    a, b, c, d = windows2(x)
    return jnp.maximum(jnp.maximum(a, b), jnp.maximum(c, d))


def _max_pool2_forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    a, b, c, _ = windows2(x)
    y = max_pool2(x)
    first = jnp.where(a == y, 0, jnp.where(b == y, 1, jnp.where(c == y, 2, 3)))
    return y, first.astype(jnp.uint8)


def _max_pool2_backward(first: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    n, height, width, channels = cotangent.shape
    position = jnp.arange(4, dtype=jnp.uint8).reshape(1, 1, 2, 1, 2, 1)
    chosen = first[:, :, None, :, None] == position
    spread = jnp.where(chosen, cotangent[:, :, None, :, None], jnp.zeros((), cotangent.dtype))
    return (spread.reshape(n, 2 * height, 2 * width, channels),)


max_pool2.defvjp(_max_pool2_forward, _max_pool2_backward)


def deepest_tap(taps: Iterable[str], known: tuple[str, ...]) -> int:
    """Index in `known` (ordered by depth) of the deepest of `taps`.

    Raises:
      JaxstyleError: A tap is not a layer of the network; the sentence names the nearest one.
    """
    deepest = -1
    for tap in taps:
        if tap not in known:
            raise JaxstyleError(f"unknown layer {tap!r}; {did_you_mean(tap, known)}")
        deepest = max(deepest, known.index(tap))
    return deepest
