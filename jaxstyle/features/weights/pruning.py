"""Pruning of a VGG's channels that are zero, or nearly so, for all pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.features import build
from jaxstyle.features.weights.files import Weights

THRESHOLD = 1e-3
"""Root mean square of a channel over all pictures, relative to its layer's, above which it is active."""


def active_channels(weights: Weights, pictures: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """Finds the channels that are active for some picture.

    Args:
      weights: A VGG of any width.
      pictures: Batches `[N, H, W, 3]` in [0, 1]; every new shape is compiled.

    Returns:
      Bool `[C]` for every convolution, by its name (`conv1_1`).

    Raises:
      JaxstyleError: The architecture is not a VGG, or there is no picture.
    """
    if not weights.architecture.startswith("vgg"):
        raise JaxstyleError(f"channels are pruned of VGGs only, and this is {weights.architecture!r}")
    features = build("to prune", weights)
    taps = tuple(tap for tap in features.network.taps if tap.startswith("relu"))

    @jax.jit
    def energies(params: Any, images: jax.Array) -> dict[str, jax.Array]:
        _, activations = features.network.apply({"params": params}, images, taps)
        return {tap.replace("relu", "conv"): jnp.mean(jnp.square(x), (0, 1, 2)) for tap, x in activations.items()}

    total: dict[str, Any] = {}
    for images in pictures:
        for name, energy in jax.device_get(energies(features.params, images)).items():
            total[name] = total.get(name, 0.0) + energy.astype(np.float64)
    if not total:
        raise JaxstyleError("there is no picture to find active channels by")
    return {name: energy > THRESHOLD**2 * energy.mean() for name, energy in total.items()}


def pruned(weights: Weights, active: Mapping[str, np.ndarray]) -> Weights:
    """Removes the channels that are not active; the others' activations stay the same if those are zero.

    Args:
      weights: A VGG's weights.
      active: From `active_channels`.

    Returns:
      The weights of a narrower VGG.

    Raises:
      JaxstyleError: A layer would have no channel left.
    """
    tensors = dict(weights.tensors)
    inputs = np.ones(3, bool)
    for name, keep in active.items():
        if not keep.any():
            raise JaxstyleError(f"no channel of {name} is ever active")
        tensors[f"{name}/kernel"] = tensors[f"{name}/kernel"][:, :, inputs][..., keep]
        tensors[f"{name}/bias"] = tensors[f"{name}/bias"][keep]
        inputs = keep
    return Weights(weights.architecture, tensors, weights.ceil_pooling, weights.metadata)
