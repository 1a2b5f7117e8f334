"""A network that looks, with its weights: loaded by name or by path."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.features.googlenet import GoogLeNet
from jaxstyle.features.inception import CLASSES_2015, InceptionV3
from jaxstyle.features.inception_plan import CONVOLUTIONS
from jaxstyle.features.layers import POOLING_SCALE, Padding, Pooling
from jaxstyle.features.squeezenet import SqueezeNet
from jaxstyle.features.vgg import VGG
from jaxstyle.features.weights import registry
from jaxstyle.features.weights.files import Weights, read_weights

DEFAULT = "bundled"


@dataclasses.dataclass(frozen=True)
class Features:
    """A network that looks, with its weights: `network.apply({"params": params}, images, taps)`.

    Attributes:
      name: What it was loaded by: a registered name or a file's name.
      network: The Flax module; hashable, it is static under `jit`.
      params: Nested dict of float32 arrays; pass it to jitted functions as an argument, as a constant it would be
        copied into every compiled program.
    """

    name: str
    network: VGG | SqueezeNet | GoogLeNet | InceptionV3
    params: dict[str, Any]

    def least_side(self, taps: tuple[str, ...]) -> int:
        """The shortest side, in pixels (a power of two), at which every one of `taps` still has a position."""
        for side in (2**power for power in range(3, 10)):
            image = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
            try:
                _, seen = jax.eval_shape(lambda image: self.network.apply({"params": self.params}, image, taps), image)
            except ValueError:  # a window larger than what it should slide over
                continue
            if all(min(activation.shape[1:]) > 0 for activation in seen.values()):
                return side
        raise JaxstyleError(f"features {self.name!r} see nothing at {side} px")

    def stride(self, taps: tuple[str, ...]) -> int:
        """Pixels from one position of the coarsest of `taps` to the next, a power of two."""
        image = jax.ShapeDtypeStruct((1, 512, 512, 3), np.float32)
        network = self.network.clone(padding="circular")  # with which sides are divided without remainders
        _, seen = jax.eval_shape(lambda image: network.apply({"params": self.params}, image, taps), image)
        return max(512 // activation.shape[1] for activation in seen.values() if activation.ndim == 4)

    def shapes(self, taps: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
        """The shapes of activations of one picture of `least_side` pixels: `(h, w, C)`, or `(K,)` of class logits."""
        side = self.least_side(taps)
        image = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
        _, seen = jax.eval_shape(lambda image: self.network.apply({"params": self.params}, image, taps), image)
        return {name: activation.shape[1:] for name, activation in seen.items()}

    def check(self, taps: tuple[str, ...]) -> None:
        """Raises `JaxstyleError` when the network, as far as its file goes, lacks one of the layers `taps`."""
        for tap in taps:
            if tap not in self.network.taps:
                raise JaxstyleError(
                    f"unknown layer {tap!r} for features {self.name!r}, which end at "
                    f"{self.network.taps[-1]!r}; {did_you_mean(tap, self.network.taps)}"
                )


def load(
    name_or_path: str | os.PathLike[str] = DEFAULT,
    *,
    pooling: Pooling = "max",
    padding: Padding = "replicate",
) -> Features:
    """Features by registered name (fetched into the cache when missing) or by the path of a weights file.

    Args:
      name_or_path: A name out of `jaxstyle features list`, or a file in any layout `read_weights` recognises.
      pooling: `"max"`, `"average"` or `"l2"`.
      padding: Of the first layer, `"zeros"` or `"replicate"`; or of all layers, `"circular"`, with which a picture
        whose sides are multiples of `stride` is a torus.

    Returns:
      The network and its parameters.

    Raises:
      JaxstyleError: Unknown name, no network to fetch by, or a file that is not what it should be.
    """
    path = registry.resolve(name_or_path)
    name = str(name_or_path) if str(name_or_path) in registry.ENTRIES else path.name
    return build(name, read_weights(path), pooling=pooling, padding=padding)


def build(name: str, weights: Weights, *, pooling: Pooling = "max", padding: Padding = "replicate") -> Features:
    """Features from weights at hand; see `load`."""
    if pooling not in POOLING_SCALE:
        raise JaxstyleError(f"unknown pooling {pooling!r}; {did_you_mean(pooling, POOLING_SCALE)}")
    layers = {key.rpartition("/")[0] for key in weights.tensors} - {"preprocess"}
    network: VGG | SqueezeNet | GoogLeNet | InceptionV3
    if weights.architecture.startswith("vgg"):
        network = VGG(vgg_widths(weights.tensors), pooling, padding)
    elif weights.architecture == "googlenet":
        stages = len({layer.partition("/")[0] for layer in layers})
        classes = weights.tensors.get("loss3/classifier/bias", np.zeros(0)).shape[0]
        network = GoogLeNet(stages, classes, pooling, padding)
    elif weights.architecture == "inception_v3":
        widths = tuple(weights.tensors[f"{node.name}/bias"].shape[0] for node in CONVOLUTIONS if node.name in layers)
        # torchvision's weights are a later training's, of 1000 classes, whose last pool was an average.
        network = InceptionV3(widths, pooling, padding, "logits" not in layers or widths[-1] == CLASSES_2015)
    else:
        depth = max(int(layer.partition("/")[0].removeprefix("fire").removeprefix("conv")) for layer in layers)
        network = SqueezeNet(weights.architecture, depth, weights.ceil_pooling, pooling, padding)
    return Features(name, network, nest(weights.tensors))


def vgg_widths(tensors: Mapping[str, np.ndarray]) -> tuple[tuple[int, ...], ...]:
    """Channels of each convolution, block by block, read off the biases of a canonical VGG."""
    blocks: dict[str, list[int]] = {}
    for layer in sorted(key for key in tensors if key.startswith("conv") and key.endswith("/bias")):
        blocks.setdefault(layer.partition("_")[0], []).append(tensors[layer].shape[0])
    return tuple(tuple(block) for block in blocks.values())


def nest(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Flax's parameter tree: the last `/` of a name splits layer from leaf (`fire2/squeeze1x1` is one layer)."""
    tree: dict[str, Any] = {}
    for key, value in tensors.items():
        layer, _, leaf = key.rpartition("/")
        tree.setdefault(layer, {})[leaf] = value
    return tree
