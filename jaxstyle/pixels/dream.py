"""DeepDream: a picture changed until its activations grow, octave by octave, on the pixel loop."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Generator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import DEFAULT, Features
from jaxstyle.media import colors
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_resizing import check_mask, fit_size, resize, zoomed
from jaxstyle.perceptual.loss import extracted
from jaxstyle.perceptual.sizes import painting_size
from jaxstyle.perceptual.style import mean_square
from jaxstyle.pixels import footprint, gradients, objectives, parametrizations
from jaxstyle.pixels.job import Inputs, PixelJob, Point, Reads
from jaxstyle.pixels.loop import Problem
from jaxstyle.pixels.method import HyperParameters, Method
from jaxstyle.pixels.objectives import Objective, ObjectiveLoss, StageObjective
from jaxstyle.pixels.schedule import Stage, least_scale
from jaxstyle.pixels.transforms import Roll
from jaxstyle.runtime import memory
from jaxstyle.runtime.settings import Settings, named, setting

TILE = 512
"""Longest side of tiles where memory asks for them, in pixels; also the size at which guides are seen at most."""

NORMS = ("l2", "mean")
INITS = ("photo", "noise")
PRESERVE_COLOR = ("none", "luminance")
CANDIDATES = ("mixed_5", "inception_4c/output", "relu4_2", "fire8")
"""Layers to dream of where none is named, the first that the network has: deep enough for parts of things."""


@dataclasses.dataclass(frozen=True)
class DreamConfig(Settings):
    """Settings of DeepDream; every field is also a command-line option, where lists are written `a,b,c`."""

    size: int = setting(512, "longer side of the result, pixels", least=16)
    octaves: int = setting(4, "number of scales", least=1)
    octave_scale: float = setting(1.4, "by how much each scale is larger than the one before", least=1.01)
    iterations: int = setting(20, "steps at each scale", least=1)
    learning_rate: float = setting(0.005, "mean change of a value at each step, of the range from 0 to 1", least=0)
    layers: tuple[str, ...] = setting((), "layers to dream of (default: the network's usual; --list-layers names all)")
    channels: tuple[int, ...] = setting((), "only these channels of the layers (default: all)", least=0)
    norm: str = setting("l2", "what of the layers to increase: the mean of squares, or the mean", NORMS)
    guide: str | None = setting(None, "picture whose features to dream of", path=True)
    mask: str | None = setting(None, "picture, white where to dream; elsewhere the photo stays", path=True)
    content_weight: float = setting(0.0, "weight of the distance to the photo at the same layers; 1 and more hold it")
    init: str = setting("photo", "what to start from", INITS)
    jitter: int = setting(32, "random circular shift at every step, pixels each way", least=0)
    smoothing: float = setting(0.5, "blur of the gradient, pixels (also half of it and twice as much)", least=0)
    gradient_octaves: int = setting(0, "frequency octaves of the gradient that get equal steps; 0: as it is", least=0)
    tile_size: int | None = setting(
        None, "longest side of the tiles in which large pictures are looked at (default: where memory asks)", least=64
    )
    preserve_color: str = setting("none", "keep the photo's colours", PRESERVE_COLOR)
    zoom: float = setting(1.0, "enlargement from frame to frame of a film", least=1)
    frames: int = setting(1, "number of frames; more than one make a film", least=1)
    fps: int = setting(24, "frames a second of a film", least=1)
    features: str = setting(DEFAULT, "feature extractor: a name (jaxstyle features list) or a file", path=True)
    seed: int = setting(0, "seed of all random numbers", least=0)
    dtype: str = setting("float32", "number format of the network's activations", ("float32", "bfloat16"))
    devices: int | None = setting(None, "number of devices (default: all; a picture uses one)", least=1)

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if self.learning_rate == 0:
            raise JaxstyleError(f"{named('learning_rate')} is 0; it must be above 0")
        if self.content_weight < 0:
            raise JaxstyleError(f"{named('content_weight')} is {self.content_weight:g}; it must be at least 0")
        if self.guide and self.channels:
            raise JaxstyleError(
                f"{named('guide')} and {named('channels')} do not go together: a guide says what to dream of"
            )
        if self.zoom > 1 and self.frames == 1:
            raise JaxstyleError(f"{named('zoom')} makes a film; say how many {named('frames')}, for example 120")

    def chosen_layers(self, features: Features) -> tuple[str, ...]:
        """The layers to dream of; raises `JaxstyleError` for a layer or channel that the network has not."""
        usual = [layer for layer in CANDIDATES if layer in features.network.taps]
        taps = features.network.taps
        layers = self.layers or (usual[0] if usual else taps[2 * len(taps) // 3],)
        features.check(layers)
        for layer, shape in features.shapes(layers).items():
            if len(shape) == 1:
                raise JaxstyleError(f"layer {layer!r} has no positions to dream at; name one before it")
            if (highest := max(self.channels, default=0)) >= (width := shape[-1]):
                raise JaxstyleError(f"layer {layer!r} has channels 0 to {width - 1}, and {highest} is none of them")
        return layers


def prepare(
    config: DreamConfig,
    features: Features,
    inputs: Inputs,
    points: Sequence[Point] = ({},),
    *,
    objective: Objective | None = None,
) -> Problem:
    """Checks everything and sets the problem up; nothing expensive has happened yet.

    Args:
      config: The settings.
      features: The feature extractor.
      inputs: `contents`, one photo, which may be missing with `init` noise; `guide`, `mask`; and of films `frame`, the
        number of the frame, by which the random shifts change.
      points: Overrides of settings, of which there are none here.
      objective: In place of the config's layers, channels and guide.

    Returns:
      The problem of one picture.

    Raises:
      JaxstyleError: A setting, layer, picture or mask that cannot be, or a size too large for the memory.
    """
    config.check()
    photo, guide, mask = photo_of(config, inputs), inputs.first("guide"), inputs.first("mask")
    frame = inputs.first("frame") or 0
    if mask is not None:
        check_mask("the mask", mask, "the picture", photo)
    layers = config.chosen_layers(features) if objective is None else objective.layers
    features.check(layers)
    features = dataclasses.replace(features, params=jax.device_put(features.params))
    stages = plan(config, features.least_side(layers), photo.shape[:2])
    loss = ObjectiveLoss(*fit(config, features, layers, stages[-1]))
    base = noise(config, photo.shape[:2]) if config.init == "noise" and not frame else photo
    made = StageObjectives(config, features, layers, base, None if guide is None else guide.rgb, mask, objective)
    method = Method(parametrizations.RGB, loss, gradients.ascent(config.smoothing, config.gradient_octaves))
    key = np.random.SeedSequence([config.seed, frame]).generate_state(2, np.uint32)
    hyper = HyperParameters(np.full(1, config.learning_rate, np.float32), np.zeros(1, np.float32), key[None])
    start = resize(base, stages[0].height, stages[0].width)[None]
    return Problem(method, stages, start, hyper, made, features.params, functools.partial(lost_detail, base))


def photo_of(config: DreamConfig, inputs: Inputs) -> np.ndarray:
    """The photo `[H, W, 3]`, or a grey square where a dream starts from noise.

    Raises:
      JaxstyleError: There is none, and the dream does not start from noise.
    """
    if inputs["contents"]:
        return inputs.first("contents").rgb
    if config.init != "noise":
        raise JaxstyleError(f"a dream needs one picture, or {named('init')} noise")
    return np.full((config.size, config.size, 3), 0.5, np.float32)


def plan(config: DreamConfig, least_side: int, shape: Sequence[int]) -> list[Stage]:
    """The octaves, smallest first; those too small for the layers are left out.

    Raises:
      JaxstyleError: The picture is too narrow at its final size.
    """
    least = least_scale(config.size, shape, least_side)
    sizes = {round(config.size / config.octave_scale**octave) for octave in range(config.octaves)}
    scales = sorted(size for size in sizes if size >= least)
    return [Stage(scale, *fit_size(shape[0], shape[1], scale), config.iterations) for scale in scales]


def fit(config: DreamConfig, features: Features, layers: tuple[str, ...], stage: Stage) -> tuple[Any, ...]:
    """The parts of an `ObjectiveLoss`: network, random shifts, dtype, and tiles where memory asks for them.

    Raises:
      JaxstyleError: The memory is too small even for a tile.
    """
    tile = config.tile_size
    if tile is None and config.size > TILE:
        room = memory.available()
        whole = footprint.estimate(features, layers, stage, 1, config.dtype, config.devices)
        tile = TILE if room is not None and whole > room else None
    if tile is not None and tile < (least := 2 * features.least_side(layers)):  # tiles are cut to equal parts
        raise JaxstyleError(f"{named('tile_size')} is {tile}, and these layers need at least {least}")
    cut = stage if tile is None else stage._replace(height=min(tile, stage.height), width=min(tile, stage.width))
    network = footprint.fit(features, layers, cut, 1, config.dtype, config.devices)
    shifts = (Roll(None),) if tile is not None else (Roll(config.jitter),) if config.jitter else ()
    return network, shifts, config.dtype, tile


def noise(config: DreamConfig, shape: Sequence[int]) -> np.ndarray:
    """Grey 1/f noise `[H, W, 3]` to dream from, of the result's size."""
    size = fit_size(shape[0], shape[1], config.size)
    draws = np.random.default_rng(config.seed).standard_normal((*size, 3), np.float32)
    return np.asarray(jax.jit(parametrizations.FOURIER.decode)(0.5 * draws))


def lost_detail(photo: np.ndarray, stage: Stage, following: Stage) -> np.ndarray:
    """Returns the detail `[1, h, w, 3]` of the photo `[H, W, 3]` at the next octave that this one lacks.

    google/deepdream adds its dream to the photo of the next size; here the photo's new detail is added to the
    enlarged dream, which is the same sum.
    """
    small, large = (resize(photo, place.height, place.width) for place in (stage, following))
    return (large - resize(small, following.height, following.width))[None]


@dataclasses.dataclass(frozen=True)
class StageObjectives:
    """The objectives of a dream: `stage -> StageObjective [1, …]`, to be made large at that octave.

    Every layer's energy is divided by the photo's own there, so that layers of any strength weigh alike, and the
    distance to the photo, which is relative too, against them: a content weight of one or more lets no layer run away.
    """

    config: DreamConfig
    features: Features
    layers: tuple[str, ...]
    photo: np.ndarray
    guide: np.ndarray | None
    mask: np.ndarray | None
    objective: Objective | None

    def __call__(self, stage: Stage) -> StageObjective:
        """The objective of the one picture at one stage, stacked on the host."""
        photo = resize(self.photo, stage.height, stage.width)
        mask = None if self.mask is None else resize(self.mask, stage.height, stage.width)
        wanted = self.objective or self.of_layers(photo)
        if self.config.content_weight:
            share = self.config.content_weight / len(self.layers)
            for layer in self.layers:
                wanted = wanted - share * objectives.content(layer)
        made = StageObjective(wanted, photo if wanted.compared else None, mask)
        return jax.tree.map(lambda leaf: np.asarray(leaf)[None], made)

    def of_layers(self, photo: np.ndarray) -> Objective:
        """The sum over layers of their energy, or of their likeness to the guide, relative to the photo's energy."""
        energies = {layer: mean_square(features) for layer, features in self.extract(photo).items()}
        guide = None if self.guide is None else self.extract(self.guide)
        parts = []
        for layer in self.layers:
            if guide is not None:
                scale = float(jnp.sqrt(energies[layer] * mean_square(guide[layer])))
                part = objectives.guided(layer, guide[layer] / guide[layer].shape[-1])
            else:
                scale = float(energies[layer] if self.config.norm == "l2" else jnp.sqrt(energies[layer]))
                part = objectives.layer_energy(layer, self.config.norm, self.config.channels)
            parts.append(part / (scale * len(self.layers)))
        return functools.reduce(Objective.__add__, parts)

    def extract(self, picture: np.ndarray) -> dict[str, jax.Array]:
        """The layers' activations `[h, w, C]` of a picture, seen at `TILE` px at most."""
        size = painting_size(picture.shape, TILE, self.features.least_side(self.layers))
        return extracted(self.features.network, self.layers, resize(picture, *size), self.features.params)


def finish(config: DreamConfig, picture: np.ndarray, inputs: Inputs) -> np.ndarray:
    """Returns the picture in the photo's colours, and the photo where the mask is black, where settings ask for it."""
    mask = inputs.first("mask")
    photo = resize(photo_of(config, inputs), *picture.shape[:2])
    if config.preserve_color == "luminance":
        picture = colors.keep_luminance_only(picture, photo)
    if mask is None:
        return picture
    share = resize(mask, *picture.shape[:2])[..., None]
    return share * picture + (1 - share) * photo


def frames(config: DreamConfig, inputs: Inputs, *_: Any) -> Generator[Inputs, np.ndarray, None]:
    """The inputs of every frame of a film that zooms in, each dreamt on from the one before; see `PixelJob.frames`."""
    mask = inputs.first("mask")
    for index in range(config.frames):
        painted = yield inputs.having("frame", [index])
        photo = Picture(zoomed(painted, config.zoom), None)
        inputs = inputs.having("contents", [photo])
        if mask is not None:
            inputs = inputs.having("mask", [resize(mask, *photo.rgb.shape[:2])])


JOB = PixelJob(
    "dream",
    "dream on a picture: more of what a network recognises in it",
    DreamConfig,
    prepare,
    (
        Reads("contents", "IMAGE", "the photo; may be left out with --init noise", each=True),
        Reads("guide", "PATH", setting="guide"),
        Reads("mask", "PATH", mask=True, setting="mask"),
    ),
    finish=finish,
    frames=frames,
    films=lambda config: config.frames > 1,
)
