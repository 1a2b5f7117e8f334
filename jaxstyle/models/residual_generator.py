"""The residual generator of CycleGAN: a stylisation network with 7×7 ends, halvings and doublings bordered by zeros."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxstyle.models.style_network import Layer, StyleNetwork
from jaxstyle.ops import reflected


class ResidualGenerator(StyleNetwork):
    """Pictures of one domain to pictures of another, of any size; computed in segments like every stylisation network.

    The second argument of a call, weights of styles, is `[N, 1]` ones. Pictures are in [0, 1]; Zhu et al.'s are in
    [-1, 1], which the first convolution and the `tanh` at the end make the same.

    Attributes:
      normed: Whether instance normalisation follows the convolutions, as in the paper. It removes the contrast of each
        picture, and of one in two plain colours nearly all that tells which they are; without it layers have biases.
      width: Channels of the first layer; 64 in the paper.
      blocks: Residual blocks; 9 in the paper from 256 px on, 6 below.

    References:
      Zhu, Park, Isola & Efros 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
      appendix 7.2.
    """

    normed: bool = True
    width: int = 64
    blocks: int = 9
    output: str = "tanh"

    @property
    def plan(self) -> tuple[Layer, ...]:
        """All layers in their order."""
        return tuple(
            layer._replace(size=min(layer.size, 7), zeros=layer.scale != 1, normed=layer.normed and self.normed)
            for layer in super().plan
        )

    def encoded(self, pictures: jax.Array) -> list[jax.Array]:
        """Features of the first half, of which a contrastive loss compares places.

        As in Park et al. 2020: the pictures, and what comes out of the convolutions before any normalisation: both that
        halve, and those that open the first residual block and the middle one.

        Args:
          pictures: `[N, H, W, 3]` in [0, 1].

        Returns:
          Five arrays `[N, h, w, C]`, fewer of a network with fewer than two blocks.
        """
        wanted = {0, 2, 3, *(4 + 2 * block for block in (0, self.blocks // 2) if block < self.blocks)}
        weights, pictures = jnp.ones((len(pictures), 1)), reflected.pad_to_multiple(pictures, self.multiple)
        carry: tuple[jax.Array, ...] = (pictures,)
        found = [pictures]
        for index in range(max(wanted)):
            carry = self.segment(index, carry, self.statistics(index, carry), weights)
            found += [carry[0]] * (index + 1 in wanted)
        return found
