"""Fast stylisation: a network learns one style, or several, each with normalisation parameters of its own."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxstyle.data.augment import augment
from jaxstyle.errors import JaxstyleError
from jaxstyle.models.style_network import StyleNetwork
from jaxstyle.runtime.settings import named
from jaxstyle.tasks.common import beside, descend, scaled
from jaxstyle.tasks.stylization import Film, StyleConfig, Styles, StylizationLoss, check_style, make_loss
from jaxstyle.training import step
from jaxstyle.training.config import at_least
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, RunInfo


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The network; see `StyleNetwork`."""

    width: int = 32
    blocks: int = 5
    output: str = "sigmoid"


@dataclasses.dataclass(frozen=True)
class Config(StyleConfig):
    """The fields of the training of a network that learns its styles."""

    FIXED = (*StyleConfig.FIXED, "styles")  # a style's number is its place

    task: str = "jaxstyle.tasks.fast_style"
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)


def check(config: Config) -> None:
    """Raises `JaxstyleError` for photos, paintings or numbers that cannot be, or two styles of one name."""
    at_least(config, {"model.width": 1, "model.blocks": 0})
    check_style(config, config.styles)
    data = config.data
    if data.clips and (config.temporal_weight <= 0 or data.frames != 2 or data.channels != 3):
        wanted = f"{named('temporal_weight')} above 0, {named('data.frames')}=2 and {named('data.channels')}=3"
        raise JaxstyleError(f"films are for the temporal term, which looks at pairs of frames in colour: set {wanted}")
    style_names(config.styles)


def fields(config: Config) -> tuple[str, ...]:
    """Names of the example's fields that the task wants."""
    return ("image", "later", "flow") if config.data.clips else ("image",)


def make(config: Config, info: RunInfo) -> FastStyle:
    """Makes the task; the paintings are not read before a run begins.

    Raises:
      JaxstyleError: There are no such features, or the photos do not suit.
    """
    model = config.model
    network = StyleNetwork(len(config.styles), model.width, model.blocks, model.output, jnp.dtype(config.dtype))
    network.check()
    return FastStyle(
        network=network,
        optimizer=make_optimizer(config.optimizer, info.extent, info.steps, config.ema_decay),
        loss=make_loss(config, info),
        paintings=config.styles,
        names=style_names(config.styles),
        style_size=config.style_size or max(info.spec["image"].shape[:2]),
        crop=config.augment.crop,
        flip=config.augment.flip,
    )


def style_names(paths: Sequence[str]) -> tuple[str, ...]:
    """Names of styles: those of their files, without the suffix.

    Raises:
      JaxstyleError: Two have one name.
    """
    names = [pathlib.Path(path.removeprefix("example:")).stem for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise JaxstyleError(f"two styles are called {name!r}: rename one of the files")
    return tuple(names)


def photos_of(batch: Batch, keys: jax.Array, **options: Any) -> tuple[jax.Array, Film | None]:
    """A batch's photos `[N, H, W, 3]` in [0, 1], changed as `augment` does; of films also the frames that follow."""
    if "flow" not in batch:
        return scaled(augment(batch["image"], keys, **options)), None
    frames, flow = scaled(jnp.concatenate([batch["image"], batch["later"]], -1)), batch["flow"]
    columns = jnp.broadcast_to(jnp.arange(flow.shape[2], dtype=flow.dtype)[:, None], (*flow.shape[:3], 1))
    changed = augment(jnp.concatenate([frames, flow, columns], -1), keys, **options)
    first, later, backward, forward, columns = jnp.split(changed, (3, 6, 8, 10), -1)
    sides = jnp.sign(columns[:, :1, 1:2] - columns[:, :1, :1])  # -1 in pictures that are mirrored
    turns = jnp.concatenate([sides, jnp.ones_like(sides)], -1)
    return first, Film(later, backward * turns, forward * turns)


class Fixed(NamedTuple):
    """Parameters of the features, and the styles' targets, leaves `[S, …]`."""

    features: Any
    styles: Styles


@dataclasses.dataclass(frozen=True)
class FastStyle:
    """Pure functions of a stylisation network's training.

    Attributes:
      network: Photos and weights of styles -> pictures.
      optimizer: Of all its parameters.
      loss: Of its pictures.
      paintings: Paths, one a style.
      names: Of the styles.
      style_size: Longer side in pixels at which paintings are seen.
      crop: Side in pixels of the squares that are cut out of training photos; 0 takes them whole.
      flip: Whether they are mirrored at random.
    """

    network: StyleNetwork
    optimizer: Optimizer
    loss: StylizationLoss
    paintings: tuple[str, ...]
    names: tuple[str, ...]
    style_size: int
    crop: int = 0
    flip: bool = False

    def fixed(self) -> Fixed:
        """The parameters of the features and the targets of the paintings."""
        return Fixed(self.loss.features.params, self.loss.read_style_targets(self.paintings, self.style_size))

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        blank = jnp.zeros((1, 16, 16, 3)), jnp.zeros((1, len(self.names)))
        return self.optimizer.start(self.network.init(key, *blank)["params"])

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, H, W, 3]` uint8, each photo in a style that its key draws."""
        keys = step.example_keys(jax.random.fold_in(key, state.step), len(batch["image"]))
        changes, draws = jax.vmap(jax.random.split, out_axes=1)(keys)
        photos, film = photos_of(batch, changes, flip=self.flip, crop=self.crop)
        return descend(self.optimizer, state, lambda params: (self.terms(params, state.fixed, photos, draws, film), {}))

    def terms(self, params: Any, fixed: Fixed, photos: jax.Array, keys: jax.Array, film: Film | None = None) -> Metrics:
        """The weighted terms `[N]` of photos `[N, H, W, 3]`, whose keys `[N]` draw their styles; and their sum."""
        draws, moves = jax.vmap(jax.random.split, out_axes=1)(keys)
        which = jax.vmap(lambda key: jax.random.randint(key, (), 0, len(self.names)))(draws)
        styles = jax.tree.map(lambda leaf: leaf[which], fixed.styles)
        chosen = jax.nn.one_hot(which, len(self.names))
        return self.loss.terms(fixed.features, lambda x: self.stylize(params, x, chosen), photos, styles, moves, film)

    def stylize(self, params: Any, photos: jax.Array, weights: jax.Array) -> Any:
        """Pictures `[N, H, W, 3]` of photos likewise and weights `[N, S]` of the styles."""
        return self.network.apply({"params": params}, photos, weights)

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """The weighted terms of every photo, each `[N]`."""
        photos, film = photos_of(batch, keys)
        return self.terms(state.best_params, state.fixed, photos, keys, film)

    def style_network(self, state: TrainState) -> tuple[StyleNetwork, Any, tuple[str, ...]]:
        """The network that stylises, its parameters, and the names of its styles."""
        return self.network, state.best_params, self.names

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Photos, and each in one of the styles beside it, in turn."""
        photos = scaled(batch["image"])
        weights = jax.nn.one_hot(jnp.arange(len(photos)) % len(self.names), len(self.names))
        return {"stylised": beside(photos, self.stylize(state.best_params, photos, weights))}
