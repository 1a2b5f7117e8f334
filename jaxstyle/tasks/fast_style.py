"""Stylising in one pass: a network learns one style, or several of which every normalisation has its own part."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from jaxstyle.data.augment import augment
from jaxstyle.errors import JaxstyleError
from jaxstyle.models.style_network import StyleNetwork
from jaxstyle.tasks import perceptual
from jaxstyle.tasks.common import beside, descend, scaled
from jaxstyle.tasks.perceptual import Perceptual, Styles
from jaxstyle.training import step
from jaxstyle.training.config import at_least
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, Setting

FIXED = ("styles",)
"""What cannot change when a run goes on: a style's number is its place."""


def defaults() -> ConfigDict:
    """A training recipe with this task's own fields."""
    config = perceptual.defaults()
    config.task = "jaxstyle.tasks.fast_style"
    config.model.update(width=32, blocks=5, output="sigmoid")  # as StyleNetwork has them
    return config


def fields(config: Any) -> tuple[str, ...]:
    """The fields of an example, and a look at what can be wrong with photos and paintings."""
    return perceptual.fields(config, config.styles)


def make(config: Any, setting: Setting) -> FastStyle:
    """The task of a config, whose fields `defaults` tells. The paintings are not read before a run begins.

    Raises:
      JaxstyleError: Two styles have one name, there are no such features, or a setting cannot be.
    """
    at_least(config, {"model.width": 1, "model.blocks": 0})
    model = config.model
    network = StyleNetwork(len(config.styles), model.width, model.blocks, model.output, jnp.dtype(config.dtype))
    network.check()
    return FastStyle(
        network,
        make_optimizer(config.optimizer, setting.extent, setting.steps, config.ema_decay),
        perceptual.perceptual(config, setting),
        tuple(config.styles),
        style_names(config.styles),
        config.style_size or max(setting.spec["image"].shape[:2]),
        config.augment.crop,
        config.augment.flip,
    )


def style_names(paths: Sequence[str]) -> tuple[str, ...]:
    """What styles are called: as their files are, without the suffix.

    Raises:
      JaxstyleError: Two have one name.
    """
    names = [pathlib.Path(path.removeprefix("example:")).stem for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise JaxstyleError(f"two styles are called {name!r}: rename one of the files")
    return tuple(names)


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
      judge: Of its pictures.
      paintings: Paths, one a style.
      names: Of the styles.
      style_size: Longer side in pixels at which paintings are seen.
      crop: Side in pixels of the squares that are cut out of training photos; 0 takes them whole.
      flip: Whether they are mirrored at random.
    """

    network: StyleNetwork
    optimizer: Optimizer
    judge: Perceptual
    paintings: tuple[str, ...]
    names: tuple[str, ...]
    style_size: int
    crop: int = 0
    flip: bool = False

    def fixed(self) -> Fixed:
        """What steps look at: the features' parameters, and what the paintings ask for."""
        return Fixed(self.judge.features.params, self.judge.read_styles(self.paintings, self.style_size))

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        blank = jnp.zeros((1, 16, 16, 3)), jnp.zeros((1, len(self.names)))
        return self.optimizer.start(self.network.init(key, *blank)["params"])

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, H, W, 3]` uint8, each photo in a style that its key draws."""
        keys = step.example_keys(jax.random.fold_in(key, state.step), len(batch["image"]))
        changes, draws = jax.vmap(jax.random.split, out_axes=1)(keys)
        photos = scaled(augment(batch["image"], changes, flip=self.flip, crop=self.crop))
        return descend(self.optimizer, state, lambda params: (self.terms(params, state.fixed, photos, draws), {}))

    def terms(self, params: Any, fixed: Fixed, photos: jax.Array, keys: jax.Array) -> Metrics:
        """The weighted terms `[N]` of photos `[N, H, W, 3]`, whose keys `[N]` draw their styles; and their sum."""
        draws, moves = jax.vmap(jax.random.split, out_axes=1)(keys)
        which = jax.vmap(lambda key: jax.random.randint(key, (), 0, len(self.names)))(draws)
        styles = jax.tree.map(lambda leaf: leaf[which], fixed.styles)
        chosen = jax.nn.one_hot(which, len(self.names))
        return self.judge.judged(fixed.features, lambda x: self.paint(params, x, chosen), photos, styles, moves)

    def paint(self, params: Any, photos: jax.Array, weights: jax.Array) -> Any:
        """Pictures `[N, H, W, 3]` of photos likewise and weights `[N, S]` of the styles."""
        return self.network.apply({"params": params}, photos, weights)

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """The weighted terms of every photo, each `[N]`."""
        return self.terms(state.best_params, state.fixed, scaled(batch["image"]), keys)

    def stylist(self, state: TrainState) -> tuple[StyleNetwork, Any, tuple[str, ...]]:
        """What is kept of a training: the network that paints, its parameters, and the names of its styles."""
        return self.network, state.best_params, self.names

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Photos, and each in one of the styles beside it, in turn."""
        photos = scaled(batch["image"])
        weights = jax.nn.one_hot(jnp.arange(len(photos)) % len(self.names), len(self.names))
        return {"stylised": beside(photos, self.paint(state.best_params, photos, weights))}
