"""Inception-v3 as a feature extractor, for FID and DeepDream.

It is TensorFlow's graph of 2015: average pools do not count their padding, and the pool in `mixed_10` is a maximum (an
oversight of that graph, with which its weights were trained; pytorch-fid documents both). Batch normalisations are
folded into the convolutions when weights are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.features.inception_plan import IMAGE, NODES, Node
from jaxstyle.features.layers import ColorMap, Conv, Padding, Pooling, deepest_tap, neighborhood_max, pad_frame, pool3

CLASSES_2015 = 1008
SIDE = 299  # pixels, of the pictures that it was trained on


class InceptionV3(nn.Module):
    """Inception-v3 of any width, returning every named activation (after its ReLU).

    Attributes:
      widths: Channels of every convolution, in the order of the plan; a network may end after any block.
      pooling: Pooling with stride 2; pools with stride 1, inside the blocks, are as trained.
      padding: `"replicate"` repeats the picture's edge pixels before the first convolution, else without padding;
        `"circular"` makes a torus of the picture, at every layer.
      max_at_end: Whether the pool in `mixed_10` is a maximum, as in the graph of 2015, or an average.
      relu: The nonlinearity, see `VGG`.
    """

    widths: tuple[int, ...]
    pooling: Pooling = "max"
    padding: Padding = "replicate"
    max_at_end: bool = True
    relu: Callable[[jax.Array], jax.Array] = nn.relu

    @property
    def taps(self) -> tuple[str, ...]:
        """Names of all activations, shallow to deep: `conv, conv_1, …, mixed/conv, …, mixed, …, mixed_10, pool_3`.

        A block has its branches' activations (`mixed_4/tower_conv_1`), and its output under its own name. `pool_3`
        `[N, 2048]`, the mean over positions, is the feature of FID; `logits` may follow.
        """
        names: list[str] = []
        left = len(self.widths)
        for node in NODES:
            left -= node.op in ("conv", "linear")
            if left < 0:
                break
            names.append(node.name)
        return tuple(names)

    @nn.compact
    def __call__(
        self, images: jax.Array, taps: tuple[str, ...] | None = None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Runs the network as far as the deepest tap asked for.

        Args:
          images: `[N, H, W, 3]`, RGB in [0, 1], of any size that leaves a position (75 px for all of it).
          taps: Names out of `self.taps`; None means all of them.

        Returns:
          The deepest activation computed, and a dict of the asked-for activations `[N, h, w, C]`.

        Raises:
          JaxstyleError: A tap is not a layer of this network.
        """
        wanted = self.taps if taps is None else taps
        widths = iter(self.widths)
        x = ColorMap(name="preprocess")(images)
        activations = {IMAGE: x}
        for node in NODES[: deepest_tap(wanted, self.taps) + 1]:
            inputs = [activations[name] for name in node.inputs]
            x = inputs[0] if len(inputs) == 1 else jnp.concatenate(inputs, -1)
            activations[node.name] = x = self.node(node, x, widths)
        return x, {name: activations[name] for name in wanted}

    def node(self, node: Node, x: jax.Array, widths: Iterator[int]) -> jax.Array:
        """Applies a node of the plan; a convolution takes its width from `widths`."""
        circular = self.padding == "circular"
        if node.op == "conv":
            first = node.inputs == (IMAGE,) and self.padding == "replicate"
            padding = self.padding if first or circular else node.padding
            return self.relu(Conv(next(widths), node.size, node.stride, padding, name=node.name)(x))
        if node.op == "linear":
            return Conv(next(widths), node.size, name=node.name)(x[:, None, None])[:, 0, 0]
        if node.op == "mean":
            return jnp.mean(x, (1, 2))
        if node.op == "join":
            return x
        if node.stride == 2:
            return pool3(x, self.pooling, False, circular)
        return (neighborhood_max if node.op == "max" and self.max_at_end else neighborhood_mean)(x, circular)


def neighborhood_mean(x: jax.Array, circular: bool = False) -> jax.Array:
    """The mean over each pixel of `[N, H, W, C]` and those of its eight neighbours that exist."""
    zero = x.dtype.type(0)  # a traced 0 would have no gradient
    if circular:
        x = pad_frame(x, (1, 1), "circular")
        return jax.lax.reduce_window(x, zero, jax.lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "VALID") / 9
    total = jax.lax.reduce_window(x, zero, jax.lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME")
    places = [np.arange(side) for side in x.shape[1:3]]
    rows, columns = (3 - (place == 0) - (place == len(place) - 1) for place in places)
    return total / jnp.asarray(rows[:, None] * columns, x.dtype)[None, :, :, None]


def fid_preprocess(images: jax.Array) -> jax.Array:
    """Resizes pictures for FID: bilinearly to 299 px, not antialiased, as pytorch-fid does; grey to three channels.

    Args:
      images: `[N, H, W, 1 or 3]` in [0, 1].

    Returns:
      `[N, 299, 299, 3]` in [0, 1]; the network's colour map scales it to [-1, 1].
    """
    count, _, _, channels = images.shape
    resized = jax.image.resize(images, (count, SIDE, SIDE, channels), "bilinear", antialias=False)
    return jnp.broadcast_to(resized, (count, SIDE, SIDE, 3))
