"""Pictures of a GAN's generator, once it is trained or while it is."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, Self, runtime_checkable

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.ops.conditioning import sample_codes
from jaxstyle.tasks.gan_growth import Growth
from jaxstyle.tasks.gan_networks import Networks, great_circle
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics

SIDE = 8
"""Rows and columns of a grid of pictures."""


@runtime_checkable
class MapsLatents(Protocol):
    """A generator with a mapping network, which makes the latents styles."""

    def mapped(self, variables: Any, latents: jax.Array, labels: jax.Array | None) -> jax.Array: ...


@runtime_checkable
class PenalizesItself(Protocol):
    """A generator with a penalty of its own, and its state before the first step."""

    def memory(self) -> dict[str, jax.Array]: ...

    def penalty(
        self, params: Any, noise: jax.Array, labels: jax.Array | None, keys: jax.Array, memory: dict[str, jax.Array]
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], Metrics]]: ...


@dataclasses.dataclass(frozen=True)
class Generation:
    """Pure functions that draw, of a training's state; where there is a moving average of the generator, it counts.

    Attributes:
      networks: Generator and discriminator, and their losses.
      growth: When their sizes are faded in; None where they do not grow.
    """

    networks: Networks
    growth: Growth | None = dataclasses.field(default=None, kw_only=True)

    @property
    def classes(self) -> int:
        """Number of labels; 0 for none."""
        return self.networks.discriminator.classes

    @property
    def latents(self) -> int:
        """Numbers of a latent."""
        return self.networks.latents

    def sample(self, state: TrainState, key: jax.Array, count: int, labels: jax.Array | None = None) -> jax.Array:
        """Generates pictures.

        Args:
          state: Of a training.
          key: A typed PRNG key.
          count: How many; static.
          labels: `[count]` int32; None draws them uniformly.

        Returns:
          `[count, H, W, C]` float32 in [0, 1].

        Raises:
          JaxstyleError: Labels for a model that is not conditional.
        """
        if labels is not None and not self.classes:
            raise JaxstyleError("this GAN was trained without labels; train configs/cgan_mnist.py to choose them")
        keys = jax.vmap(lambda place: jax.random.fold_in(key, place))(jnp.arange(count))
        if self.classes and labels is None:
            labels = jax.vmap(lambda key: jax.random.randint(jax.random.fold_in(key, 1), (), 0, self.classes))(keys)
        return self.decode(state, self.networks.noise(keys), labels)

    def decode(self, state: TrainState, latents: jax.Array, labels: jax.Array | None) -> jax.Array:
        """Pictures `[N, H, W, C]` in [0, 1] of latents `[N, Z]` and labels `[N]`; of codes, by their shares."""
        return self.drawn(state, latents, self.given_labels(state, latents, labels))

    def given_labels(self, state: TrainState, latents: jax.Array, labels: jax.Array | None) -> jax.Array | None:
        """The labels `[N]` that the generator gets: with codes, those that the latents `[N, Z]` draw."""
        codes = self.networks.codes
        return sample_codes(latents, state.collections["codes"]["shares"]) if codes else labels

    def variables(self, state: TrainState) -> dict[str, Any]:
        """The generator's."""
        return {"params": state.best_params["generator"], "batch_stats": state.collections["generator"]}

    def drawn(self, state: TrainState, *arguments: Any, **more: Any) -> jax.Array:
        """Pictures `[N, H, W, C]` in [0, 1] of the generator's arguments."""
        images = self.networks_at(state.step).generator.apply(self.variables(state), *arguments, **more)
        return jnp.clip(images / 2 + 0.5, 0, 1)

    def networks_at(self, step: jax.Array, level: int | None = None) -> Networks:
        """The networks as they are at a step, those that grow up to a size; None is the largest."""
        if self.growth is None:
            return self.networks
        now = {"fades": self.growth.fades(step), "level": level}
        both = {name: getattr(self.networks, name).clone(**now) for name in ("generator", "discriminator")}
        return dataclasses.replace(self.networks, **both)

    def check_styles(self) -> None:
        """Raises `JaxstyleError` where the architecture has no mapping network."""
        if not isinstance(self.networks.generator, MapsLatents):
            raise JaxstyleError("this GAN's generator has no mapping network, and so no styles; 'stylegan2' has one")

    def truncated(self, share: float) -> Self:
        """The same task, whose generator goes only a share of the way from the mean w (Karras et al. 2019, section B).

        Raises:
          JaxstyleError: The architecture has no w.
        """
        self.check_styles()
        networks = dataclasses.replace(self.networks, generator=self.networks.generator.clone(truncation=share))
        return dataclasses.replace(self, networks=networks)

    def styles(self, state: TrainState, latents: jax.Array, labels: jax.Array | None) -> jax.Array:
        """Styles `[N, layers, W]` of latents `[N, Z]` and labels `[N]`; raises as `truncated`."""
        self.check_styles()
        labels = self.given_labels(state, latents, labels)
        return self.networks.generator.mapped(self.variables(state), latents, labels)

    def decode_styles(self, state: TrainState, styles: jax.Array) -> jax.Array:
        """Pictures `[N, H, W, C]` in [0, 1] of styles `[N, layers, W]`; raises as `truncated`."""
        self.check_styles()
        return self.drawn(state, styles[:, 0], styles=styles)

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Samples, with classes a row each, and rows of interpolations; of the same noise at every evaluation."""
        side = min(self.classes, 2 * SIDE) or SIDE
        rows = jnp.repeat(jnp.arange(side), side) if self.classes else None
        ends = self.networks.noise(jax.vmap(lambda place: jax.random.fold_in(key, place))(jnp.arange(2 * SIDE)))
        between = jax.vmap(great_circle, (0, 0, None))(ends[:SIDE], ends[SIDE:], jnp.linspace(0, 1, SIDE))
        labels = jnp.repeat(jnp.arange(SIDE) % self.classes, SIDE) if self.classes else None
        return {
            "samples": self.sample(state, key, side * side, rows),
            "interpolations": self.decode(state, between.reshape(SIDE * SIDE, -1), labels),
        }
