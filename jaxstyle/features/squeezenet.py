"""SqueezeNet 1.0 and 1.1 (Iandola et al. 2016, arXiv 1602.07360) as networks that look."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.features.layers import ColorMap, Conv, Padding, Pooling, deepest_tap, pad_frame, pool3


class Plan(NamedTuple):
    """What tells the two versions apart."""

    stem_width: int
    stem_size: int
    pool_after: tuple[int, ...]  # 1 is the stem; 2…9 are the fire modules


PLANS = {
    "squeezenet1_0": Plan(96, 7, (1, 4, 8)),
    "squeezenet1_1": Plan(64, 3, (1, 3, 5)),
}
SQUEEZE_WIDTHS = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}
CLASSES = 1000


class SqueezeNet(nn.Module):
    """SqueezeNet, returning every named activation.

    Attributes:
      architecture: `"squeezenet1_0"` or `"squeezenet1_1"`.
      depth: Number of the last convolutional stage present, 1 (the stem) to 10 (the classifier).
      ceil_pooling: Whether pools round their size up; it belongs to the weights.
      pooling: How activations are pooled.
      padding: `"replicate"` repeats the picture's edge pixels before the stem, which otherwise does not pad;
        `"circular"` closes the picture to a torus, at every layer.
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
        plan, seen = PLANS[self.architecture], {}
        x = ColorMap(name="preprocess")(images)
        if self.padding != "zeros":
            x = pad_frame(x, (plan.stem_size // 2,) * 2, self.padding)
        seen["conv1"] = x = Conv(plan.stem_width, plan.stem_size, 2, "VALID", name="conv1")(x)
        seen["relu1"] = x = self.relu(x)
        for stage in range(1, min(self.depth, 9) + 1):
            if f"fire{stage}" in self.taps and any(name.startswith(f"fire{stage}") for name in left):
                x = self.fire(stage, x, seen)
            if f"pool{stage}" in left:
                seen[f"pool{stage}"] = x = pool3(x, self.pooling, self.ceil_pooling, self.padding == "circular")
        if "conv10" in left:
            x = self.classify(x, seen)
        return x, {name: seen[name] for name in wanted}

    def fire(self, stage: int, x: jax.Array, seen: dict[str, jax.Array]) -> jax.Array:
        """Squeeze to few channels by 1x1, expand by 1x1 and 3x3 side by side; every part is put into `seen`."""
        width = SQUEEZE_WIDTHS[stage]

        def convolve(part: str, x: jax.Array, features: int, size: int) -> jax.Array:
            name = f"fire{stage}/{part}"
            padding = "circular" if self.padding == "circular" else "SAME"
            seen[name] = Conv(features, size, padding=padding, name=name)(x)
            seen[f"fire{stage}/relu_{part}"] = self.relu(seen[name])
            return seen[f"fire{stage}/relu_{part}"]

        squeezed = convolve("squeeze1x1", x, width, 1)
        both = [convolve("expand1x1", squeezed, 4 * width, 1), convolve("expand3x3", squeezed, 4 * width, 3)]
        seen[f"fire{stage}"] = jnp.concatenate(both, -1)
        return seen[f"fire{stage}"]

    def classify(self, x: jax.Array, seen: dict[str, jax.Array]) -> jax.Array:
        """The 1000-way classifier. Caffe pads its 1x1 convolution by one pixel, so the border sees only the bias."""
        margin = 1 if self.architecture == "squeezenet1_0" and self.padding != "circular" else 0
        x = jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        seen["conv10"] = x = Conv(CLASSES, 1, name="conv10")(x)
        seen["relu10"] = x = self.relu(x)
        seen["logits"] = x = jnp.mean(x, (1, 2))
        return x
