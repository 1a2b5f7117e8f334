"""`flax.linen.Conv`, made faster to train on CPUs; on other devices it is unchanged.

Two things slow the training of a network down there, measured on two cores with jaxlib 0.10.2, ResNet-20 at 64 px,
batch 64:

- XLA recomputes cheap operations for each of their users, and so whole chains of sums, normalisations and ReLUs for
  every convolution that takes them or their gradient. `cpu_barrier` prevents that, where the program is compiled with
  the options of `jaxstyle.runtime.compiling`.
- For the kernel's gradient XLA transposes activations from `[N, H, W, C]` to `[C, H, W, N]`, in a loop that misses the
  caches: half of the step's time. In parts of 16 examples it takes less than half of that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
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


Conv = partial(nn.Conv, conv_general_dilated=convolve)
"""`flax.linen.Conv`, computed by `convolve`; its parameters and their names are the same."""
