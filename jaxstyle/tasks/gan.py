"""Generative adversarial networks: a generator of pictures, and a discriminator of generated and real ones.

A step is `discriminator_steps` updates of the discriminator, each on its share of the batch, then one of the
generator. Updates are alternating (the generator's loss is by the discriminator after its update, on the same generated
pictures) or simultaneous (both gradients are taken before either update, by two pullbacks of one `jax.vjp`).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxstyle.errors import JaxstyleError
from jaxstyle.models.dcgan import levels_of
from jaxstyle.ops import spectral_norm
from jaxstyle.ops.adaptive_augment import adapted
from jaxstyle.tasks.gan_config import ARCHITECTURES, OBJECTIVES, Config, check
from jaxstyle.tasks.gan_generation import Generation, PenalizesItself
from jaxstyle.tasks.gan_growth import Growth
from jaxstyle.tasks.gan_networks import LATENTS, Minibatch, Networks, centered
from jaxstyle.training import step
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState, copied
from jaxstyle.training.task import Batch, Metrics, RunInfo

STAGE = "stage"
"""Field of a batch of growing networks."""

__all__ = ["GAN", "Config", "check", "fields", "make"]


def fields(config: Config) -> tuple[str, ...]:
    """Names of the example's fields that the task wants."""
    return ("image", "label") if config.model.conditional else ("image",)


def make(config: Config, info: RunInfo) -> GAN:
    """Makes the task.

    Raises:
      JaxstyleError: The pictures' size does not suit, or the dataset has no classes to condition on.
    """
    model = config.model
    if model.conditional and not info.classes:
        raise JaxstyleError("the dataset has no class labels to condition on; a folder needs one sub-folder a class")
    return GAN(
        networks=make_networks(config, info),
        generator_optimizer=make_optimizer(config.optimizer, info.extent, info.steps, config.ema_decay),
        discriminator_optimizer=make_optimizer(
            config.discriminator_optimizer, info.extent, info.steps, name="discriminator_optimizer"
        ),
        discriminator_steps=model.discriminator_steps,
        alternating=model.updates == "alternating",
        clip_weights=model.clip_weights,
        penalty_share=optax.cosine_decay_schedule(1.0, info.steps, model.final_penalty),
        growth=growth_of(config, info),
    )


def growth_of(config: Config, info: RunInfo) -> Growth | None:
    """The schedule of growing networks; None of others."""
    if "growth" not in ARCHITECTURES[config.model.architecture].OPTIONS:
        return None
    levels = levels_of(info.spec["image"].shape, 1)
    return Growth(levels, max(2 * levels, round(config.model.growth * info.steps)))


def memory_of(generator: Any) -> dict[str, jax.Array]:
    """The state of a generator's own penalty before the first step; empty where it has none."""
    return generator.memory() if isinstance(generator, PenalizesItself) else {}


def make_networks(config: Config, info: RunInfo) -> Networks:
    """Makes the networks of a config; raises `JaxstyleError` for a size of pictures that they cannot have."""
    model, classes = config.model, len(info.classes) if config.model.conditional else 0
    generator, discriminator = ARCHITECTURES[model.architecture].build(config, info.spec["image"].shape, classes)
    terms = ["latents", "codes", "information", "spectral_norm", "r1", "r2", "gradient_penalty"]
    terms += ["penalty_every", "augment", "adaptive", "adaptive_examples"]
    return Networks(
        generator=generator,
        discriminator=discriminator,
        objective=OBJECTIVES[model.objective],
        **{name: getattr(model, name) for name in terms},
    )


@dataclasses.dataclass(frozen=True)
class GAN(Generation):
    """Pure functions of a GAN's training. The state's dicts have a `generator` and a `discriminator` each.

    Attributes:
      generator_optimizer: With the moving average of the generator.
      discriminator_optimizer: Of the discriminator, whose learning rate is the same in all updates of a step.
      penalty_share: Step -> share of the penalties' weights.
      discriminator_steps: Updates of the discriminator a step.
      alternating: Whether updates are alternating, not simultaneous.
      clip_weights: Limit of the discriminator's parameters; 0 is none.
    """

    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    penalty_share: optax.Schedule
    discriminator_steps: int = 1
    alternating: bool = True
    clip_weights: float = 0.0

    @property
    def parts(self) -> int:
        """Number of equal parts of a device's share of the batch: one an update of the discriminator and, of these,
        one in `penalty_every` with its penalties."""
        networks = self.networks
        penalised = networks.r1 > 0 or networks.gradient_penalty > 0 or bool(memory_of(networks.generator))
        return self.discriminator_steps * (networks.penalty_every if penalised else 1)

    def staged(self, batch: dict[str, Any], number: int) -> dict[str, Any]:
        """A batch `[devices, …]` of a step with an array whose shape tells the size of the pictures, if that grows."""
        if self.growth is None:
            return batch
        return {**batch, STAGE: np.zeros((len(batch["image"]), self.growth.level(number) + 1), np.float32)}

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        networks, keys = self.networks, [jax.random.fold_in(key, i) for i in range(3)]
        labels = jnp.zeros(1, jnp.int32) if networks.generator.classes else None
        noise, picture = jnp.zeros((1, networks.latents)), jnp.zeros((1, *networks.generator.shape))
        made = {
            "generator": networks.generator.init(keys[0], noise, labels, True),
            "discriminator": networks.discriminator.init(keys[1], picture, labels, True),
        }
        params = {name: variables["params"] for name, variables in made.items()}
        collections = {name: variables.get("batch_stats", {}) for name, variables in made.items()}
        vectors = spectral_norm.start_vectors(params["discriminator"], keys[2]) if networks.spectral_norm else {}
        optimizer = {
            "generator": self.generator_optimizer.transform.init(params["generator"]),
            "discriminator": self.discriminator_optimizer.transform.init(params["discriminator"]),
        }
        ema = {"generator": copied(params["generator"])} if self.generator_optimizer.ema_decay else None
        if networks.codes:
            collections["codes"] = {"shares": networks.equal_shares()}
        if networks.adaptive:
            collections["adaptive"] = {"p": jnp.zeros(()), "sign": jnp.zeros(())}
        if memory := memory_of(networks.generator):
            collections["memory"] = memory
        return TrainState(jnp.int32(0), params, optimizer, ema, {**collections, "spectral": vectors})

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, H, W, C]` uint8 and, with classes, `label` `[N]`."""
        keys = step.example_keys(jax.random.fold_in(key, state.step), batch["image"].shape[0])
        labels, images = batch["label"] if self.classes else None, centered(batch["image"])
        if self.growth is None or STAGE not in batch:
            return self.updates(state, images, labels, keys)
        level = batch[STAGE].shape[0] - 1
        images, optimizer = self.growth.real(images, level, state.step), self.growth.fresh(state, level)
        now = dataclasses.replace(self, networks=self.networks_at(state.step, level))
        return now.updates(state.replace(optimizer=optimizer), images, labels, keys)

    def updates(
        self, state: TrainState, images: jax.Array, labels: jax.Array | None, keys: jax.Array
    ) -> tuple[TrainState, Metrics]:
        """All updates of a step on one device's real pictures, as the discriminator gets them."""
        minibatch, count = self.networks.minibatch(images, labels, keys), self.discriminator_steps
        if self.networks.adaptive:
            p = state.collections["adaptive"]["p"]
            minibatch = minibatch._replace(strength=jnp.broadcast_to(p, keys.shape))
        for number in range(count - 1):
            part = minibatch.every(count, number)
            fake, _ = self.networks.generate(state.params["generator"], part)
            state, _, _ = self.update_discriminator(state, part, fake)
        update = self.alternating_updates if self.alternating else self.simultaneous_updates
        moved, metrics, statistics = update(state, minibatch.every(count, count - 1))
        if self.networks.adaptive:
            moved, metrics = self.with_strength(moved, metrics, len(keys) * lax.axis_size(step.AXIS))
        rate = jnp.asarray(self.generator_optimizer.schedule(state.step), jnp.float32)
        return self.averaged(moved, statistics), {**metrics, "learning_rate": rate}

    def alternating_updates(self, state: TrainState, batch: Minibatch) -> tuple[TrainState, Metrics, Any]:
        """The discriminator's update, then the generator's; their metrics and batch statistics."""
        fake, pull, batch_stats = jax.vjp(
            lambda params: self.networks.generate(params, batch), state.params["generator"], has_aux=True
        )
        state, metrics, statistics = self.update_discriminator(state, batch, fake)
        params, vectors = state.params["discriminator"], state.collections["spectral"]
        loss = jax.value_and_grad(lambda fake: self.networks.generator_loss(params, vectors, batch, fake))
        value, slopes = loss(fake)
        state, more = self.update_generator(state, batch, value, pull(slopes)[0])
        return state, {**metrics, **more}, {"generator": batch_stats, **statistics}

    def simultaneous_updates(self, state: TrainState, batch: Minibatch) -> tuple[TrainState, Metrics, Any]:
        """Both updates, by gradients taken before either; their metrics and batch statistics."""
        state = self.with_power_iteration(state)

        def losses(generator: Any, discriminator: Any) -> tuple[tuple[jax.Array, jax.Array], Any]:
            fake, batch_stats = self.networks.generate(generator, batch)
            loss, (metrics, statistics, value) = self.networks.discriminator_loss(
                discriminator, state.collections["spectral"], batch, fake, self.penalty_share(state.step)
            )
            return (loss, value), (metrics, {"generator": batch_stats, **statistics})

        params = state.params["generator"], state.params["discriminator"]
        (loss, value), pull, (metrics, statistics) = jax.vjp(losses, *params, has_aux=True)
        one, zero = jnp.ones_like(loss), jnp.zeros_like(loss)
        generator_grads, discriminator_grads = pull((zero, one))[0], pull((one, zero))[1]
        state, metrics = self.apply_discriminator_gradients(state, metrics, discriminator_grads)
        state, more = self.update_generator(state, batch, value, generator_grads)
        return state, {**metrics, **more}, statistics

    def update_generator(
        self, state: TrainState, batch: Minibatch, loss: jax.Array, grads: Any
    ) -> tuple[TrainState, Metrics]:
        """The generator's update by this device's loss and gradients, and by the penalty of its own, if it has one."""
        metrics: Metrics = {}
        if memory := state.collections.get("memory"):
            penalty = jax.grad(self.networks.generator_penalty, has_aux=True)
            more, (memory, metrics) = penalty(state.params["generator"], batch, memory)
            grads = jax.tree.map(jnp.add, grads, more)
            state = state.replace(collections={**state.collections, "memory": memory})
        loss, grads = lax.pmean((loss, grads), step.AXIS)
        state = self.updated(state, "generator", self.generator_optimizer, grads)
        return state, {"generator_loss": loss, "generator_gradient": step.norm(grads), **metrics}

    def with_strength(self, state: TrainState, metrics: Metrics, count: int) -> tuple[TrainState, Metrics]:
        """The state with the probability of adaptive augmentation after so many examples, and metrics with it."""
        share, before = count / self.networks.adaptive_examples, state.collections["adaptive"]
        adaptive = adapted(before, metrics["real_sign"], self.networks.adaptive, share)
        return state.replace(collections={**state.collections, "adaptive": adaptive}), {**metrics, "p": adaptive["p"]}

    def update_discriminator(
        self, state: TrainState, batch: Minibatch, fake: jax.Array
    ) -> tuple[TrainState, Metrics, Any]:
        """The discriminator's update against generated pictures, its metrics and statistics."""
        state, fake = self.with_power_iteration(state), lax.stop_gradient(fake)
        loss = jax.grad(self.networks.discriminator_loss, has_aux=True)
        params, vectors = state.params["discriminator"], state.collections["spectral"]
        grads, (metrics, found, _) = loss(params, vectors, batch, fake, self.penalty_share(state.step))
        state, metrics = self.apply_discriminator_gradients(state, metrics, grads)
        return state, metrics, found

    def apply_discriminator_gradients(
        self, state: TrainState, metrics: Metrics, grads: Any
    ) -> tuple[TrainState, Metrics]:
        """The discriminator's update by this device's metrics and gradients."""
        metrics, grads = lax.pmean((metrics, grads), step.AXIS)
        state = self.updated(state, "discriminator", self.discriminator_optimizer, grads)
        if self.clip_weights:
            params, most = state.params, self.clip_weights
            clipped = jax.tree.map(lambda leaf: jnp.clip(leaf, -most, most), params["discriminator"])
            state = state.replace(params={**params, "discriminator": clipped})
        return state, {**metrics, "discriminator_gradient": step.norm(grads)}

    def updated(self, state: TrainState, name: str, optimizer: Optimizer, grads: Any) -> TrainState:
        """The state with one network updated."""
        params, moments = optimizer.update(state.params[name], state.optimizer[name], grads, state.step)
        return state.replace(params={**state.params, name: params}, optimizer={**state.optimizer, name: moments})

    def with_power_iteration(self, state: TrainState) -> TrainState:
        """The state after a step of spectral normalisation's power iteration, one an update of the discriminator."""
        if not self.networks.spectral_norm:
            return state
        vectors = spectral_norm.iterate(state.params["discriminator"], state.collections["spectral"])
        return state.replace(collections={**state.collections, "spectral": vectors})

    def averaged(self, state: TrainState, statistics: Any) -> TrainState:
        """The end of a step: moving averages of the generator, and of batch statistics just as of the parameters."""
        optimizer = self.generator_optimizer
        ema = optimizer.averaged(state.ema, {"generator": state.params["generator"]}, state.step)
        collections = optimizer.averaged_statistics(state.collections, statistics, state.step)
        return state.replace(step=state.step + 1, ema=ema, collections=collections)

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """The discriminator's loss and logits of every held-out picture and of a generated one beside it, each `[N]`.

        Where `real_logit` is far below the training's, the discriminator has overfitted its examples.
        """
        params, networks = state.params["discriminator"], self.networks_at(state.step)
        if networks.spectral_norm:
            params = spectral_norm.normalize(params, state.collections["spectral"])
        variables = {"params": params, "batch_stats": state.collections["discriminator"]}
        minibatch = Minibatch(centered(batch["image"]), batch["label"] if self.classes else None, keys)
        fake = self.decode(state, self.networks.noise(minibatch.keys_for(LATENTS)), minibatch.labels) * 2 - 1
        real_logits, fake_logits = (
            networks.discriminator.apply(variables, images, minibatch.labels, False)
            for images in (minibatch.images, fake)
        )
        loss = self.networks.objective.discriminator(real_logits, fake_logits)
        return {"loss": loss, "real_logit": real_logits, "fake_logit": fake_logits}
