"""Objectives and their algebra: weighted sums of named scores of a picture's activations, larger being better."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError

Score = Callable[["Activations", Any, Any], Any]
Match = Callable[["Activations", str, Any], Any]


class Activations(NamedTuple):
    """The argument of an objective: pictures, and what a feature extractor makes of them.

    Attributes:
      pictures: `[H, W, 3]`, RGB in [0, 1], or a group `[B, H, W, 3]` that is optimised together.
      taps: Activations `[B, h, w, C]` (class logits `[B, K]`) of the layers asked for, by name.
      reference: Activations `[1, …]` of the reference picture, of the layers that comparing scores ask for.
    """

    pictures: jax.Array
    taps: dict[str, jax.Array]
    reference: dict[str, jax.Array]


class Part(NamedTuple):
    """One summand, as far as it is compiled in.

    Attributes:
      name: By which traces call it.
      score: `(activations, layer, numbers) -> scalar`, pure; a joint one takes and returns lists.
      layer: Name of the activation it is a function of; empty for scores of the picture alone.
      compares: Whether it needs that activation of the reference picture, too.
      match: `(activations, layer, numbers) -> nearest`, of scores that match places: what their numbers have as
        `nearest`, found anew now and then; None of all others.
      joint: Whether all parts of this score are computed by one call, with lists of their layers and numbers.
    """

    name: str
    score: Score
    layer: str
    compares: bool = False
    match: Match | None = None
    joint: bool = False


@functools.partial(jax.tree_util.register_dataclass, data_fields=["weights", "numbers"], meta_fields=["parts"])
@dataclasses.dataclass(frozen=True, eq=False)
class Objective:
    """A weighted sum of scores, to be made large; it is built by functions such as `content`, and by `+`, `-` and `*`.

    An objective is a pytree: layers and scores are compiled in, while weights and numbers (a channel's index, a
    direction, a target) are leaves. So sixty-four objectives that differ in the channel alone, stacked leaf by leaf,
    are one compiled program under `vmap`.

        dream = layer_energy("relu4_1") + 0.5 * channel("relu5_1", 11) - 10 * content("relu3_1")

    Attributes:
      parts: The summands.
      weights: Scalar, one a part.
      numbers: Pytree of arrays, one a part.
    """

    parts: tuple[Part, ...]
    weights: tuple[Any, ...]
    numbers: tuple[Any, ...]

    def __call__(self, activations: Activations) -> jax.Array:
        """The value, a float32 scalar."""
        return jnp.sum(jnp.stack(list(self.terms(activations).values())))

    def terms(self, activations: Activations) -> dict[str, jax.Array]:
        """Returns every weighted part by its name, float32 scalars; parts of one name are summed."""
        found: dict[str, jax.Array] = {}
        for part, weight, score in zip(self.parts, self.weights, self.scores(activations), strict=True):
            value = weight * score.astype(jnp.float32)
            found[part.name] = found[part.name] + value if part.name in found else value
        return found

    def scores(self, activations: Activations) -> list[jax.Array]:
        """The score of every part, without its weight."""
        found: dict[int, jax.Array] = {}
        for i, part in enumerate(self.parts):
            if not part.joint:
                found[i] = part.score(activations, part.layer, self.numbers[i])
            elif i not in found:
                same = [j for j, other in enumerate(self.parts) if other.joint and other.score is part.score]
                layers, numbers = [self.parts[j].layer for j in same], [self.numbers[j] for j in same]
                found.update(zip(same, part.score(activations, layers, numbers), strict=True))
        return [found[i] for i in range(len(self.parts))]

    @property
    def layers(self) -> tuple[str, ...]:
        """All layers that scores are functions of."""
        return tuple(dict.fromkeys(part.layer for part in self.parts if part.layer))

    @property
    def compared(self) -> tuple[str, ...]:
        """The layers whose activations of the reference picture are needed."""
        return tuple(dict.fromkeys(part.layer for part in self.parts if part.compares))

    def matches(self, activations: Activations) -> tuple[Any, ...]:
        """Returns the matches in the activations for each part of the objective that matches places."""
        pairs = zip(self.parts, self.numbers, strict=True)
        return tuple(part.match(activations, part.layer, numbers) for part, numbers in pairs if part.match)

    def having(self, matches: tuple[Any, ...]) -> Objective:
        """The objective whose matching parts go by `matches`."""
        found = iter(matches)
        pairs = zip(self.parts, self.numbers, strict=True)
        numbers = [numbers._replace(nearest=next(found)) if part.match else numbers for part, numbers in pairs]
        return dataclasses.replace(self, numbers=tuple(numbers))

    def weighted(self, kinds: Sequence[str], factor: float) -> Objective:
        """The objective whose parts of some kinds, such as `"content"` of `"content/relu4_1"`, count `factor` times."""
        pairs = zip(self.parts, self.weights, strict=True)
        weights = [factor * weight if part.name.partition("/")[0] in kinds else weight for part, weight in pairs]
        return dataclasses.replace(self, weights=tuple(weights))

    def __add__(self, other: Objective) -> Objective:
        if not isinstance(other, Objective):
            return NotImplemented
        return Objective(self.parts + other.parts, self.weights + other.weights, self.numbers + other.numbers)

    def __mul__(self, factor: Any) -> Objective:
        if isinstance(factor, Objective):
            return NotImplemented
        return dataclasses.replace(self, weights=tuple(factor * weight for weight in self.weights))

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Objective:
        return self * (1 / divisor)

    def __neg__(self) -> Objective:
        return self * -1.0

    def __sub__(self, other: Objective) -> Objective:
        return self + -other if isinstance(other, Objective) else NotImplemented


def term(name: str, score: Score, layer: str = "", numbers: Any = (), **others: Any) -> Objective:
    """An objective of one score with weight one; `others` are further fields of its `Part`."""
    return Objective((Part(name, score, layer, **others),), (np.float32(1),), (numbers,))


def activation(activations: Activations, layer: str) -> jax.Array:
    """The activation of a layer, in float32."""
    return activations.taps[layer].astype(jnp.float32)


def maps(activations: Activations, layer: str) -> jax.Array:
    """The feature maps of a layer `[B, h, w, C]`, in float32.

    Raises:
      JaxstyleError: The layer has no positions, as class logits have none.
    """
    features = activation(activations, layer)
    if features.ndim != 4:
        raise JaxstyleError(f"layer {layer!r} has no positions; use `logit` for it")
    return features
