"""VGG-16 and VGG-19 (Simonyan & Zisserman 2014, arXiv 1409.1556) as feature extractors, of any width."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax

from jaxstyle.features.architectures import VGG_BLOCKS
from jaxstyle.features.layers import ColorMap, Conv, Padding, Pooling, deepest_tap, pool2


class VGG(nn.Module):
    """The convolutional part of VGG, returning every named activation.

    Attributes:
      widths: Channels of every convolution, block by block: VGG-19 is `((64, 64), (128, 128), (256,) * 4, …)`.
        A network may end anywhere.
      pooling: Pooling between blocks, see `pool2`. Gatys et al. (2016) prefer average, crowsonkb max.
      padding: `"replicate"` for the first convolution, while others pad by zeros; `"reflect"` (for networks distilled
        with it) or `"circular"` for all of them.
      remat: Whether the backward pass recomputes activations block by block instead of keeping them: less memory for
        some 30 % more arithmetic. XLA's CPU compiler undoes it (measured: no byte saved).
      relu: The nonlinearity; `redirected_relu` gives visualisations a gradient where all units are off.
    """

    widths: tuple[tuple[int, ...], ...]
    pooling: Pooling = "max"
    padding: Padding = "replicate"
    remat: bool = False
    relu: Callable[[jax.Array], jax.Array] = nn.relu

    @property
    def taps(self) -> tuple[str, ...]:
        """The names of all activations, shallow to deep: `conv1_1, relu1_1, conv1_2, …, pool1, conv2_1, …`."""
        names = []
        for i, block in enumerate(self.widths, 1):
            for j in range(1, len(block) + 1):
                names += [f"conv{i}_{j}", f"relu{i}_{j}"]
            names.append(f"pool{i}")
        # A network that ends inside its last block has no pool there.
        complete = tuple(map(len, self.widths)) in VGG_BLOCKS.values()
        return tuple(names if complete else names[:-1])

    @nn.compact
    def __call__(
        self, images: jax.Array, taps: tuple[str, ...] | None = None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Runs the network as far as the deepest tap asked for.

        Args:
          images: `[N, H, W, 3]`, RGB in [0, 1].
          taps: Names out of `self.taps`; None means all of them.

        Returns:
          The deepest activation computed, and a dict of the asked-for activations `[N, h, w, C]`.

        Raises:
          JaxstyleError: A tap is not a layer of this network.
        """
        wanted = self.taps if taps is None else taps
        left = self.taps[: deepest_tap(wanted, self.taps) + 1]
        x, activations = ColorMap(name="preprocess")(images), {}
        for block in range(1, len(self.widths) + 1):
            names = tuple(name for name in left if name.startswith((f"conv{block}_", f"relu{block}_", f"pool{block}")))

            def run(self: VGG, x: jax.Array, names: tuple[str, ...] = names) -> tuple[jax.Array, dict[str, jax.Array]]:
                return self.block(names, wanted, x)

            x, found = (nn.remat(run) if self.remat else run)(self, x)
            activations.update(found)
        return x, activations

    def block(
        self, names: tuple[str, ...], wanted: tuple[str, ...], x: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Applies consecutive layers; returns the last activation and a dict of those asked for."""
        activations = {}
        for name in names:
            x = self.layer(name, x)
            if name in wanted:
                activations[name] = x
        return x, activations

    def layer(self, name: str, x: jax.Array) -> jax.Array:
        """Applies a named layer to the activation before it."""
        if name.startswith("relu"):
            return self.relu(x)
        if name.startswith("pool"):
            return pool2(x, self.pooling)
        block, index = (int(number) for number in name.removeprefix("conv").split("_"))
        first = name == "conv1_1" and self.padding == "replicate"
        padding = self.padding if first or self.padding in ("reflect", "circular") else "SAME"
        return Conv(self.widths[block - 1][index - 1], padding=padding, name=name)(x)
