"""The residual generator of CycleGAN: a stylisation network with 7×7 ends, halvings and doublings bordered by zeros."""

from __future__ import annotations

from jaxstyle.models.style_network import Layer, StyleNetwork


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
