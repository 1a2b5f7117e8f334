"""Fast stylisation in any style: a decoder learns to paint a photo's encoding with the moments of a painting's."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.data.augment import augment
from jaxstyle.data.cropping import fit_example
from jaxstyle.data.folders import read_example
from jaxstyle.data.views import random_view
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features
from jaxstyle.features.vgg import VGG
from jaxstyle.media.paths import list_pictures
from jaxstyle.models.adain import AdaIN, Styles
from jaxstyle.models.transport_network import LAYERS, TransportNetwork
from jaxstyle.runtime.settings import named
from jaxstyle.tasks.common import beside, descend, scaled
from jaxstyle.tasks.stylization import StyleConfig, StylizationLoss, check_style, make_loss, side_of
from jaxstyle.training import step
from jaxstyle.training.config import at_least, one_of
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, RunInfo

NETWORKS = ("transport", "adain")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The network."""

    network: str = "transport"  # or "adain"
    layer: str = "relu4_1"  # of the features, a VGG: where the encoder of "adain" ends
    width: int = 16  # of "transport"
    blocks: int = 3  # of "transport"
    window: int = 7  # of "transport": side in pixels of the windows of its pictures that it transports, odd


@dataclasses.dataclass(frozen=True)
class Config(StyleConfig):
    """The fields of the training of a network of any style.

    Here `style_size` is the side of the paintings' central squares, of which parts are used; 0 is twice a photo's.
    """

    FIXED = (*StyleConfig.FIXED, "features")  # the encoder is the features'

    task: str = "jaxstyle.tasks.any_style"
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)


def check(config: Config) -> None:
    """Raises `JaxstyleError` for photos, paintings or numbers that cannot be, or too many paintings for the devices."""
    paintings = list_pictures(config.styles)
    most, side = (
        config.data.resident_megabytes,
        config.style_size or 2 * (config.augment.crop or min(config.data.shape or (0,))),
    )
    need = len(paintings) * 3 * side**2 / 1e6
    if need > most:
        raise JaxstyleError(
            f"{len(paintings)} paintings of {side} px take {need:.0f} MB on every device, more than "
            f"data.resident_megabytes={most:g}: name fewer, see them smaller by style_size, or raise that bound"
        )
    one_of(config, {"model.network": NETWORKS})
    at_least(config, {"model.width": 1, "model.blocks": 0, "model.window": 1})
    if config.model.window % 2 == 0:
        raise JaxstyleError(f"{named('model.window')} is {config.model.window}; a window has a middle: make it odd")
    check_style(config, paintings)


def fields(config: Config) -> tuple[str, ...]:
    """Names of the example's fields that the task wants."""
    return ("image",)


def make(config: Config, info: RunInfo) -> AnyStyle:
    """Makes the task; the paintings are not read before a run begins.

    Raises:
      JaxstyleError: The features are no VGG or lack the encoder's layer, or the photos do not suit.
    """
    loss, side = make_loss(config, info), side_of(config, info)
    return AnyStyle(
        network=network_of(config, loss.features),
        optimizer=make_optimizer(config.optimizer, info.extent, info.steps, config.ema_decay),
        loss=loss,
        styles=config.styles,
        style_size=config.style_size or 2 * side,
        side=side,
        crop=config.augment.crop,
        flip=config.augment.flip,
    )


def network_of(config: Config, features: Features) -> AdaIN | TransportNetwork:
    """Makes the network of a config, whose encoder is the features'; raises `JaxstyleError` where that cannot be."""
    model, dtype = config.model, jnp.dtype(config.dtype)
    if model.network == "adain":
        return AdaIN(encoder_widths(features, model.layer), dtype)
    return TransportNetwork(encoder_widths(features, LAYERS[-1]), model.width, model.blocks, model.window, dtype)


def encoder_widths(features: Features, layer: str) -> tuple[tuple[int, ...], ...]:
    """A VGG's channels as far as one of its ReLUs.

    Raises:
      JaxstyleError: The features are of another architecture, or have no such layer.
    """
    if not isinstance(features.network, VGG):
        raise JaxstyleError(f"features {features.name!r} are no VGG, which the encoder must be")
    features.check((layer,))
    if not layer.startswith("relu"):
        raise JaxstyleError(f"model.layer is {layer!r}; the encoder must end at a ReLU, such as 'relu4_1'")
    block, index = map(int, layer.removeprefix("relu").split("_"))
    widths = features.network.widths
    return (*widths[: block - 1], widths[block - 1][:index])


class Fixed(NamedTuple):
    """The arrays that steps read.

    Attributes:
      features: Parameters of the features, whose first are the encoder's.
      paintings: `[K, S, S, 3]` uint8.
      chances: `[K]` float32, how often each is drawn, of sum 1.
    """

    features: Any
    paintings: Any
    chances: Any


@dataclasses.dataclass(frozen=True)
class AnyStyle:
    """Pure functions of the training of a network of any style.

    Attributes:
      network: Photos and the moments of paintings -> pictures. Its encoder is not trained.
      optimizer: Of the decoder's parameters.
      loss: Of its pictures.
      styles: Paintings, or folders of them.
      style_size: Side in pixels of the paintings' central squares, out of which views are cut.
      side: Of the photos and paintings in a step, pixels.
      crop: Side in pixels of the squares that are cut out of training photos; 0 takes them whole.
      flip: Whether they are mirrored at random.
    """

    network: AdaIN | TransportNetwork
    optimizer: Optimizer
    loss: StylizationLoss
    styles: tuple[str, ...]
    style_size: int
    side: int
    crop: int = 0
    flip: bool = False

    def fixed(self) -> Fixed:
        """The features' parameters and the paintings; every entry of `styles` is as likely, however large a folder."""
        folders = [list_pictures([entry]) for entry in self.styles]
        size = (self.style_size, self.style_size)
        paintings = [fit_example(read_example(path), size)["image"] for each in folders for path in each]
        chances = np.concatenate([np.full(len(each), 1 / len(each) / len(folders), np.float32) for each in folders])
        return Fixed(self.loss.features.params, np.stack(paintings), chances)

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        side = 2 * self.network.multiple
        params = self.network.init(key, jnp.zeros((1, side, side, 3)), method="reconstruct")["params"]
        del params["encoder"]
        return self.optimizer.start(params)

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, H, W, 3]` uint8, each photo in the style of a painting that its key
        draws: of a part of it, in changed colours, or covered by a made texture (`random_view`), so that few paintings
        are many styles."""
        keys = step.example_keys(jax.random.fold_in(key, state.step), len(batch["image"]))
        changes, draws, moves, views = jax.vmap(lambda key: jax.random.split(key, 4), out_axes=1)(keys)
        photos = scaled(augment(batch["image"], changes, flip=self.flip, crop=self.crop))
        drawn = self.draw_paintings(state.fixed, draws)
        paintings = jax.vmap(lambda key, painting: random_view(key, painting, self.side))(views, drawn)
        return descend(
            self.optimizer, state, lambda params: (self.terms(params, state.fixed, photos, paintings, moves), {})
        )

    def draw_paintings(self, fixed: Fixed, keys: jax.Array) -> jax.Array:
        """A painting for each of `[N]` keys, `[N, S, S, 3]` in [0, 1]."""
        which = jax.vmap(lambda key: jax.random.categorical(key, jnp.log(fixed.chances)))(keys)
        return scaled(fixed.paintings[which])

    def terms(self, params: Any, fixed: Fixed, photos: jax.Array, paintings: jax.Array, keys: jax.Array) -> Metrics:
        """The weighted terms `[N]` of photos in the styles of paintings, both `[N, H, W, 3]`, and their sum."""
        styles = self.loss.style_targets(fixed.features, paintings)
        encoded = self.encode_styles(params, fixed, paintings)
        return self.loss.terms(fixed.features, lambda x: self.stylize(params, fixed, x, encoded), photos, styles, keys)

    def encode_styles(self, params: Any, fixed: Fixed, paintings: jax.Array) -> Styles:
        """The encoding of paintings `[N, H, W, 3]`, one a photo."""
        encoding: Any = self.network.apply(self.variables(params, fixed.features), paintings, method="style_of")
        return Styles(jax.tree.map(lambda leaf: leaf[:, None], encoding), jnp.ones(len(paintings)))

    def stylize(self, params: Any, fixed: Fixed, photos: jax.Array, styles: Styles) -> Any:
        """Pictures `[N, H, W, 3]` of photos likewise."""
        return self.network.apply(
            self.variables(params, fixed.features), photos, jnp.ones_like(photos[..., :1]), styles
        )

    def variables(self, params: Any, features: Any) -> dict[str, Any]:
        """The whole network's: the decoder's parameters, and of the features' the encoder's."""
        convolutions = (f"conv{i}_{j + 1}" for i, block in enumerate(self.network.widths, 1) for j in range(len(block)))
        names = ("preprocess", *convolutions)
        return {"params": {**params, "encoder": {name: features[name] for name in names}}}

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """The weighted terms of every photo, each `[N]`, in the style of a whole painting."""
        draws, moves = jax.vmap(jax.random.split, out_axes=1)(keys)
        paintings = self.resized(self.draw_paintings(state.fixed, draws))
        return self.terms(state.best_params, state.fixed, scaled(batch["image"]), paintings, moves)

    def resized(self, paintings: jax.Array) -> jax.Array:
        """Whole paintings `[N, S, S, 3]` at the size of a step's."""
        return jax.image.resize(paintings, (len(paintings), self.side, self.side, 3), "linear")

    def style_network(self, state: TrainState) -> tuple[AdaIN | TransportNetwork, Any, tuple[str, ...]]:
        """The network that stylises, its parameters, and the names of styles that it has learnt, none."""
        return self.network, self.variables(state.best_params, self.loss.features.params)["params"], ()

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Photos, and each in the style of one painting beside it, in turn."""
        photos = scaled(batch["image"])
        which = jnp.arange(len(photos)) % len(state.fixed.paintings)
        encoded = self.encode_styles(state.best_params, state.fixed, self.resized(scaled(state.fixed.paintings[which])))
        return {"stylised": beside(photos, self.stylize(state.best_params, state.fixed, photos, encoded))}
