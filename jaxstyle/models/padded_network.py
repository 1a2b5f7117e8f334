"""The stylisation network of lengstrom/fast-style-transfer, whose borders are zeros."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxstyle.models.style_network import Layer, StyleNetwork


class PaddedNetwork(StyleNetwork):
    """A stylisation network whose pictures continue by zeros, with an instance normalisation before its wide `tanh`.

    TensorFlow's "SAME" halves and doubles by 3×3 kernels half a pixel beside PyTorch's: they are 4×4 here, with a row
    and a column of zeros before.

    References:
      lengstrom/fast-style-transfer, `src/transform.py`.
    """

    output: str = "tanh"

    @property
    def plan(self) -> tuple[Layer, ...]:
        """All layers in their order."""
        return tuple(
            layer._replace(size=layer.size if layer.scale == 1 else 4, zeros=True, normed=True)
            for layer in super().plan
        )

    def squash(self, x: jax.Array) -> jax.Array:
        """Applies the output nonlinearity to `[N, H, W, 3]`; it reaches beyond [0, 1]."""
        return 0.5 + 150 / 255 * jnp.tanh(x)
