"""DeepDream: a picture changed until a network sees more of what it sees, octave by octave, on the pixel loop."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features
from jaxstyle.media import colors
from jaxstyle.media.image_resizing import fit_size, resize
from jaxstyle.perceptual.style import mean_square
from jaxstyle.pixels import footprint, gradients, objectives, parametrizations
from jaxstyle.pixels.dream_config import DreamConfig
from jaxstyle.pixels.inputs import check_mask
from jaxstyle.pixels.loop import Job, Problem
from jaxstyle.pixels.method import Knobs, Method
from jaxstyle.pixels.objectives import Look, Objective, View
from jaxstyle.pixels.schedule import Stage, least_longer_side
from jaxstyle.pixels.transforms import Roll
from jaxstyle.runtime import memory

TILE = 512
"""Longest side of tiles where memory asks for them, in pixels; also the size at which guides are seen at most."""


def prepare(
    config: DreamConfig,
    features: Features,
    photo: np.ndarray,
    guide: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    objective: Objective | None = None,
    frame: int = 0,
) -> Job:
    """Everything checked and ready to run; nothing expensive has happened yet.

    Args:
      config: The settings.
      features: The network that dreams.
      photo: `[H, W, 3]` in [0, 1]; with `init` noise only its size counts.
      guide: `[h, w, 3]`, a picture to dream of.
      mask: `[H, W]` in [0, 1], where to dream.
      objective: Instead of the config's layers, channels and guide.
      frame: Position in a film; it changes the random shifts.

    Returns:
      The job of one picture.

    Raises:
      JaxstyleError: A setting, layer, picture or mask that cannot be, or a size too large for the memory.
    """
    config.check()
    if mask is not None:
        check_mask("the mask", mask, "the picture", photo)
    layers = config.chosen_layers(features) if objective is None else objective.layers
    features.check(layers)
    features = dataclasses.replace(features, params=jax.device_put(features.params))
    stages = plan(config, features.least_side(layers), photo.shape[:2])
    look = Look(*fit(config, features, layers, stages[-1]))
    base = noise(config, photo.shape[:2]) if config.init == "noise" else photo
    views = Views(config, features, layers, base, guide, mask, objective)
    method = Method(parametrizations.RGB, look, gradients.ascent(config.smoothing, config.gradient_octaves))
    key = np.random.SeedSequence([config.seed, frame]).generate_state(2, np.uint32)
    knobs = Knobs(np.full(1, config.learning_rate, np.float32), np.zeros(1, np.float32), key[None])
    start = resize(base, stages[0].height, stages[0].width)[None]
    problem = Problem(method, stages, views, features.params, functools.partial(lost_detail, base))
    return Job(problem, start, knobs)


def plan(config: DreamConfig, least_side: int, shape: Sequence[int]) -> list[Stage]:
    """The octaves, smallest first; those too small for the layers are left out.

    Raises:
      JaxstyleError: The picture is too narrow at its final size.
    """
    height, width = shape
    least = least_longer_side((height, width), least_side)
    if config.size < least:
        raise JaxstyleError(
            f"at --size {config.size} a {width}×{height} picture is too narrow for the layers, which need {least_side} "
            f"px on its shorter side; make --size at least {least}"
        )
    sizes = {round(config.size / config.octave_scale**octave) for octave in range(config.octaves)}
    scales = sorted(size for size in sizes if size >= least)
    return [Stage(scale, *fit_size(height, width, scale), config.iterations) for scale in scales]


def fit(config: DreamConfig, features: Features, layers: tuple[str, ...], stage: Stage) -> tuple[Any, ...]:
    """What `Look` is made of: the network, its random shifts, the dtype, and tiles where memory asks for them.

    Raises:
      JaxstyleError: The memory is too small even for a tile.
    """
    tile = config.tile_size
    if tile is None and config.size > TILE:
        room = memory.available()
        whole = footprint.estimate(features, layers, stage, 1, config.dtype, config.devices)
        tile = TILE if room is not None and whole > room else None
    if tile is not None and tile < (least := 2 * features.least_side(layers)):  # tiles are cut to equal parts
        raise JaxstyleError(f"--tile-size is {tile}, and these layers need at least {least}")
    looked_at = stage if tile is None else stage._replace(height=min(tile, stage.height), width=min(tile, stage.width))
    network = footprint.fit(features, layers, looked_at, 1, config.dtype, config.devices)
    shifts = (Roll(None),) if tile is not None else (Roll(config.jitter),) if config.jitter else ()
    return network, shifts, config.dtype, tile


def noise(config: DreamConfig, shape: Sequence[int]) -> np.ndarray:
    """Grey 1/f noise `[H, W, 3]` to dream from, of the result's size."""
    size = fit_size(shape[0], shape[1], config.size)
    draws = np.random.default_rng(config.seed).standard_normal((*size, 3), np.float32)
    return np.asarray(jax.jit(parametrizations.FOURIER.decode)(0.5 * draws))


def lost_detail(photo: np.ndarray, stage: Stage, following: Stage) -> np.ndarray:
    """What the photo `[H, W, 3]` has at the next octave and lost at this one, `[1, h, w, 3]`.

    google/deepdream adds its dream to the photo of the next size; here the photo's new detail is added to the
    enlarged dream, which is the same sum.
    """
    small, large = (resize(photo, place.height, place.width) for place in (stage, following))
    return (large - resize(small, following.height, following.width))[None]


@dataclasses.dataclass(frozen=True)
class Views:
    """`stage -> View [1, …]`: what the dream wants at that octave.

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

    def __call__(self, stage: Stage) -> View:
        """The view of the one picture at one stage, stacked on the host."""
        photo = resize(self.photo, stage.height, stage.width)
        mask = None if self.mask is None else resize(self.mask, stage.height, stage.width)
        wanted = self.objective or self.wanted(photo)
        if self.config.content_weight:
            share = self.config.content_weight / len(self.layers)
            for layer in self.layers:
                wanted = wanted - share * objectives.content(layer)
        view = View(wanted, photo if wanted.compared else None, mask)
        return jax.tree.map(lambda leaf: np.asarray(leaf)[None], view)

    def wanted(self, photo: np.ndarray) -> Objective:
        """The sum over layers of their energy, or of their likeness to the guide, relative to the photo's energy."""
        energies = self.energies(photo)
        guide = None if self.guide is None else self.look(self.seen_at(self.guide))
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

    def energies(self, photo: np.ndarray) -> dict[str, jax.Array]:
        """The mean square of every layer on the photo, seen at `TILE` px at most."""
        return {layer: mean_square(seen) for layer, seen in self.look(self.seen_at(photo)).items()}

    def seen_at(self, picture: np.ndarray) -> np.ndarray:
        """The picture at a size that takes little memory and is large enough for the layers."""
        height, width = picture.shape[:2]
        least = least_longer_side((height, width), self.features.least_side(self.layers))
        return resize(picture, *fit_size(height, width, max(least, min(TILE, max(height, width)))))

    def look(self, picture: np.ndarray) -> dict[str, jax.Array]:
        """The layers' activations `[h, w, C]`."""
        return looker(self.features.network, self.layers)(picture, self.features.params)


@functools.lru_cache(maxsize=8)
def looker(network: Any, layers: tuple[str, ...]) -> Callable[..., dict[str, jax.Array]]:
    """`(picture [H, W, 3], params) -> {layer: [h, w, C]}`, compiled once a size."""

    def look(picture: jax.Array, params: Any) -> dict[str, jax.Array]:
        _, seen = network.apply({"params": params}, picture[None], layers)
        return {layer: activation[0] for layer, activation in seen.items()}

    return jax.jit(look)


def finish(config: DreamConfig, picture: np.ndarray, photo: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The result as it is shown: in the photo's colours and only where the mask is white, where that was asked for."""
    photo = resize(photo, *picture.shape[:2])
    if config.preserve_color == "luminance":
        picture = colors.keep_luminance_only(picture, photo)
    if mask is None:
        return picture
    share = resize(mask, *picture.shape[:2])[..., None]
    return share * picture + (1 - share) * photo
