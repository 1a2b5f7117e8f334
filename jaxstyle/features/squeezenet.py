"""SqueezeNet 1.0 and 1.1 (Iandola et al. 2016, arXiv 1602.07360) as feature extractors."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.features.layers import ColorMap, Conv, Padding, Pooling, deepest_tap, pad_frame, pool3


class Plan(NamedTuple):
    """The differences between the two versions."""

    stem_width: int
    stem_size: int
    pool_after: tuple[int, ...]  # 1 is the stem; 2…9 are the fire modules


PLANS = {"squeezenet1_0": Plan(96, 7, (1, 4, 8)), "squeezenet1_1": Plan(64, 3, (1, 3, 5))}
SQUEEZE_WIDTHS = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}
CLASSES = 1000


class SqueezeNet(nn.Module):
    """SqueezeNet, returning every named activation.

    Attributes:
      architecture: `"squeezenet1_0"` or `"squeezenet1_1"`.
      depth: Number of the last convolutional stage present, 1 (the stem) to 10 (the classifier).
      ceil_pooling: Whether pools round their size up; a property of the weights.
      pooling: See `layers.pool3`.
      padding: `"replicate"` repeats the picture's edge pixels before the stem, else without padding; `"circular"`
        makes a torus of the picture, at every layer.
      relu: The nonlinearity, see `VGG`.
    """

    architecture: str = "squeezenet1_1"
    depth: int = 9
    ceil_pooling: bool = True
    pooling: Pooling = "max"
    padding: Padding = "replicate"
    relu: Callable[[jax.Array], jax.Array] = nn.relu

    @property
    def taps(self) -> tuple[str, ...]:
        """Names of all activations, shallow to deep: `conv1, relu1, pool1, fire2/squeeze1x1, …, fire2, …`.

        A fire module has `squeeze1x1`, `relu_squeeze1x1`, `expand1x1`, `relu_expand1x1`, `expand3x3`,
        `relu_expand3x3`, and its output under its own name. `conv10` and its ReLU's mean `logits` end it.
        """
        names = ["conv1", "relu1"]
        for stage in range(1, min(self.depth, 9) + 1):
            if stage > 1:
                parts = ("squeeze1x1", "expand1x1", "expand3x3")
                names += [f"fire{stage}/{prefix}{part}" for part in parts for prefix in ("", "relu_")]
                names.append(f"fire{stage}")
            if stage in PLANS[self.architecture].pool_after:
                names.append(f"pool{stage}")
        return (*names, "conv10", "relu10", "logits") if self.depth == 10 else tuple(names)

    @nn.compact
    def __call__(
        self, images: jax.Array, taps: tuple[str, ...] | None = None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Runs the network as far as the deepest tap asked for.

        Args:
          images: `[N, H, W, 3]`, RGB in [0, 1].
          taps: Names out of `self.taps`; None means all of them.

        Returns:
          The deepest activation computed, and a dict of the asked-for activations (`logits` is `[N, 1000]`).

        Raises:
          JaxstyleError: A tap is not a layer of this network.
        """
        wanted = self.taps if taps is None else taps
        left = self.taps[: deepest_tap(wanted, self.taps) + 1]
        plan, activations = PLANS[self.architecture], {}
        x = ColorMap(name="preprocess")(images)
        if self.padding != "zeros":
            x = pad_frame(x, (plan.stem_size // 2,) * 2, self.padding)
        activations["conv1"] = x = Conv(plan.stem_width, plan.stem_size, 2, "VALID", name="conv1")(x)
        activations["relu1"] = x = self.relu(x)
        for stage in range(1, min(self.depth, 9) + 1):
            if f"fire{stage}" in self.taps and any(name.startswith(f"fire{stage}") for name in left):
                x = self.fire(stage, x, activations)
            if f"pool{stage}" in left:
                activations[f"pool{stage}"] = x = pool3(x, self.pooling, self.ceil_pooling, self.padding == "circular")
        if "conv10" in left:
            x = self.classify(x, activations)
        return x, {name: activations[name] for name in wanted}

    def fire(self, stage: int, x: jax.Array, activations: dict[str, jax.Array]) -> jax.Array:
        """Applies a fire module and adds its parts to `activations`: a 1x1 squeeze, then 1x1 and 3x3 expansions."""
        width = SQUEEZE_WIDTHS[stage]

        def convolve(part: str, x: jax.Array, features: int, size: int) -> jax.Array:
            name = f"fire{stage}/{part}"
            padding = "circular" if self.padding == "circular" else "SAME"
            activations[name] = Conv(features, size, padding=padding, name=name)(x)
            activations[f"fire{stage}/relu_{part}"] = self.relu(activations[name])
            return activations[f"fire{stage}/relu_{part}"]

        squeezed = convolve("squeeze1x1", x, width, 1)
        both = [convolve("expand1x1", squeezed, 4 * width, 1), convolve("expand3x3", squeezed, 4 * width, 3)]
        activations[f"fire{stage}"] = jnp.concatenate(both, -1)
        return activations[f"fire{stage}"]

    def classify(self, x: jax.Array, activations: dict[str, jax.Array]) -> jax.Array:
        """Applies the 1000-way classifier. Caffe pads its 1x1 convolution by a pixel, where the result is the bias."""
        margin = 1 if self.architecture == "squeezenet1_0" and self.padding != "circular" else 0
        x = jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        activations["conv10"] = x = Conv(CLASSES, 1, name="conv10")(x)
        activations["relu10"] = x = self.relu(x)
        activations["logits"] = x = jnp.mean(x, (1, 2))
        return x
