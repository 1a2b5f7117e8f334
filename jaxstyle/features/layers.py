"""Layers of the feature extractors: colour map, convolution, pooling, normalisation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.ops import reflected
from jaxstyle.ops.functional import convolution, max_pool, windows

Pooling = str  # a key of POOLING_SCALE
Pool = Callable[[jax.Array], jax.Array]
Padding = str  # "zeros", "replicate" (of the first layer), "reflect" or "circular" (of every layer: a torus)

# Factors that give activations after average and L2 pooling the size they have after max pooling
# (crowsonkb/style-transfer-pytorch, `pooling_scales`).
POOLING_SCALE = {"max": 1.0, "smooth": 1.0, "average": 2.0, "l2": 0.78}


PAD_MODES = {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}  # as NumPy calls them


def pad_frame(x: jax.Array, margins: tuple[int, int], padding: Padding) -> jax.Array:
    """Pads `[N, H, W, C]` by `(rows, columns)` on each side; see `PAD_MODES`."""
    rows, columns = margins
    return jnp.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)), mode=PAD_MODES[padding])


class ColorMap(nn.Module):
    """The affine map from RGB in [0, 1] to the input that the weights were trained on: `x @ kernel + bias`.

    It belongs to the weights: Caffe's BGR in 0..255 minus the mean, torchvision's standardised RGB and the learned 1x1
    convolution of a distilled encoder are such maps.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", lambda _: jnp.eye(3)).astype(x.dtype)
        bias = self.param("bias", lambda _: jnp.zeros(3)).astype(x.dtype)
        # Nine multiply-adds, which XLA fuses; a [H·W, 3] x [3, 3] product is a slow matmul on CPU.
        channels = [sum(x[..., i] * kernel[i, o] for i in range(3)) + bias[o] for o in range(3)]
        return jnp.stack(channels, axis=-1)


class Conv(nn.Module):
    """A convolution `[..., H, W, Cin] -> [..., H', W', Cout]` with bias, in the input's dtype.

    Attributes:
      features: Cout.
      size: Height and width of the kernel, in pixels, or the side of a square one.
      stride: Step in pixels.
      padding: `"SAME"`, `"VALID"`, `"replicate"` (edge pixels repeated, so that the frame of the picture
        does not read as an edge; crowsonkb does so at the first layer), `"reflect"` (its neighbours, mirrored) or
        `"circular"` (the opposite edge's).
    """

    features: int
    size: int | tuple[int, int] = 3
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        height, width = (self.size, self.size) if isinstance(self.size, int) else self.size
        shape = (height, width, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape).astype(x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype)
        padding = self.padding
        if padding == "reflect" and self.stride == 1 and height == width > 1:  # a third of the time
            return reflected.convolve(x, kernel) + bias.reshape(1, 1, 1, -1)
        if padding in PAD_MODES:
            x = pad_frame(x, (height // 2, width // 2), padding)
            padding = "VALID"
        return convolution(x, kernel, bias, stride=self.stride, padding=padding)


@jax.custom_vjp
def redirected_relu(x: jax.Array) -> jax.Array:
    """A ReLU `[N, …]` that passes gradients in pictures whose gradient a ReLU would block entirely.

    The gradient is the ReLU's, unless that is 0 everywhere in a picture, as in the first steps from noise. Then it is
    that of the identity wherever the input is positive or a descent step would raise it. (lucid does so in the first
    16 steps only.)

    References:
      tensorflow/lucid, `redirected_relu_grad`.
    """
    return nn.relu(x)


def _redirected_relu_forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return nn.relu(x), x


def _redirected_relu_backward(x: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    none = jnp.zeros((), cotangent.dtype)
    usual = jnp.where(x > 0, cotangent, none)
    alive = jnp.any(usual != 0, axis=tuple(range(1, x.ndim)), keepdims=True)
    # A negative cotangent: the loss falls when x rises.
    return (jnp.where(alive, usual, jnp.where((x <= 0) & (cotangent > 0), none, cotangent)),)


redirected_relu.defvjp(_redirected_relu_forward, _redirected_relu_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def smooth_max(x: jax.Array, largest: Pool, summed: Pool) -> jax.Array:
    """Max pooling whose gradient is shared by the pixels of each window, in proportion to their squares.

    Max pooling's own gradient goes to one pixel of a window, and a picture that follows it gets a fine grid. This one
    is of no function, but it descends as far: where one pixel is far the largest, both are the same.

    Args:
      x: `[N, H, W, C]`, non-negative.
      largest: The maximum over windows.
      summed: The sum over the same windows.

    References:
      tensorflow/lucid, `max_pool → l2_pool` gradient override in misc/gradient_override.py.
    """
    return largest(x)


def _smooth_max_backward(largest: Pool, summed: Pool, x: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    squares = jnp.square(x)
    sums, pull = jax.vjp(summed, squares)
    (shared,) = pull(cotangent / jnp.maximum(sums, float(jnp.finfo(x.dtype).tiny) ** 0.5))
    return (squares * shared,)


smooth_max.defvjp(lambda x, largest, summed: (largest(x), x), _smooth_max_backward)


def pool2(x: jax.Array, pooling: Pooling) -> jax.Array:
    """2x2 pooling with stride 2 of `[N, H, W, C]`; an odd last row or column is dropped, as in VGG.

    Average and L2 pooling are rescaled by `POOLING_SCALE`; smooth pooling is that of `smooth_max`.
    """
    if pooling == "max":
        return max_pool(x)
    if pooling == "smooth":
        return smooth_max(x, max_pool, lambda x: sum(windows(x, 2)))
    a, b, c, d = windows(x, 2)
    if pooling == "average":
        return (a + b + c + d) * (POOLING_SCALE["average"] / 4)
    if pooling == "l2":
        # The epsilon keeps the gradient finite where all four are 0, which is common after a ReLU.
        squares = a * a + b * b + c * c + d * d
        return jnp.sqrt(squares + float(jnp.finfo(x.dtype).tiny) ** 0.5) * POOLING_SCALE["l2"]
    raise JaxstyleError(f"unknown pooling {pooling!r}; {did_you_mean(pooling, POOLING_SCALE)}")


def pool3(x: jax.Array, pooling: Pooling, ceil: bool, circular: bool = False) -> jax.Array:
    """3x3 pooling with stride 2 of `[N, H, W, C]`, rescaled as by `pool2`.

    Args:
      x: Activations, at least 3 pixels on each side.
      pooling: `"max"`, `"smooth"`, `"average"` or `"l2"`.
      ceil: Whether windows may extend beyond the last row and column (Caffe, torchvision) or not (Keras).
      circular: Whether windows extend to the first row and column, whatever `ceil` is.
    """
    if circular:
        x, ceil = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)), mode="wrap"), False
    overhang = [(0, (side - 3) % 2) if ceil else (0, 0) for side in x.shape[1:3]]
    padding = [(0, 0), *overhang, (0, 0)]
    window, strides = (1, 3, 3, 1), (1, 2, 2, 1)

    def largest(x: jax.Array) -> jax.Array:
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, padding)

    def summed(x: jax.Array) -> jax.Array:
        zero = x.dtype.type(0)  # a traced 0 would have no gradient
        return jax.lax.reduce_window(x, zero, jax.lax.add, window, strides, padding)

    if pooling in ("max", "smooth"):
        return largest(x) if pooling == "max" else smooth_max(x, largest, summed)
    values = x if pooling == "average" else jnp.square(x) + float(jnp.finfo(x.dtype).tiny) ** 0.5
    total = summed(values)
    # A window that extends beyond the picture averages the pixels inside, or the edge would fade.
    rows, columns = (
        np.minimum(3, side - 2 * np.arange(pooled)) for side, pooled in zip(x.shape[1:3], total.shape[1:3], strict=True)
    )
    mean = total / jnp.asarray(rows[:, None] * columns, x.dtype)[None, :, :, None]
    # `POOLING_SCALE` was measured for 2x2 windows, and its L2 pooling is of the sum.
    if pooling == "average":
        return mean * POOLING_SCALE["average"]
    return jnp.sqrt(mean) * (POOLING_SCALE["l2"] * 2)


def neighborhood_max(x: jax.Array, circular: bool = False) -> jax.Array:
    """The maximum over each pixel of `[N, H, W, C]` and its eight neighbours."""
    if circular:
        x = pad_frame(x, (1, 1), "circular")
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 1, 1, 1), "VALID" if circular else "SAME")


def local_response_norm(
    x: jax.Array, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> jax.Array:
    """Local response normalisation across channels: `x / (bias + alpha / size · Σ x²)^beta`, `[..., C]`.

    The sum is over `size` neighbouring channels, centred on the channel. As in Caffe and torch, with the constants of
    Caffe's GoogLeNet; the paper and TensorFlow do not divide `alpha` by `size`.

    References:
      Krizhevsky, Sutskever & Hinton 2012, section 3.3.
    """
    reach = size // 2
    squares = jnp.pad(jnp.square(x), [*[(0, 0)] * (x.ndim - 1), (reach, reach)])
    channels = x.shape[-1]
    total = sum((squares[..., i : i + channels] for i in range(1, size)), squares[..., :channels])
    return x * (bias + alpha / size * total) ** -beta


def deepest_tap(taps: Iterable[str], known: tuple[str, ...]) -> int:
    """Index in `known`, which is ordered by depth, of the deepest of `taps`.

    Raises:
      JaxstyleError: A tap is not a layer of the network.
    """
    deepest = -1
    for tap in taps:
        if tap not in known:
            raise JaxstyleError(f"unknown layer {tap!r}; {did_you_mean(tap, known)}")
        deepest = max(deepest, known.index(tap))
    return deepest
