"""Feature extractors with their weights, loaded by name or by path."""

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
    """A feature extractor with its weights: `network.apply({"params": params}, images, taps)`.

    Attributes:
      name: The registered name or the name of the file that it was loaded from.
      network: The Flax module; it is hashable, so it can be a static argument of `jit`.
      params: Nested dict of float32 arrays. Pass it to jitted functions as an argument: a constant is copied into every
        compiled program.
    """

    name: str
    network: VGG | SqueezeNet | GoogLeNet | InceptionV3
    params: dict[str, Any]

    def least_side(self, taps: tuple[str, ...]) -> int:
        """The smallest side in pixels, a power of two, at which all of `taps` have at least one position."""
        for side in (2**power for power in range(3, 10)):
            try:
                activations = self._activations(self.network, taps, side)
            except ValueError:  # a window larger than its input
                continue
            if all(min(activation.shape[1:]) > 0 for activation in activations.values()):
                return side
        raise JaxstyleError(f"features {self.name!r} have no position at {side} px")

    def stride(self, taps: tuple[str, ...]) -> int:
        """The stride of the coarsest of `taps` in pixels, a power of two."""
        network = self.network.clone(padding="circular")  # so that sides are divided without remainders
        activations = self._activations(network, taps, 512)
        return max(512 // activation.shape[1] for activation in activations.values() if activation.ndim == 4)

    def shapes(self, taps: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
        """Shapes of the activations of a picture of `least_side` pixels: `(h, w, C)`, or `(K,)` for class logits."""
        activations = self._activations(self.network, taps, self.least_side(taps))
        return {name: activation.shape[1:] for name, activation in activations.items()}

    def _activations(self, network: Any, taps: tuple[str, ...], side: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes and dtypes of the activations of one picture, without computing them."""
        image = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
        return jax.eval_shape(lambda image: network.apply({"params": self.params}, image, taps), image)[1]

    def check(self, taps: tuple[str, ...]) -> None:
        """Raises `JaxstyleError` if one of `taps` is not a layer of the network, which may end early."""
        for tap in taps:
            if tap not in self.network.taps:
                raise JaxstyleError(
                    f"unknown layer {tap!r} for features {self.name!r}, which end at "
                    f"{self.network.taps[-1]!r}; {did_you_mean(tap, self.network.taps)}"
                )


def load(
    name_or_path: str | os.PathLike[str] = DEFAULT, *, pooling: Pooling = "max", padding: Padding = "replicate"
) -> Features:
    """Loads a feature extractor by registered name, downloaded if it is not in the cache, or from a weights file.

    Args:
      name_or_path: A name listed by `jaxstyle features list`, or a file in any layout that `read_weights` recognises.
      pooling: `"max"`, `"smooth"` (max, with gradients shared by all pixels of a window), `"average"` or `"l2"`.
      padding: Of the first layer, `"zeros"` or `"replicate"`; or `"circular"` of all layers, which makes a torus of a
        picture whose sides are multiples of `stride`.

    Returns:
      The network and its parameters.

    Raises:
      JaxstyleError: The name is unknown, the download fails, or the file is not a whole network.
    """
    path = registry.resolve(name_or_path)
    name = str(name_or_path) if str(name_or_path) in registry.ENTRIES else path.name
    return build(name, read_weights(path), pooling=pooling, padding=padding)


def build(name: str, weights: Weights, *, pooling: Pooling = "max", padding: Padding = "replicate") -> Features:
    """Makes a feature extractor of weights; see `load`."""
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
        # torchvision's weights are of a later training, with 1000 classes and an average for the last pool.
        network = InceptionV3(widths, pooling, padding, "logits" not in layers or widths[-1] == CLASSES_2015)
    else:
        depth = max(int(layer.partition("/")[0].removeprefix("fire").removeprefix("conv")) for layer in layers)
        network = SqueezeNet(weights.architecture, depth, weights.ceil_pooling, pooling, padding)
    return Features(name, network, parameter_tree(weights.tensors))


def vgg_widths(tensors: Mapping[str, np.ndarray]) -> tuple[tuple[int, ...], ...]:
    """Channels of each convolution of a VGG, block by block, from the sizes of its biases."""
    blocks: dict[str, list[int]] = {}
    for layer in sorted(key for key in tensors if key.startswith("conv") and key.endswith("/bias")):
        blocks.setdefault(layer.partition("_")[0], []).append(tensors[layer].shape[0])
    return tuple(tuple(block) for block in blocks.values())


def parameter_tree(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Flax's parameter tree of canonical tensors: the last `/` of a name separates layer and leaf."""
    tree: dict[str, Any] = {}
    for key, value in tensors.items():
        layer, _, leaf = key.rpartition("/")
        tree.setdefault(layer, {})[leaf] = value
    return tree
