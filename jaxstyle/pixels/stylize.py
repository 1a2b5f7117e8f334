"""Stylise pictures at hand: from photos, paintings and settings to a problem of the pixel loop, and back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxstyle import colors, images
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import VGG, Features
from jaxstyle.pixels import memory, optimizers, parametrizations, schedule
from jaxstyle.pixels.config import INITS, StyleTransferConfig
from jaxstyle.pixels.loop import Knobs, Method, Problem
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.style_transfer import StyleObjective, Targets, Weights

Point = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Pictures of one run, float32 in [0, 1].

    Attributes:
      contents: Photos `[H, W, 3]`; all of one shape once they are fitted to the run's sizes.
      styles: Paintings `[h, w, 3]`, of any shapes.
      content_masks: `[H, W]`, where in the photos each style goes; empty blends the styles everywhere.
      style_masks: `[h, w]`, which part of each painting counts; empty means all of it.
      start: Picture `[H', W', 3]` to start from, for `init` by a path.
    """

    contents: Sequence[np.ndarray]
    styles: Sequence[np.ndarray]
    content_masks: Sequence[np.ndarray] = ()
    style_masks: Sequence[np.ndarray] = ()
    start: np.ndarray | None = None

    def check(self) -> None:
        """Raises `JaxstyleError` where numbers of pictures or sizes of masks do not fit."""
        if not self.contents or not self.styles:
            raise JaxstyleError("a stylisation needs at least one content and one style picture")
        for kind, masks in (("content", self.content_masks), ("style", self.style_masks)):
            if masks and len(masks) != len(self.styles):
                raise JaxstyleError(f"there are {len(masks)} {kind} masks for {len(self.styles)} styles; give one each")
        for i, mask in enumerate(self.content_masks, 1):
            for content in self.contents:
                check_mask(f"content mask {i}", mask, "the content picture", content)
        for i, (mask, style) in enumerate(zip(self.style_masks, self.styles, strict=False), 1):
            check_mask(f"style mask {i}", mask, f"style {i}", style)


def check_mask(name: str, mask: np.ndarray, owner: str, picture: np.ndarray) -> None:
    """Raises `JaxstyleError` unless the mask has its picture's size and is not black all over."""
    if mask.shape != picture.shape[:2]:
        (height, width), (want_height, want_width) = mask.shape, picture.shape[:2]
        raise JaxstyleError(
            f"{name} is {width}×{height} px and {owner} is {want_width}×{want_height}; make them the same size"
        )
    if not mask.any():
        raise JaxstyleError(f"{name} is black all over; white marks the region")


class Stylization(NamedTuple):
    """A problem for the loop with what it starts from: `optimize(problem, start, knobs, devices)`."""

    problem: Problem
    start: np.ndarray
    knobs: Knobs


def prepare(
    config: StyleTransferConfig,
    features: Features,
    inputs: Inputs,
    points: Sequence[Point] = ({},),
    optimizer: optax.GradientTransformation | None = None,
) -> Stylization:
    """Everything checked and ready to run; nothing expensive has happened yet.

    Args:
      config: The settings.
      features: The network that looks.
      inputs: The pictures.
      points: Overrides of `SWEEPABLE` settings. Every content is stylised at every point, in one batch:
        content 1 at all points, content 2 at all points, …
      optimizer: Any optax transformation, instead of the config's.

    Returns:
      The stylisation of `len(contents) · len(points)` pictures.

    Raises:
      JaxstyleError: A setting, layer, picture or mask that cannot be, or a size too large for the memory.
    """
    config.check()
    inputs.check()
    if config.style_weights and len(config.style_weights) != len(inputs.styles):
        raise JaxstyleError(
            f"--style-weights has {len(config.style_weights)} numbers for {len(inputs.styles)} styles; give one each"
        )
    objective = StyleObjective(
        features.network, config.content_layers, config.style_layers, config.style_loss, config.dtype
    )
    features.check(objective.taps)
    plan = plan_stages(config, features.least_side(objective.taps), inputs.contents)
    objective = fit_memory(objective, features, plan[-1], len(inputs.contents) * len(points), config)
    method = choose_method(config, objective, optimizer)
    targets = TargetMaker(config, objective, features, inputs, points)
    start = np.repeat(starting_images(config, inputs, plan[0]), len(points), axis=0)
    return Stylization(
        Problem(method, plan, targets, features.params), start, knobs(config, len(inputs.contents), points)
    )


def choose_method(
    config: StyleTransferConfig, objective: StyleObjective, optimizer: optax.GradientTransformation | None
) -> Method:
    """Pixels moved by the optimiser; clipped to [0, 1], but not under L-BFGS, whose curvature it would spoil."""
    if optimizer is not None:
        return Method(parametrizations.RGB, objective, optimizer)
    if config.optimizer == "lbfgs":
        return Method(parametrizations.FREE_RGB, objective, optimizers.lbfgs())
    return Method(parametrizations.RGB, objective, optimizers.adam())


def plan_stages(config: StyleTransferConfig, least_side: int, contents: Sequence[np.ndarray]) -> list[Stage]:
    """The stages all contents share; the first is large enough for the deepest layer to see something."""
    plans = {}
    for content in contents:
        height, width = content.shape[:2]
        smallest = max(config.min_size, least_longer_side(content, least_side))
        if (shorter := min(images.fit_size(height, width, config.size))) < least_side:
            raise JaxstyleError(
                f"at --size {config.size} a {width}×{height} picture is {shorter} px on its shorter side, and the "
                f"layers need {least_side}; make --size at least {least_longer_side(content, least_side)}"
            )
        stages = schedule.stages(
            height,
            width,
            smallest=smallest,
            largest=config.size,
            first_iterations=config.initial_iterations,
            iterations=config.iterations,
        )
        plans[tuple(stages)] = stages
    if len(plans) > 1:
        raise JaxstyleError("content pictures of one run must have one shape; stylise those of other shapes apart")
    return next(iter(plans.values()))


def least_longer_side(picture: np.ndarray, least_side: int) -> int:
    """The longer side at which the shorter one has `least_side` pixels."""
    return -(-least_side * max(picture.shape[:2]) // min(picture.shape[:2]))


def fit_memory(
    objective: StyleObjective, features: Features, stage: Stage, count: int, config: StyleTransferConfig
) -> StyleObjective:
    """The objective, with activations worked out twice where memory is short.

    Raises:
      JaxstyleError: It is too short even so; the sentence gives the estimate.
    """
    need = functools.partial(memory.estimate, features, objective.taps, stage, count, config.dtype, config.devices)
    room = memory.available()
    if room is None or need() <= room:
        return objective
    can_remat = isinstance(features.network, VGG) and jax.default_backend() != "cpu"
    if can_remat and need(remat=True) <= room:
        return dataclasses.replace(objective, network=features.network.clone(remat=True))
    raise JaxstyleError(
        f"{count} picture(s) of {stage.width}×{stage.height} px with features {features.name!r} need some "
        f"{need() / 2**30:.1f} GiB and {room / 2**30:.1f} GiB are free: lower --size"
        + (", or use --dtype bfloat16" if config.dtype == "float32" else "")
    )


def starting_images(config: StyleTransferConfig, inputs: Inputs, stage: Stage) -> np.ndarray:
    """`[contents, H, W, 3]`: what `init` says, at the first stage's size."""
    shape = (stage.height, stage.width)
    if config.init == "content":
        return np.stack([images.resize(content, *shape) for content in inputs.contents])
    if config.init not in INITS:
        if inputs.start is None:
            raise JaxstyleError(f"init {config.init!r} is a path, and no picture was given for it")
        return np.stack([images.resize(inputs.start, *shape)] * len(inputs.contents))
    mean, std = np.full(3, 0.5), np.full(3, 0.25)
    if config.init == "style-stats":
        pixels = [style.reshape(-1, 3) for style in inputs.styles]
        weights = style_weights(config, inputs)
        mean = sum(w * p.mean(0) for w, p in zip(weights, pixels, strict=True))
        std = np.sqrt(sum(w * p.var(0) for w, p in zip(weights, pixels, strict=True)))
    noise = np.random.default_rng(config.seed).standard_normal((*shape, 3))
    return np.stack([np.clip(mean + std * noise, 0, 1).astype(np.float32)] * len(inputs.contents))


def style_weights(config: StyleTransferConfig, inputs: Inputs) -> np.ndarray:
    """The blend `[styles]`, summing to one; equal where none was set."""
    weights = np.asarray(config.style_weights or [1.0] * len(inputs.styles), np.float32)
    return weights / weights.sum()


def knobs(config: StyleTransferConfig, contents: int, points: Sequence[Point]) -> Knobs:
    """Learning rate, average and random key of every picture.

    All share the key, as they share the noise to start from: a picture does not depend on those beside it.
    """

    def every(name: str, default: float) -> np.ndarray:
        return np.tile(np.array([point.get(name, default) for point in points], np.float32), contents)

    key = np.random.SeedSequence(config.seed).generate_state(2, np.uint32)
    keys = np.tile(key, (contents * len(points), 1))
    return Knobs(every("learning_rate", config.step_size), every("avg_decay", config.avg_decay), keys)


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
            made += self.targets(images.resize(content, stage.height, stage.width), styles, stage)
        return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *made)

    def targets(self, content: np.ndarray, styles: Sequence[Any], stage: Stage) -> list[Targets]:
        """One photo's targets at every point of the sweep."""
        masks = None
        if self.inputs.content_masks:
            masks = np.stack([images.resize(m, stage.height, stage.width) for m in self.inputs.content_masks])
        weights = style_weights(self.config, self.inputs)
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
            size = images.fit_size(height, width, self.style_side(stage, style))
            mask = images.resize(self.inputs.style_masks[i], *size) if self.inputs.style_masks else None
            made.append(compiled(self.objective).moments(images.resize(style, *size), self.features.params, mask))
        return made

    def style_side(self, stage: Stage, style: np.ndarray) -> int:
        """Longer side at which a style is seen: never above its own, never below what the deepest layer needs."""
        least = least_longer_side(style, self.features.least_side(self.objective.style_layers))
        wanted = self.config.style_size or round(stage.scale * self.config.style_scale)
        return max(least, min(wanted, max(style.shape[:2])))


class Compiled(NamedTuple):
    """Jitted helpers of one objective."""

    moments: Callable[..., Any]
    targets: Callable[..., Any]


@functools.lru_cache(maxsize=8)
def compiled(objective: StyleObjective) -> Compiled:
    """Made once an objective, so that equal shapes compile once."""

    def targets(content: jax.Array, params: Any, styles: Any, weights: jax.Array, masks: jax.Array | None) -> Any:
        shapes = jax.eval_shape(functools.partial(objective.look, taps=objective.style_layers), content, params)
        style = objective.style_targets(styles, jnp.asarray(weights), masks, shapes)
        return objective.content_targets(content, params), style

    return Compiled(jax.jit(objective.style_moments), jax.jit(targets))


def finish(config: StyleTransferConfig, picture: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The result as it is shown: with the photo's colours where that was asked for."""
    if config.preserve_color != "luminance":
        return picture
    return colors.keep_luminance_only(picture, images.resize(content, *picture.shape[:2]))
