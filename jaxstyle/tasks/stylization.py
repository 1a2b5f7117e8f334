"""Config and loss of stylisation networks: the perceptual loss of pixel stylisation, and a temporal term."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from jaxstyle.data.motion import random_motion
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features, load
from jaxstyle.features.vgg import VGG
from jaxstyle.losses.temporal import temporal_distance
from jaxstyle.media.image_reading import read_large
from jaxstyle.media.image_resizing import resize
from jaxstyle.ops.matching import Bag
from jaxstyle.ops.warping import warp, warp_to_next
from jaxstyle.perceptual.config import PerceptualConfig
from jaxstyle.perceptual.loss import PerceptualLoss, Weights, normalized
from jaxstyle.perceptual.objective import Activations
from jaxstyle.perceptual.sizes import painting_size
from jaxstyle.perceptual.style import Style
from jaxstyle.runtime.settings import named
from jaxstyle.training.config import AugmentConfig, TrainingConfig, at_least
from jaxstyle.training.run_info import RunInfo
from jaxstyle.training.task import Metrics

SHARED = ("features", "content_layers", "style_layers", "layer_weights", "style_loss", "content_weight", "tv_weight")
"""Fields with the meaning and the defaults that they have for `jaxstyle stylize`."""

VECTORS = 1024  # of a painting, in which places are looked up
GUIDANCE = 0.75  # the photo's share in what is looked up, as of `stylize` at its usual strength


class Styles(NamedTuple):
    """The targets that paintings are, layer by layer, each with a leading axis of pictures."""

    moments: dict[str, Style]
    bags: dict[str, Bag]


AT_LEAST_0 = ("style_size", "structure_weight", "matching_weight", "temporal_weight", "motion", "augment.crop")
Stylize = Callable[[jax.Array], jax.Array]  # photos [N, H, W, 3] to pictures


class Film(NamedTuple):
    """The frames that follow photos: `later` `[N, H, W, 3]`, and the flow to them, `backward` and `forward`."""

    later: jax.Array
    backward: jax.Array
    forward: jax.Array


@dataclasses.dataclass(frozen=True)
class StyleAugmentConfig(AugmentConfig):
    """Random changes of training photos."""

    crop: int = 0  # pixels of squares cut out of the photos


@dataclasses.dataclass(frozen=True)
class StyleConfig(TrainingConfig):
    """The fields that the trainings of stylisation networks share."""

    styles: tuple[str, ...] = ()  # paintings
    style_size: int = 0  # longer side at which they are seen, pixels; 0 is the photos', or see `any_style`
    features: str = PerceptualConfig.features
    content_layers: tuple[str, ...] = PerceptualConfig.content_layers
    style_layers: tuple[str, ...] = PerceptualConfig.style_layers
    layer_weights: tuple[float, ...] = PerceptualConfig.layer_weights
    style_loss: str = PerceptualConfig.style_loss
    content_weight: float = PerceptualConfig.content_weight
    tv_weight: float = PerceptualConfig.tv_weight
    structure_weight: float = 0.0  # of the photo's composition, as for `jaxstyle stylize`
    matching_weight: float = 0.0  # of being like the painting place by place, likewise
    matching_layers: tuple[str, ...] = ("relu3_1", "relu4_1")
    temporal_weight: float = 0.0  # of flicker; above 0 every photo is stylised a second time, moved
    motion: float = 8.0  # pixels by which it is moved, see random_motion
    augment: StyleAugmentConfig = dataclasses.field(default_factory=StyleAugmentConfig)


def small(config: ConfigDict) -> ConfigDict:
    """A recipe cut down to some steps of a narrow network on `jaxstyle_shapes/tiny`, which needs no download."""
    config.data.update(name="jaxstyle_shapes/tiny", data_dir="{workdir}/data", size=24, eval_split="test[:16]")
    config.update(train_steps=4, eval_steps=4, checkpoint_steps=4, log_steps=2, batch_size=4)
    config.update(content_layers=("relu2_1",), style_layers=("relu1_1", "relu2_1"), layer_weights=(4.0, 3.0))
    config.model.update(width=4, blocks=1)
    config.augment.crop = 16
    config.optimizer.warmup_steps = 0
    return config


def check_style(config: StyleConfig, paintings: Sequence[str]) -> None:
    """Checks photos, paintings and numbers.

    Raises:
      JaxstyleError: No photos or paintings are named, a painting cannot be read, or a number cannot be.
    """
    if not (config.data.folder or config.data.name):
        raise JaxstyleError(f"there are no photos to train on: name a folder of them by {named('data.folder')}=DIR")
    if not paintings:
        raise JaxstyleError(f"there is no style to learn: name paintings by {named('styles')}=\"('painting.jpg',)\"")
    at_least(config, dict.fromkeys(AT_LEAST_0, 0))
    if config.augment.pad:
        way_out = f"cut squares out of them by {named('augment.crop')}"
        raise JaxstyleError(f"{named('augment.pad')} puts black around photos; {way_out}")
    for path in paintings:
        read_large(path, "style")


def check_photos(config: StyleConfig, info: RunInfo) -> None:
    """Raises `JaxstyleError` for photos without colours, or smaller than the squares that are cut out of them."""
    height, width, channels = info.spec["image"].shape
    if channels != 3:
        raise JaxstyleError(f"the photos have {channels} channels; stylisation wants the 3 of RGB")
    if config.augment.crop > min(height, width):
        crop = f"{named('augment.crop')} is {config.augment.crop}"
        raise JaxstyleError(f"{crop}; it must be at most the photos' {width}x{height}")


@dataclasses.dataclass(frozen=True)
class StylizationLoss:
    """The loss of stylised pictures: the perceptual loss of each, and a temporal term.

    Attributes:
      features: The feature extractor; frozen. Functions take its parameters as an argument: as constants they would be
        copied into every program, and XLA would fold them while it compiles.
      objective: The perceptual loss of one picture.
      weights: Of its terms.
      temporal_weight: Of `flicker`.
      motion: Pixels, see `random_motion`.
    """

    features: Features
    objective: PerceptualLoss
    weights: Weights
    temporal_weight: float = 0.0
    motion: float = 8.0

    def __call__(self, params: Any, pictures: jax.Array, photos: jax.Array, styles: Styles) -> Metrics:
        """Weighted terms `[N]` of pictures made of photos, both `[N, H, W, 3]`, and their sum `loss`.

        Args:
          params: Of the features.
          pictures: In [0, 1].
          photos: In [0, 1].
          styles: Targets of each picture.
        """

        def one(picture: jax.Array, photo: jax.Array, style: Styles) -> Metrics:
            content = self.objective.content_targets(photo, params)
            once = jnp.ones(1)
            places = self.objective.matching_targets(photo, params, [style.bags], once, None)
            matching = {layer: target._replace(guidance=GUIDANCE) for layer, target in places.items()}
            found = self.objective.extract(picture, params, self.objective.layers)
            activations = Activations(picture, {layer: x[None] for layer, x in found.items()}, {})
            objective = self.objective.objective(content, style.moments, self.weights, matching)
            terms = objective.having(objective.matches(jax.lax.stop_gradient(activations))).terms(activations)
            groups: Metrics = {}
            for name, term in terms.items():
                group = name.partition("/")[0]
                groups[group] = groups.get(group, jnp.float32(0)) + term
            return {"loss": jnp.sum(jnp.stack(list(terms.values()))), **groups}

        return jax.vmap(one)(pictures, photos, styles)

    def terms(
        self,
        params: Any,
        stylize: Stylize,
        photos: jax.Array,
        styles: Styles,
        keys: jax.Array,
        film: Film | None = None,
    ) -> Metrics:
        """As `__call__`, for the pictures `stylize(photos)`; with the temporal term.

        Its motion is that of the `film`, or, without one, drawn by `keys` `[N]`.
        """
        pictures = stylize(photos)
        terms = self(params, pictures, photos, styles)
        if not self.temporal_weight:
            return terms
        temporal = self.temporal_weight * self.flicker(stylize, photos, pictures, keys, film)
        return {**terms, "loss": terms["loss"] + temporal, "temporal": temporal}

    def flicker(
        self, stylize: Stylize, photos: jax.Array, pictures: jax.Array, keys: jax.Array, film: Film | None = None
    ) -> jax.Array:
        """The mean squared difference `[N]` of moved photos stylised and stylised photos moved.

        Args:
          stylize: Photos to pictures.
          photos: `[N, H, W, 3]`.
          pictures: `stylize(photos)`.
          keys: `[N]`, of which the motion is drawn.
          film: The photos moved by the world, and how; places that its flow does not know do not count.
        """
        if film is not None:
            expected, valid = jax.vmap(warp_to_next)(pictures, film.backward, film.forward)
            return temporal_distance(stylize(film.later), expected, valid)
        height, width = photos.shape[1:3]
        flows = jax.vmap(lambda key: random_motion(key, height, width, self.motion))(keys)
        moved, valid = jax.vmap(warp)(photos, flows)
        expected, _ = jax.vmap(warp)(pictures, flows)
        return temporal_distance(stylize(moved), expected, valid)

    def style_targets(self, params: Any, paintings: jax.Array) -> Styles:
        """The targets of paintings `[N, h, w, 3]`, with the features' parameters `params`."""

        def one(painting: jax.Array) -> Styles:
            moments = self.objective.style_moments(painting, params)
            bags = self.objective.bags(painting, params, count=VECTORS)
            alike = {name: Bag(mean, jnp.resize(some, (VECTORS, len(mean)))) for name, (mean, some) in bags.items()}
            return Styles(self.objective.style_targets([moments], jnp.ones(1), None, None), alike)

        return jax.vmap(one)(paintings)

    def read_style_targets(self, paths: Sequence[str], size: int) -> Styles:
        """Reads paintings and returns their targets, each in its own shape, as NumPy arrays.

        Args:
          paths: Of pictures.
          size: Their longer side in pixels, where they are not smaller themselves.
        """
        targets, params = jax.jit(self.style_targets), self.features.params
        made = [jax.device_get(targets(params, self.read_painting(path, size)[None])) for path in paths]
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *made)

    def read_painting(self, path: str, size: int) -> np.ndarray:
        """A painting at a longer side of `size` pixels, or larger where the deepest layer needs it."""
        painting = read_large(path, "style").rgb
        least = self.features.least_side(self.objective.style_layers)
        return resize(painting, *painting_size(painting.shape, size, least))


def make_loss(config: StyleConfig, info: RunInfo) -> StylizationLoss:
    """Makes the loss of a config.

    Raises:
      JaxstyleError: There are no such features or layers, the photos are too small for them, or a field cannot be.
    """
    check_photos(config, info)
    settings = PerceptualConfig.from_mapping({name: getattr(config, name) for name in SHARED})
    features = load(settings.features)
    layers = (settings.content_layers, settings.style_layers)
    matched = config.matching_layers if config.matching_weight else ()
    features.check((*layers[0], *layers[1], *matched))
    side, least = side_of(config, info), features.least_side((*layers[0], *layers[1], *matched))
    if side < least:
        raise JaxstyleError(f"photos of {side} px are too small for the layers, which want {least}; cut larger ones")
    if config.remat and not isinstance(features.network, VGG):
        raise JaxstyleError(f"{named('remat')} is for features that are a VGG; leave it out for {settings.features!r}")
    network = features.network.clone(remat=True) if config.remat else features.network
    style_loss, structure = settings.style_loss, config.structure_weight > 0
    objective = PerceptualLoss(network, *layers, style_loss, config.dtype, matched, structure)
    scalars = (settings.content_weight, settings.tv_weight, config.matching_weight, config.structure_weight)
    content, variation, matching, tied = map(np.float32, scalars)
    weights_of_terms = Weights(content, variation, normalized(settings.layer_weights), matching, tied)
    return StylizationLoss(features, objective, weights_of_terms, config.temporal_weight, config.motion)


def side_of(config: StyleConfig, info: RunInfo) -> int:
    """The shorter side of the photos in a step, pixels."""
    return config.augment.crop or min(info.spec["image"].shape[:2])
