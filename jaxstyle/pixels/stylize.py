"""Style transfer: a photo's content in the style of paintings, optimised from small to large."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

import jax
import numpy as np
import optax

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features
from jaxstyle.media import colors
from jaxstyle.media.image_resizing import check_mask, resize
from jaxstyle.perceptual.config import PerceptualConfig, layer_weights_setting
from jaxstyle.perceptual.loss import PerceptualLoss
from jaxstyle.pixels import footprint, schedule
from jaxstyle.pixels.job import Inputs, PixelJob, Point, Reads
from jaxstyle.pixels.loop import Problem
from jaxstyle.pixels.objectives import Objective, ObjectiveLoss, StageObjective
from jaxstyle.pixels.optimization import (
    STEP_SIZES,
    OptimizationConfig,
    choose_method,
    hyper_parameters,
    matched_layers,
    noise,
    style_weights,
    with_step_of,
)
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.style_objectives import StageObjectives
from jaxstyle.runtime.settings import named, setting

LAYERS = {"relu1_1": 8.0, "relu2_1": 6.0, "relu3_1": 8.0, "relu4_1": 2.0, "relu5_1": 0.5}
"""The usual style layers, with their weights. The statistics of the deepest dissolve the photo's forms before they make
the picture like the painting, so they count less than in textures, and those of relu3_1 more."""
INITS = ("content", "noise", "style-stats")
PRESERVE_COLOR = ("none", "luminance", "histogram")
SWEEPABLE = (
    "strength",
    "content_weight",
    "structure_weight",
    "matching_weight",
    "tv_weight",
    "learning_rate",
    "avg_decay",
)
"""Settings that are traced arguments of a step: a sweep over them is one compiled program."""


@dataclasses.dataclass(frozen=True)
class StyleTransferConfig(PerceptualConfig, OptimizationConfig):
    """Settings of style transfer; every field is also a command-line option, where lists are written `a,b,c`."""

    usual_layers: ClassVar[Mapping[str, float]] = LAYERS

    strength: float = setting(
        0.5, "how much painting: 0 keeps the photo, at 1 the painting goes its own way", least=0, most=1
    )
    content_weight: float = setting(0.033, "weight of the distance to the photo", least=0)
    layer_weights: tuple[float, ...] = layer_weights_setting(LAYERS)
    matching_weight: float = setting(
        0.35, "weight of being like the style place by place, beside its statistics; 0 takes those alone", least=0
    )
    size: int = setting(512, "longer side of the result, pixels", least=16)
    init: str = setting("content", f"what to start from: {', '.join(INITS)}, or the path of a picture", path=True)
    style_scale: float = setting(
        1.0, "size of the style pictures relative to the result; more gives larger strokes", least=0
    )
    parametrization: str = setting(
        "", "which numbers the optimiser moves (default: pyramid for adam, pixels for lbfgs)", STEP_SIZES
    )
    padding: str = setting("replicate", "what the network's first layer sees beyond the frame", ("replicate", "zeros"))
    structure_weight: float = setting(
        0.05, "weight of the photo's composition: which of its places resemble each other", least=0
    )
    preserve_color: str = setting("none", "keep the photo's colours", PRESERVE_COLOR)

    def __post_init__(self) -> None:
        """Gives every field its declared type, and the picture the parametrisation that goes with the optimiser."""
        super().__post_init__()
        if not self.parametrization:
            object.__setattr__(self, "parametrization", "pixels" if self.optimizer == "lbfgs" else "pyramid")

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if self.style_scale == 0:
            raise JaxstyleError(f"{named('style_scale')} is 0; it must be above 0")
        super().check_relations()


def prepare(
    config: StyleTransferConfig,
    features: Features,
    inputs: Inputs,
    points: Sequence[Point] = ({},),
    *,
    optimizer: optax.GradientTransformation | None = None,
    objective: Objective | None = None,
) -> Problem:
    """Checks everything and sets the problem up; nothing expensive has happened yet.

    Args:
      config: The settings.
      features: The feature extractor.
      inputs: `contents`, `styles`, `content_masks`, `style_masks` and `init`.
      points: Overrides of `SWEEPABLE` settings; every content is stylised at every point, in one batch.
      optimizer: Any optax transformation, in place of the config's.
      objective: To be made large, in place of the distances to photo and paintings; comparing terms, such as
        `content`, compare with the photo.

    Returns:
      The problem of `len(contents) · len(points)` pictures.

    Raises:
      JaxstyleError: A setting, layer, picture or mask that cannot be, or a size too large for the memory.
    """
    config = with_step_of(config, optimizer)
    config.check()
    check_inputs(inputs)
    style_weights(config, len(inputs["styles"]))
    # Once: the targets of every picture at every scale read the network, which as host arrays would be sent each time.
    features = dataclasses.replace(features, params=jax.device_put(features.params))
    loss = perceptual_loss(config, features.network, points)
    layers = loss.layers if objective is None else objective.layers
    features.check(layers)
    contents = inputs.rgb("contents")
    stages = stages_of(config, features.least_side(layers), [content.shape for content in contents])
    count = len(contents) * len(points)
    network = footprint.fit(features, layers, stages[-1], count, config.dtype, config.devices)
    method = choose_method(config, ObjectiveLoss(network, dtype=config.dtype, descends=True), optimizer)
    method = method._replace(match_every=config.match_every if loss.matching_layers or objective else 0)
    loss = dataclasses.replace(loss, network=network)
    objectives = StageObjectives(config, loss, features, inputs, points, objective, stages[:-1][:1])
    start = np.repeat(starting_images(config, inputs, stages[0]), len(points), axis=0)
    hyper = hyper_parameters(config, len(contents), points)
    problem = Problem(method, stages, start, hyper, objectives, features.params)
    # The weights of a caller's own objective hold to the end.
    return problem if objective is not None else problem._replace(release=StageObjective.released)


def perceptual_loss(config: StyleTransferConfig, network: Any, points: Sequence[Point] = ({},)) -> PerceptualLoss:
    """The loss that settings describe, at some points of them."""

    def used(name: str) -> bool:
        return any(point.get(name, getattr(config, name)) for point in points)

    return PerceptualLoss(
        network,
        config.content_layers,
        config.style_layers,
        config.style_loss,
        config.dtype,
        matching_layers=matched_layers(config) if used("matching_weight") else (),
        structure=used("structure_weight"),
    )


def check_inputs(inputs: Inputs) -> None:
    """Raises `JaxstyleError` where numbers of pictures or sizes of masks do not fit."""
    styles = inputs.rgb("styles")
    if not inputs["contents"] or not styles:
        raise JaxstyleError("a stylisation needs at least one content and one style picture")
    for kind in ("content", "style"):
        masks = inputs[f"{kind}_masks"]
        if masks and len(masks) != len(styles):
            raise JaxstyleError(f"there are {len(masks)} {kind} masks for {len(styles)} styles; give one each")
    for i, mask in enumerate(inputs["content_masks"], 1):
        for content in inputs.rgb("contents"):
            check_mask(f"content mask {i}", mask, "the content picture", content)
    for i, (mask, style) in enumerate(zip(inputs["style_masks"], styles, strict=False), 1):
        check_mask(f"style mask {i}", mask, f"style {i}", style)


def stages_of(config: StyleTransferConfig, least_side: int, shapes: Sequence[tuple[int, ...]]) -> list[Stage]:
    """The stages of pictures of some heights and widths, the same for all of them.

    Raises:
      JaxstyleError: A picture is too narrow at its final size, or the pictures' stages differ.
    """
    plans = {tuple(schedule.stages(config, config.size, least_side, *shape[:2])) for shape in shapes}
    if len(plans) > 1:
        raise JaxstyleError("content pictures of one run must have one shape; stylise those of other shapes apart")
    return list(plans.pop())


def batch(config: StyleTransferConfig, features: Features, shape: tuple[int, ...] | None) -> tuple[Hashable, int]:
    """Photos of equal stages together, as many at once as half the memory holds."""
    layers = perceptual_loss(config, features.network).layers
    features.check(layers)
    stages = stages_of(config, features.least_side(layers), [shape or (config.size, config.size)])
    limit = footprint.largest_batch(features, layers, stages[-1], 1, config.dtype, config.devices)
    return tuple(stages), limit


def starting_images(config: StyleTransferConfig, inputs: Inputs, stage: Stage) -> np.ndarray:
    """`[contents, H, W, 3]`: what `init` says, at the first stage's size."""
    shape, count = (stage.height, stage.width), len(inputs["contents"])
    if config.init == "content":
        return np.stack([resize(content, *shape) for content in inputs.rgb("contents")])
    if config.init not in INITS:
        if not inputs["init"]:
            raise JaxstyleError(f"init {config.init!r} is a path, and no picture was given for it")
        return np.stack([resize(inputs.first("init").rgb, *shape)] * count)
    return np.stack([noise(config, stage, inputs.rgb("styles") if config.init == "style-stats" else ())] * count)


def finish(config: StyleTransferConfig, picture: np.ndarray, inputs: Inputs) -> np.ndarray:
    """The result as it is shown: with the photo's colours where that was asked for."""
    if config.preserve_color != "luminance":
        return picture
    return colors.keep_luminance_only(picture, resize(inputs.first("contents").rgb, *picture.shape[:2]))


MASKS = (
    Reads("content_masks", "PATH", "white where in the photo the i-th style goes", mask=True, option="content-mask"),
    Reads("style_masks", "PATH", "white where the i-th style counts", mask=True, option="style-mask"),
)
READS = (
    Reads("contents", "CONTENT", "a photo, a folder of photos or a film", least=1, each=True),
    Reads("styles", "STYLE", "paintings", least=1),
    *MASKS,
    Reads("init", "PATH", setting="init", words=INITS),
)
JOB = PixelJob(
    "stylize",
    "paint photos and films in the style of paintings",
    StyleTransferConfig,
    prepare,
    READS,
    finish=finish,
    sweepable=SWEEPABLE,
    batch=batch,
)
