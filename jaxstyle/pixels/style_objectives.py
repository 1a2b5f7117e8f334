"""The objectives that photos and paintings set for stylised pictures, scale by scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxstyle.features import Features
from jaxstyle.media import colors
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_resizing import resize
from jaxstyle.ops.matching import Bag
from jaxstyle.ops.moments import Moments
from jaxstyle.perceptual.loss import (
    PerceptualLoss,
    Weights,
    normalized,
    painting_targets,
    picture_targets,
)
from jaxstyle.perceptual.sizes import painting_size
from jaxstyle.pixels.job import Inputs, Point
from jaxstyle.pixels.objectives import Objective, StageObjective
from jaxstyle.pixels.optimization import style_weights
from jaxstyle.pixels.schedule import Stage

if TYPE_CHECKING:
    from jaxstyle.pixels.stylize import StyleTransferConfig


Seen = list[tuple[dict[str, Moments], dict[str, Bag]]]
"""Paintings as they are seen at one scale: the moments of each, and, where places are matched, its bags."""


@dataclasses.dataclass(frozen=True)
class StageObjectives:
    """The objectives of photos and paintings: `stage -> StageObjective [contents · points, …]`.

    Attributes:
      config: The settings.
      loss: The perceptual loss that they describe.
      features: The feature extractor.
      inputs: Photos, paintings and masks.
      points: Every photo is stylised at each of them.
      objective: To be made large, in place of the loss.
      moments_alone: Stages at which no places are matched. At the smallest scale the painting's large shapes find
        their places by its moments; lines follow.
    """

    config: StyleTransferConfig
    loss: PerceptualLoss
    features: Features
    inputs: Inputs
    points: Sequence[Point]
    objective: Objective | None = None
    moments_alone: Sequence[Stage] = ()

    def __call__(self, stage: Stage) -> StageObjective:
        """The objectives of all pictures of the batch at one stage, stacked on the host."""
        contents, styles = self.inputs.rgb("contents"), self.inputs.rgb("styles")
        if self.objective is not None:
            made = [self.given(self.objective, content, stage) for content in contents for _ in self.points]
            return stacked(made)
        loss = dataclasses.replace(self.loss, matching_layers=()) if stage in self.moments_alone else self.loss
        shared = None if self.config.preserve_color == "histogram" else self.seen(loss, stage, styles)
        made = []
        for content in self.inputs["contents"]:
            found = shared or self.seen(loss, stage, self.recolored(content))
            made += self.of_content(loss, resize(content.rgb, stage.height, stage.width), found, stage)
        return stacked(made)

    def recolored(self, content: Picture) -> list[np.ndarray]:
        """The paintings in a photo's colours, by the pixels that count of each."""
        pairs = zip(self.inputs.rgb("styles"), self.style_masks(), strict=True)
        return [colors.match_color(style, content.rgb, mask, content.alpha) for style, mask in pairs]

    def given(self, objective: Objective, content: np.ndarray, stage: Stage) -> StageObjective:
        """An objective of the caller's own, which compares with the photo where it compares."""
        reference = resize(content, stage.height, stage.width) if objective.compared else None
        return StageObjective(-objective, reference)  # the loop makes it small

    def of_content(self, loss: PerceptualLoss, content: np.ndarray, styles: Seen, stage: Stage) -> list[StageObjective]:
        """One photo's objectives at every point of the sweep."""
        masks, params = None, self.features.params
        if self.inputs["content_masks"]:
            masks = np.stack([resize(mask, stage.height, stage.width) for mask in self.inputs["content_masks"]])
        blend = style_weights(self.config, len(styles))
        targets, style, matching = picture_targets(loss, content, params, styles, blend, masks)
        made = []
        for point in self.points:
            asked = guidance(point.get("strength", self.config.strength))
            guided = {layer: target._replace(guidance=asked) for layer, target in matching.items()}
            made.append(StageObjective(loss.objective(targets, style, self.weights(point), guided)))
        return made

    def weights(self, point: Point) -> Weights:
        """The weights of the terms at a point of the sweep."""

        def number(name: str) -> np.float32:
            return np.float32(point.get(name, getattr(self.config, name)))

        content = number("content_weight") * tie(number("strength"))
        layers = normalized(self.config.layer_weights)
        tied = number("structure_weight") * tie(number("strength"))
        return Weights(np.float32(content), number("tv_weight"), layers, number("matching_weight"), np.float32(tied))

    def seen(self, loss: PerceptualLoss, stage: Stage, styles: Sequence[np.ndarray]) -> Seen:
        """Every painting at the size at which it is seen in this stage."""
        least, params = self.features.least_side(loss.style_layers), self.features.params
        wanted = self.config.style_size or round(stage.scale * self.config.style_scale)
        seen = []
        for style, mask in zip(styles, self.style_masks(), strict=True):
            size = painting_size(style.shape, wanted, least)
            resized, mask = resize(style, *size), None if mask is None else resize(mask, *size)
            seen.append(painting_targets(loss, resized, params, mask))
        return seen

    def style_masks(self) -> list[np.ndarray | None]:
        """Where each painting counts: its mask, where it is visible; None where all of it does."""
        masks = self.inputs["style_masks"] or [None] * len(self.inputs["styles"])
        return [visible(picture, mask) for picture, mask in zip(self.inputs["styles"], masks, strict=True)]


def tie(strength: Any) -> Any:
    """The factor of the weights that bind to the photo: 100 at a strength of 0, 1 at one half, 0.01 at 1."""
    return 100 ** (1 - 2 * strength)


def guidance(strength: float) -> np.float32:
    """The photo's share in what is looked up: three quarters at a strength of one half, none at 1."""
    return np.float32(min(1.0, 1.5 * (1 - strength)))


def visible(picture: Picture, mask: np.ndarray | None) -> np.ndarray | None:
    """A mask `[H, W]` of a picture times its alpha; None stands for ones."""
    if picture.alpha is None:
        return mask
    return picture.alpha if mask is None else mask * picture.alpha


def stacked(made: Sequence[StageObjective]) -> StageObjective:
    """The objectives of several pictures, leaves `[N, …]` on the host."""
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *made)
