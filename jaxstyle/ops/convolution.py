"""`flax.linen.Conv`, made faster to train on CPUs and unchanged on other devices.

Two things slow the training of a network down there, measured on two cores with jaxlib 0.10.2, ResNet-20 at 64 px,
batch 64:

- XLA recomputes cheap operations for each of their users, and so whole chains of sums, normalisations and ReLUs for
  every convolution that takes them or their gradient. `cpu_barrier` prevents that, where the program is compiled with
  the options of `jaxstyle.runtime.compiling`.
- For the kernel's gradient XLA transposes activations from `[N, H, W, C]` to `[C, H, W, N]`, in a loop that misses the
  caches: half of the step's time. In parts of 16 examples it takes less than half of that.

Grouped convolutions are worse there: `convolve_groups` tells how much.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

PART = 16  # examples

Bilinear = Callable[[Any, Any], Any]


@jax.custom_vjp
def cpu_barrier(tree: Any) -> Any:
    """Returns the arrays, and passes their gradients, unchanged; on CPUs they are computed once and kept in memory."""

    def barrier(leaf: jax.Array) -> jax.Array:
        return lax.platform_dependent(leaf, cpu=lax.optimization_barrier, default=lambda leaf: leaf)

    return jax.tree.map(barrier, tree)


cpu_barrier.defvjp(lambda tree: (cpu_barrier(tree), None), lambda _, gradients: (cpu_barrier(gradients),))


def convolve(x: jax.Array, kernel: jax.Array, *geometry: Any, **more: Any) -> jax.Array:
    """`lax.conv_general_dilated`, with the same gradients, faster on CPUs.

    Args:
      x: `[N, H, W, C]`.
      kernel: `[h, w, C, D]`.
      *geometry: Strides, padding and so on, as `lax.conv_general_dilated` takes them.
      **more: Its other arguments.

    Returns:
      `[N, H', W', D]`.
    """
    convolution: Any = lax.conv_general_dilated

    def bilinear(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return convolution(x, kernel, *geometry, **more)

    forward = jax.custom_vjp(bilinear)

    def backward(saved: tuple[jax.Array, jax.Array], y: jax.Array) -> tuple[jax.Array, jax.Array]:
        x, kernel = saved
        (x_gradient,) = jax.linear_transpose(lambda x: bilinear(x, kernel), x)(y)
        return x_gradient, kernel_gradient(bilinear, x, kernel, y)

    forward.defvjp(lambda x, kernel: (forward(x, kernel), (x, kernel)), backward)
    return cpu_barrier(forward(cpu_barrier(x), kernel))


def kernel_gradient(bilinear: Bilinear, x: jax.Array, kernel: Any, y: jax.Array) -> jax.Array:
    """The gradient of `sum(y · bilinear(x, kernel))` by the kernel: on CPUs a sum over parts of 16 examples.

    Args:
      bilinear: A function linear in each of `(x, kernel)`.
      x: `[N, …]`.
      kernel: An array, or its shape and type.
      y: `[N, …]`, the cotangent of the function's value.

    Returns:
      An array of the kernel's shape.
    """

    def whole(x: jax.Array, y: jax.Array) -> jax.Array:
        return jax.linear_transpose(lambda kernel: bilinear(x, kernel), kernel)(y)[0]

    def in_parts(x: jax.Array, y: jax.Array) -> jax.Array:
        total = whole(x[:PART], y[:PART])
        for start in range(PART, len(x), PART):
            total += whole(x[start : start + PART], y[start : start + PART])
        return total

    if len(x) <= PART:
        return whole(x, y)
    return lax.platform_dependent(x, y, cpu=in_parts, default=whole)


def convolve_groups(
    x: jax.Array, kernel: jax.Array, *geometry: Any, feature_group_count: int, **more: Any
) -> jax.Array:
    """A grouped `lax.conv_general_dilated`: every group of channels is convolved by itself.

    On CPUs it is one convolution a group. The gradient of R1 through two layers of 64 channels in groups of 16, 14×14,
    batch 64, takes .035 s of one core so, .063 s by one dense kernel with zeros between groups, and 1.4 s by XLA's own
    grouped convolution.

    Args:
      x: `[N, H, W, G C]`.
      kernel: `[h, w, C, G D]`.
      *geometry: Strides, padding and so on, as `lax.conv_general_dilated` takes them.
      feature_group_count: G.
      **more: Its other arguments.

    Returns:
      `[N, H', W', G D]`.
    """
    convolution: Any = lax.conv_general_dilated

    def apart(x: jax.Array, kernel: jax.Array) -> jax.Array:
        pairs = zip(*(jnp.split(each, feature_group_count, -1) for each in (x, kernel)), strict=True)
        return jnp.concatenate([convolution(*pair, *geometry, **more) for pair in pairs], -1)

    def together(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return convolution(x, kernel, *geometry, feature_group_count=feature_group_count, **more)

    return cpu_barrier(lax.platform_dependent(cpu_barrier(x), kernel, cpu=apart, default=together))


Conv = partial(nn.Conv, conv_general_dilated=convolve)
"""`flax.linen.Conv`, computed by `convolve`; its parameters and their names are the same."""

GroupedConv = partial(nn.Conv, conv_general_dilated=convolve_groups)
"""`flax.linen.Conv` with a `feature_group_count`, computed by `convolve_groups`."""
