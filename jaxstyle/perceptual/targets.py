"""What the objective needs of a run's pictures, worked out anew at every scale."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.features import Features
from jaxstyle.media import colors
from jaxstyle.media.image_resizing import fit_size, resize
from jaxstyle.perceptual.style import StyleObjective, Targets, Weights
from jaxstyle.pixels.config import StyleTransferConfig
from jaxstyle.pixels.inputs import Inputs, style_weights
from jaxstyle.pixels.schedule import Stage, least_longer_side

Point = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class TargetMaker:
    """`stage -> Targets [contents · points, …]`: the objective's view of photos and paintings at that scale."""

    config: StyleTransferConfig
    objective: StyleObjective
    features: Features
    inputs: Inputs
    points: Sequence[Point]

    def __call__(self, stage: Stage) -> Targets:
        """Targets of all pictures of the batch at one stage, stacked on the host."""
        shared = None if self.config.preserve_color == "histogram" else self.style_moments(stage, self.inputs.styles)
        made = []
        for content in self.inputs.contents:
            styles = shared or self.style_moments(stage, [colors.match_color(s, content) for s in self.inputs.styles])
            made += self.targets(resize(content, stage.height, stage.width), styles, stage)
        return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *made)

    def targets(self, content: np.ndarray, styles: Sequence[Any], stage: Stage) -> list[Targets]:
        """One photo's targets at every point of the sweep."""
        masks = None
        if self.inputs.content_masks:
            masks = np.stack([resize(m, stage.height, stage.width) for m in self.inputs.content_masks])
        weights = style_weights(self.config, len(self.inputs.styles))
        seen, style = compiled(self.objective).targets(content, self.features.params, styles, weights, masks)
        layers = np.array(self.config.layer_weights, np.float32)
        return [
            Targets(
                seen,
                style,
                Weights(
                    np.float32(point.get("content_weight", self.config.content_weight)),
                    np.float32(point.get("tv_weight", self.config.tv_weight)),
                    layers / layers.sum(),
                ),
            )
            for point in self.points
        ]

    def style_moments(self, stage: Stage, styles: Sequence[np.ndarray]) -> list[Any]:
        """The moments of every style picture at the size it is seen at in this stage."""
        made = []
        for i, style in enumerate(styles):
            height, width = style.shape[:2]
            size = fit_size(height, width, self.style_side(stage, style))
            mask = resize(self.inputs.style_masks[i], *size) if self.inputs.style_masks else None
            made.append(compiled(self.objective).moments(resize(style, *size), self.features.params, mask))
        return made

    def style_side(self, stage: Stage, style: np.ndarray) -> int:
        """Longer side at which a style is seen: never above its own, never below what the deepest layer needs."""
        least = least_longer_side(style.shape[:2], self.features.least_side(self.objective.style_layers))
        wanted = self.config.style_size or round(stage.scale * self.config.style_scale)
        return max(least, min(wanted, max(style.shape[:2])))


class Compiled(NamedTuple):
    """Jitted helpers of one objective."""

    moments: Callable[..., Any]
    blend: Callable[..., Any]
    targets: Callable[..., Any]


@functools.lru_cache(maxsize=8)
def compiled(objective: StyleObjective) -> Compiled:
    """Made once an objective, so that equal shapes compile once."""

    def blend(styles: Any, weights: jax.Array) -> Any:
        return objective.style_targets(styles, jnp.asarray(weights), None, None)

    def targets(content: jax.Array, params: Any, styles: Any, weights: jax.Array, masks: jax.Array | None) -> Any:
        shapes = jax.eval_shape(functools.partial(objective.look, taps=objective.style_layers), content, params)
        style = objective.style_targets(styles, jnp.asarray(weights), masks, shapes)
        return objective.content_targets(content, params), style

    return Compiled(jax.jit(objective.style_moments), jax.jit(blend), jax.jit(targets))
