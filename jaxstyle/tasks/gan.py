"""Generative adversarial networks: a generator of pictures against a discriminator that tells them from real ones.

A step is `discriminator_steps` updates of the discriminator, each on its share of the batch, then one of the
generator. Updates are alternating (the generator meets the discriminator as it is after its update, on the same
fakes) or simultaneous (both move from where they are, by two pullbacks of one `jax.vjp`).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.adversarial import ADVERSARIAL_LOSSES
from jaxstyle.models import dcgan, resnet_gan
from jaxstyle.ops import spectral_norm
from jaxstyle.ops.conditioning import sample_codes
from jaxstyle.tasks.gan_config import check
from jaxstyle.tasks.gan_config import defaults as defaults
from jaxstyle.tasks.gan_networks import LATENTS, Hand, Players, great_circle
from jaxstyle.training import step
from jaxstyle.training.durations import Extent
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState, copied
from jaxstyle.training.task import Batch, Metrics, Setting

SIDE = 8
"""Rows and columns of a grid of pictures."""


def fields(config: Any) -> tuple[str, ...]:
    """The fields of an example that this task wants."""
    return ("image", "label") if config.model.conditional else ("image",)


def make(config: Any, setting: Setting) -> GAN:
    """The task of a config; `gan_config.defaults()` has its fields.

    Raises:
      JaxstyleError: A setting that cannot be, alone or with others; the dataset has no classes to condition on.
    """
    check(config)
    model, shape = config.model, setting.spec["image"].shape
    dcgan.levels_of(shape)
    if model.conditional and not setting.classes:
        raise JaxstyleError("the dataset has no class labels to condition on; a folder needs one sub-folder a class")
    network: Any = {"dcgan": dcgan, "resnet": resnet_gan}[model.architecture]
    common: dict[str, Any] = {"shape": shape, "dtype": jnp.dtype(config.dtype), "remat": config.remat}
    classes = len(setting.classes) if model.conditional else 0
    norm = {"norm": True} if model.batch_norm else {}
    common |= {"hidden": model.hidden} if model.architecture == "dcgan" else {}
    rules = ("latents", "codes", "information", "spectral_norm", "r1", "gradient_penalty", "penalty_every")
    players = Players(
        generator=network.Generator(
            width=model.generator_width, classes=classes or model.codes, self_modulation=model.self_modulation, **common
        ),
        discriminator=network.Discriminator(
            width=model.discriminator_width, classes=classes, codes=model.codes, **common, **norm
        ),
        objective=ADVERSARIAL_LOSSES[model.objective],
        augment=tuple(model.augment),
        **{name: model[name] for name in rules},
    )
    rounds = model.discriminator_steps
    extent = Extent(setting.extent.examples, config.batch_size // rounds)  # the discriminator's steps are smaller
    return GAN(
        players=players,
        generator_optimizer=make_optimizer(config.optimizer, setting.extent, setting.steps, config.ema_decay),
        discriminator_optimizer=make_optimizer(config.discriminator_optimizer, extent, setting.steps * rounds),
        rounds=rounds,
        in_turn=model.updates == "alternating",
        clip_weights=model.clip_weights,
    )


@dataclasses.dataclass(frozen=True)
class GAN:
    """Pure functions of a GAN's training. The state's dicts have a `generator` and a `discriminator` each.

    Attributes:
      players: The networks and what they lose.
      generator_optimizer: With the moving average of the generator.
      discriminator_optimizer: Counts the discriminator's steps.
      rounds: Discriminator updates a step.
      in_turn: Whether updates are alternating, not simultaneous.
      clip_weights: Limit of the discriminator's parameters; 0 is none.
    """

    players: Players
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    rounds: int = 1
    in_turn: bool = True
    clip_weights: float = 0.0

    @property
    def parts(self) -> int:
        """Into how many parts of equal size a device's pictures are divided: the updates of the discriminator, and of
        each's those that are penalised and the others."""
        players = self.players
        return self.rounds * (players.penalty_every if players.r1 > 0 or players.gradient_penalty > 0 else 1)

    @property
    def classes(self) -> int:
        """Number of labels; 0 for none."""
        return self.players.discriminator.classes

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        players, keys = self.players, [jax.random.fold_in(key, i) for i in range(3)]
        labels = jnp.zeros(1, jnp.int32) if players.generator.classes else None
        noise, picture = jnp.zeros((1, players.latents)), jnp.zeros((1, *players.generator.shape))
        made = {
            "generator": players.generator.init(keys[0], noise, labels, True),
            "discriminator": players.discriminator.init(keys[1], picture, labels, True),
        }
        params = {name: variables["params"] for name, variables in made.items()}
        collections = {name: variables.get("batch_stats", {}) for name, variables in made.items()}
        vectors = spectral_norm.start_vectors(params["discriminator"], keys[2]) if players.spectral_norm else {}
        optimizer = {
            "generator": self.generator_optimizer.transform.init(params["generator"]),
            "discriminator": self.discriminator_optimizer.transform.init(params["discriminator"]),
        }
        ema = {"generator": copied(params["generator"])} if self.generator_optimizer.ema_decay else None
        if players.codes:
            collections["codes"] = {"shares": players.equal_shares()}
        return TrainState(jnp.int32(0), params, optimizer, ema, {**collections, "spectral": vectors})

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, H, W, C]` uint8 and, with classes, `label` `[N]`."""
        keys = step.example_keys(jax.random.fold_in(key, state.step), batch["image"].shape[0])
        hand = self.players.deal(scaled(batch["image"]), batch["label"] if self.classes else None, keys)
        for number in range(self.rounds - 1):
            part = hand.every(self.rounds, number)
            fake, _ = self.players.generate(state.params["generator"], part)
            state, _, _ = self.move_discriminator(state, part, fake)
        move = self.move_in_turn if self.in_turn else self.move_at_once
        moved, metrics, statistics = move(state, hand.every(self.rounds, self.rounds - 1))
        rate = jnp.asarray(self.generator_optimizer.schedule(state.step), jnp.float32)
        return self.averaged(moved, statistics), {**metrics, "learning_rate": rate}

    def move_in_turn(self, state: TrainState, hand: Hand) -> tuple[TrainState, Metrics, Any]:
        """The discriminator's update, then the generator's; their metrics and batch statistics."""
        fake, pull, seen = jax.vjp(
            lambda params: self.players.generate(params, hand), state.params["generator"], has_aux=True
        )
        state, metrics, statistics = self.move_discriminator(state, hand, fake)
        params, vectors = state.params["discriminator"], state.collections["spectral"]
        loss, slopes = jax.value_and_grad(lambda fake: self.players.generator_loss(params, vectors, hand, fake))(fake)
        state, more = self.move_generator(state, loss, pull(slopes)[0])
        return state, {**metrics, **more}, {"generator": seen, **statistics}

    def move_at_once(self, state: TrainState, hand: Hand) -> tuple[TrainState, Metrics, Any]:
        """Both updates from where the players are; their metrics and batch statistics."""
        state = self.with_vectors_turned(state)

        def losses(generator: Any, discriminator: Any) -> tuple[tuple[jax.Array, jax.Array], Any]:
            fake, seen = self.players.generate(generator, hand)
            loss, (metrics, statistics, value) = self.players.discriminator_loss(
                discriminator, state.collections["spectral"], hand, fake
            )
            return (loss, value), (metrics, {"generator": seen, **statistics})

        params = state.params["generator"], state.params["discriminator"]
        (loss, value), pull, (metrics, statistics) = jax.vjp(losses, *params, has_aux=True)
        one, zero = jnp.ones_like(loss), jnp.zeros_like(loss)
        generator_grads, discriminator_grads = pull((zero, one))[0], pull((one, zero))[1]
        state, metrics = self.apply_discriminator(state, metrics, discriminator_grads)
        state, more = self.move_generator(state, value, generator_grads)
        return state, {**metrics, **more}, statistics

    def move_generator(self, state: TrainState, loss: jax.Array, grads: Any) -> tuple[TrainState, Metrics]:
        """The generator's update by this device's loss and gradients."""
        loss, grads = lax.pmean((loss, grads), step.AXIS)
        state = self.updated(state, "generator", self.generator_optimizer, grads)
        return state, {"generator_loss": loss, "generator_gradient": step.norm(grads)}

    def move_discriminator(self, state: TrainState, hand: Hand, fake: jax.Array) -> tuple[TrainState, Metrics, Any]:
        """The discriminator's update against some fakes, its metrics and statistics."""
        state, fake = self.with_vectors_turned(state), lax.stop_gradient(fake)
        loss = jax.grad(self.players.discriminator_loss, has_aux=True)
        grads, (metrics, seen, _) = loss(state.params["discriminator"], state.collections["spectral"], hand, fake)
        state, metrics = self.apply_discriminator(state, metrics, grads)
        return state, metrics, seen

    def apply_discriminator(self, state: TrainState, metrics: Metrics, grads: Any) -> tuple[TrainState, Metrics]:
        """The discriminator's update by this device's metrics and gradients."""
        metrics, grads = lax.pmean((metrics, grads), step.AXIS)
        state = self.updated(state, "discriminator", self.discriminator_optimizer, grads)
        if self.clip_weights:
            params, most = state.params, self.clip_weights
            clipped = jax.tree.map(lambda leaf: jnp.clip(leaf, -most, most), params["discriminator"])
            state = state.replace(params={**params, "discriminator": clipped})
        return state, {**metrics, "discriminator_gradient": step.norm(grads)}

    def updated(self, state: TrainState, name: str, optimizer: Optimizer, grads: Any) -> TrainState:
        """The state with one player moved."""
        params, moments = optimizer.update(state.params[name], state.optimizer[name], grads)
        return state.replace(params={**state.params, name: params}, optimizer={**state.optimizer, name: moments})

    def with_vectors_turned(self, state: TrainState) -> TrainState:
        """The state after spectral normalisation's power iteration, one for each update of the discriminator."""
        if not self.players.spectral_norm:
            return state
        vectors = spectral_norm.iterate(state.params["discriminator"], state.collections["spectral"])
        return state.replace(collections={**state.collections, "spectral": vectors})

    def averaged(self, state: TrainState, statistics: Any) -> TrainState:
        """The end of a step: moving averages of the generator, and of batch statistics just as of the parameters."""
        optimizer = self.generator_optimizer
        ema = optimizer.follow(state.ema, {"generator": state.params["generator"]}, state.step)
        collections = optimizer.follow_statistics(state.collections, statistics, state.step)
        return state.replace(step=state.step + 1, ema=ema, collections=collections)

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """The discriminator's loss and logits of every unseen real picture and of a fake beside it, each `[N]`.

        Where `real_logit` is far below the training's, the discriminator knows its examples by heart.
        """
        params = state.params["discriminator"]
        if self.players.spectral_norm:
            params = spectral_norm.normalize(params, state.collections["spectral"])
        variables = {"params": params, "batch_stats": state.collections["discriminator"]}
        hand = Hand(scaled(batch["image"]), batch["label"] if self.classes else None, keys)
        fake = self.painted(state, self.players.noise(hand.own(LATENTS)), hand.labels) * 2 - 1
        real_logits, fake_logits = (
            self.players.discriminator.apply(variables, images, hand.labels, False) for images in (hand.images, fake)
        )
        loss = self.players.objective.discriminator(real_logits, fake_logits)
        return {"loss": loss, "real_logit": real_logits, "fake_logit": fake_logits}

    def sample(self, state: TrainState, key: jax.Array, count: int, labels: jax.Array | None = None) -> jax.Array:
        """Pictures nobody has seen.

        Args:
          state: Of a training; the moving average of the generator counts where there is one.
          key: A typed PRNG key.
          count: How many; static.
          labels: `[count]` int32; None draws them uniformly.

        Returns:
          `[count, H, W, C]` float32 in [0, 1].

        Raises:
          JaxstyleError: Labels, and the model is told none.
        """
        if labels is not None and not self.classes:
            raise JaxstyleError("this GAN was trained without labels; train configs/cgan_mnist.py to choose them")
        keys = jax.vmap(lambda place: jax.random.fold_in(key, place))(jnp.arange(count))
        if self.classes and labels is None:
            labels = jax.vmap(lambda key: jax.random.randint(jax.random.fold_in(key, 1), (), 0, self.classes))(keys)
        return self.painted(state, self.players.noise(keys), labels)

    def painted(self, state: TrainState, noise: jax.Array, labels: jax.Array | None) -> jax.Array:
        """Pictures `[N, H, W, C]` in [0, 1] of noise `[N, Z]` and labels `[N]`; of codes, by their shares."""
        variables = {"params": state.best_params["generator"], "batch_stats": state.collections["generator"]}
        if self.players.codes:
            labels = sample_codes(noise, state.collections["codes"]["shares"])
        images = self.players.generator.apply(variables, noise, labels, False)
        return images / 2 + 0.5

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Samples, with classes a row each, and rows of interpolations; of the same noise at every evaluation."""
        side = min(self.classes, 2 * SIDE) or SIDE
        rows = jnp.repeat(jnp.arange(side), side) if self.classes else None
        ends = self.players.noise(jax.vmap(lambda place: jax.random.fold_in(key, place))(jnp.arange(2 * SIDE)))
        between = jax.vmap(great_circle, (0, 0, None))(ends[:SIDE], ends[SIDE:], jnp.linspace(0, 1, SIDE))
        labels = jnp.repeat(jnp.arange(SIDE) % self.classes, SIDE) if self.classes else None
        return {
            "samples": self.sample(state, key, side * side, rows),
            "interpolations": self.painted(state, between.reshape(SIDE * SIDE, -1), labels),
        }


def scaled(images: jax.Array) -> jax.Array:
    """Pixels 0..255 uint8 as float32 in [-1, 1]."""
    return images.astype(jnp.float32) / 127.5 - 1
