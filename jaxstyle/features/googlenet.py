"""GoogLeNet (Inception-v1; Szegedy et al. 2014, arXiv 1409.4842) as a feature extractor: Caffe's bvlc_googlenet.

Layers have Caffe's names. ReLUs have names of their own, as in Caffe's model file (`inception_4c/relu_3x3_reduce`).
There they work in place, so `inception_4c/3x3_reduce` in Caffe's DeepDream is the output of that ReLU.
"""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.features.googlenet_plan import CONVOLUTIONS, MODULES, OUTPUT_PARTS, POOL_AFTER
from jaxstyle.features.layers import (
    ColorMap,
    Conv,
    Padding,
    Pooling,
    deepest_tap,
    local_response_norm,
    neighborhood_max,
    pad_frame,
    pool3,
)


class GoogLeNet(nn.Module):
    """GoogLeNet, returning every named activation.

    Attributes:
      stages: Number of stages present, of `conv1`, `conv2`, `inception_3a` to `inception_5b`, and `loss3`.
      classes: Outputs of the classifier.
      pooling: Pooling between the modules; inside them it is always maximum pooling.
      padding: Of the first convolution, while all others pad by zeros; or `"circular"`, of all layers.
      relu: The nonlinearity, see `VGG`.
    """

    stages: int = 12
    classes: int = 1000
    pooling: Pooling = "max"
    padding: Padding = "replicate"
    relu: Callable[[jax.Array], jax.Array] = nn.relu

    @property
    def taps(self) -> tuple[str, ...]:
        """Names of all activations, shallow to deep: `conv1/7x7_s2, conv1/relu_7x7, pool1/3x3_s2, pool1/norm1, …`.

        A module has its convolutions and their ReLUs, `inception_3a/pool`, and its output `inception_3a/output`.
        `pool5/7x7_s1` `[N, 1024]` is the mean over positions, and `loss3/classifier` `[N, classes]` the class logits.
        """
        names = ["conv1/7x7_s2", "conv1/relu_7x7", "pool1/3x3_s2", "pool1/norm1"]
        if self.stages > 1:
            names += ["conv2/3x3_reduce", "conv2/relu_3x3_reduce", "conv2/3x3", "conv2/relu_3x3", "conv2/norm2"]
            names.append("pool2/3x3_s2")
        for module in list(MODULES)[: max(0, self.stages - 2)]:
            for part in ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool", "pool_proj"):
                names += [f"{module}/{part}"] + ([] if part == "pool" else [f"{module}/relu_{part}"])
            names.append(f"{module}/output")
            names += [POOL_AFTER[module]] if module in POOL_AFTER else []
        names += ["pool5/7x7_s1"] if self.stages > 10 else []
        return (*names, "loss3/classifier") if self.stages > 11 else tuple(names)

    @nn.compact
    def __call__(
        self, images: jax.Array, taps: tuple[str, ...] | None = None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Runs the network as far as the deepest tap asked for.

        Args:
          images: `[N, H, W, 3]`, RGB in [0, 1], of any size; Caffe's is 224 px.
          taps: Names out of `self.taps`; None means all of them.

        Returns:
          The deepest activation computed, and a dict of the asked-for activations.

        Raises:
          JaxstyleError: A tap is not a layer of this network.
        """
        wanted = self.taps if taps is None else taps
        activations: dict[str, jax.Array] = {}
        x = ColorMap(name="preprocess")(images)
        for name in self.taps[: deepest_tap(wanted, self.taps) + 1]:
            x = activations[name] = self.layer(name, x, activations)
        return x, {name: activations[name] for name in wanted}

    def layer(self, name: str, x: jax.Array, activations: dict[str, jax.Array]) -> jax.Array:
        """Applies a named layer to the activation before it, or to those among `activations` that are its inputs."""
        stage, _, part = name.partition("/")
        circular = self.padding == "circular"
        if part.startswith("relu"):
            return self.relu(x)
        if part.startswith("norm"):
            return local_response_norm(x)
        if part == "output":
            return jnp.concatenate([activations[f"{stage}/relu_{branch}"] for branch in OUTPUT_PARTS], -1)
        if part in ("1x1", "3x3_reduce", "5x5_reduce", "pool") and stage in MODULES:
            x = activations[MODULES[stage].source]
        if part == "pool":
            return neighborhood_max(x, circular)
        if stage == "pool5":
            return jnp.mean(x, (1, 2))
        if part == "3x3_s2":
            return pool3(x, self.pooling, True, circular)
        return self.convolve(name, x)

    def convolve(self, name: str, x: jax.Array) -> jax.Array:
        """Applies a named convolution."""
        size, width, _ = CONVOLUTIONS[name]
        if width is None:
            return Conv(self.classes, size, name=name)(x[:, None, None])[:, 0, 0]
        if name == "conv1/7x7_s2":
            return Conv(width, size, 2, "VALID", name=name)(pad_frame(x, (size // 2, size // 2), self.padding))
        return Conv(width, size, padding="circular" if self.padding == "circular" else "SAME", name=name)(x)
