"""Translation of pictures between two domains: CycleGAN, DualGAN and CUT without pairs, pix2pix with them.

A network makes pictures of a domain of those of the other, and a discriminator of that domain's pictures judges them.
Without pairs there are two such networks, and a picture translated there and back must be what it was; or one, and what
stands at a place of the translation must be told, of all places of the picture, to be of its own. The generators'
update and the discriminators' are by gradients taken before either, as in the published code.

References:
  Zhu, Park, Isola & Efros 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks".
  Yi, Zhang, Tan & Gong 2017, "DualGAN: Unsupervised Dual Learning for Image-to-Image Translation".
  Isola, Zhu, Zhou & Efros 2017, "Image-to-Image Translation with Conditional Adversarial Networks".
  Park, Efros, Zhang & Zhu 2020, "Contrastive Learning for Unpaired Image-to-Image Translation".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.data.augment import augment, check_changes
from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.adversarial import ADVERSARIAL_LOSSES
from jaxstyle.metrics.structural import psnr, ssim
from jaxstyle.models.patch_discriminator import PatchDiscriminator
from jaxstyle.models.residual_generator import ResidualGenerator
from jaxstyle.models.unet_generator import UNetGenerator
from jaxstyle.tasks.common import scaled
from jaxstyle.tasks.fake_pool import exchange
from jaxstyle.tasks.translate_config import Config, check
from jaxstyle.tasks.translate_networks import OTHER, Networks, Pictures, distance
from jaxstyle.training import step
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState, copied
from jaxstyle.training.task import Batch, Metrics, RunInfo

__all__ = ["Config", "Translate", "check", "fields", "make"]

FIELDS = {"a": "image", "b": "image_b"}
POOL, PATCHES = 2**31, 2**31 + 2  # what is folded into the step's key for these, beyond any example's place


def fields(config: Config) -> tuple[str, ...]:
    """Names of the example's fields that the task wants."""
    return tuple(FIELDS.values())


def make(config: Config, info: RunInfo) -> Translate:
    """Makes the task; raises `JaxstyleError` where the pictures' sizes do not suit, or each other."""
    model, shape = config.model, info.spec["image"].shape
    if info.spec["image_b"].shape != shape or shape[-1] != 3:
        raise JaxstyleError(
            f"pictures of the two domains are {shape} and {info.spec['image_b'].shape}; they must be of one size, in "
            "colour: choose it by data.size"
        )
    changes = dataclasses.asdict(config.augment)
    check_changes(changes, shape)
    discriminator = PatchDiscriminator(model.discriminator_width, model.halvings, jnp.dtype(config.dtype))
    crop = config.augment.crop
    discriminator.check((crop, crop, 3) if crop else shape)
    return Translate(
        networks=Networks(
            generator=make_generator(config),
            discriminator=discriminator,
            objective=ADVERSARIAL_LOSSES[model.objective],
            weights=config.loss,
            method=model.method,
            patches=model.patches,
        ),
        generator_optimizer=make_optimizer(config.optimizer, info.extent, info.steps, config.ema_decay),
        discriminator_optimizer=make_optimizer(
            config.discriminator_optimizer, info.extent, info.steps, name="discriminator_optimizer"
        ),
        shape=(crop or shape[0], crop or shape[1], 3),
        truth=config.data.pairs != "none",
        pool=model.pool,
        parts=model.discriminator_steps,
        clip_weights=model.clip_weights,
        changes=changes,
    )


def make_generator(config: Config) -> ResidualGenerator | UNetGenerator:
    """Makes the generator that a config names."""
    model, dtype = config.model, jnp.dtype(config.dtype)
    if model.generator == "unet":
        return UNetGenerator(model.generator_width, model.levels, dtype)
    return ResidualGenerator(width=model.generator_width, blocks=model.blocks, normed=model.normed, dtype=dtype)


@dataclasses.dataclass(frozen=True)
class Translate:
    """Pure functions of a translation's training.

    Attributes:
      networks: Generators and discriminators, and their losses.
      generator_optimizer: Of all generators together, with their moving average.
      discriminator_optimizer: Of all discriminators together.
      shape: Of training pictures, `(H, W, 3)`.
      truth: Whether an evaluation's pictures are pairs.
      pool: Older pictures of each domain that are kept; 0 keeps none.
      parts: Updates of the discriminators a step; they share the batch.
      clip_weights: Limit of the discriminators' parameters; 0 is none.
      changes: Of training pictures; options of `augment`.
    """

    networks: Networks
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    shape: tuple[int, ...]
    truth: bool = False
    pool: int = 50
    parts: int = 1
    clip_weights: float = 0.0
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def made(self) -> tuple[str, ...]:
        """Domains whose pictures are made: both, or `b` alone."""
        return self.networks.made

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step; the pools are filled by the first pictures."""
        made = self.networks.init(key, self.shape)
        optimizers = {"generator": self.generator_optimizer, "discriminator": self.discriminator_optimizer}
        moments = {name: optimizer.transform.init(made[name]) for name, optimizer in optimizers.items()}
        ema = {"generator": copied(made["generator"])} if self.generator_optimizer.ema_decay else None
        pools = {to: jnp.zeros((self.pool, *self.shape)) for to in self.made} if self.pool else {}
        return TrainState(jnp.int32(0), made, moments, ema, {"pool": pools})

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` and `image_b`, each `[N, H, W, 3]` uint8."""
        step_key = jax.random.fold_in(key, state.step)
        real = self.training_pictures(batch, step.example_keys(step_key, len(batch["image"])))

        def loss(params: Any) -> tuple[jax.Array, tuple[Metrics, Pictures]]:
            places = jax.random.fold_in(step_key, PATCHES)
            terms, fakes, _ = self.networks.generator_terms(params, state.params["discriminator"], real, places)
            means = {name: jnp.mean(term) for name, term in terms.items()}
            return means["loss"], (means, fakes)

        before, optimizer = state.params["generator"], self.generator_optimizer
        grads, (metrics, fakes) = jax.grad(loss, has_aux=True)(before)
        grads, metrics = lax.pmean((grads, metrics), step.AXIS)
        params, moments = optimizer.update(before, state.optimizer["generator"], grads, state.step)
        rate = jnp.asarray(optimizer.schedule(state.step), jnp.float32)
        metrics |= {"generator_gradient": step.norm(grads), "learning_rate": rate}
        seen, pools = self.exchanged(state, fakes, step_key)
        for number in range(self.parts):
            few = jax.tree.map(lambda leaf, first=number: leaf[first :: self.parts], (real, seen))
            state, more = self.update_discriminators(state, *few)
        moved = state.replace(
            step=state.step + 1,
            params={**state.params, "generator": params},
            optimizer={**state.optimizer, "generator": moments},
            ema=state.ema and {"generator": optimizer.averaged(state.ema["generator"], params, state.step)},
            collections={"pool": pools},
        )
        return moved, {**metrics, **more}

    def training_pictures(self, batch: Batch, keys: jax.Array) -> dict[str, jax.Array]:
        """Augmented pictures of both domains in [0, 1]; of pairs, both alike, else each by a key of its own."""
        if self.networks.paired:
            both = jnp.concatenate([batch[name] for name in FIELDS.values()], -1)
            changed = scaled(augment(both, keys, **self.changes))
            return {"a": changed[..., :3], "b": changed[..., 3:]}
        own = jax.vmap(jax.random.split, out_axes=1)(keys)
        return {
            domain: scaled(augment(batch[name], one, **self.changes))
            for one, (domain, name) in zip(own, FIELDS.items(), strict=True)
        }

    def exchanged(self, state: TrainState, fakes: Pictures, key: jax.Array) -> tuple[Pictures, dict[str, jax.Array]]:
        """Translations for the discriminators to see, some of them older ones, and the pools after the step."""
        seen, pools = dict(fakes), {}
        for number, to in enumerate(self.made if self.pool else ()):
            own = jax.random.fold_in(key, POOL + number)
            seen[to], pools[to] = exchange(state.collections["pool"][to], fakes[to], own, state.step)
        return seen, pools

    def update_discriminators(self, state: TrainState, real: Pictures, seen: Pictures) -> tuple[TrainState, Metrics]:
        """The state after an update of all discriminators, and its metrics."""
        before = state.params["discriminator"]
        loss = partial(self.networks.discriminator_loss, real=real, seen=seen)
        grads, (value, metrics) = step.gradients(loss, before)
        optimizer = self.discriminator_optimizer
        params, moments = optimizer.update(before, state.optimizer["discriminator"], grads, state.step)
        if most := self.clip_weights:
            params = jax.tree.map(lambda leaf: jnp.clip(leaf, -most, most), params)
        state = state.replace(
            params={**state.params, "discriminator": params},
            optimizer={**state.optimizer, "discriminator": moments},
        )
        return state, {"discriminator_loss": value, "discriminator_gradient": step.norm(grads), **metrics}

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """The generators' losses `[N]`, and scores of translations.

        `noisy_cycle_a` is `cycle_a`, the error of pictures of `a` that were translated to `b` and back, after the
        translation was rounded to 8 bits and given noise of one level's standard deviation: what is hidden there does
        not survive (Chu, Zhmoginov & Sandler 2017, "CycleGAN, a Master of Steganography"). Of pairs, `psnr_b` and
        `ssim_b` compare translations to `b` with the true ones; `psnr_untranslated` the pictures as they are.
        """
        real = {domain: scaled(batch[name]) for domain, name in FIELDS.items()}
        params = state.best_params["generator"]
        discriminators, places = state.params["discriminator"], jax.random.key(0)
        metrics, fakes, back = self.networks.generator_terms(params, discriminators, real, places)
        noise = jax.vmap(lambda key: jax.random.normal(key, real["a"].shape[1:]))(keys)
        for to in back:
            noisy = jnp.clip((jnp.round(255 * fakes[OTHER[to]]) + noise) / 255, 0, 1)
            metrics[f"noisy_cycle_{to}"] = distance(self.networks.generate(params[to], noisy), real[to])
        if self.truth:
            compared = {**{to: (fakes[to], real[to]) for to in fakes}, "untranslated": (real["a"], real["b"])}
            for name, pair in compared.items():
                metrics |= {f"psnr_{name}": psnr(*pair), f"ssim_{name}": ssim(*pair)}
        return metrics

    def translator(self, state: TrainState, to: str) -> tuple[Any, Any]:
        """The network that makes pictures of domain `to`, one of `made`, and its parameters."""
        return self.networks.generator, state.best_params["generator"][to]

    def translate(self, state: TrainState, pictures: jax.Array, to: str) -> jax.Array:
        """Translates pictures `[N, H, W, 3]` in [0, 1] to domain `to`, one of `made`."""
        return self.networks.generate(self.translator(state, to)[1], pictures)

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Rows of four each way: a picture, its translation, that translated back, and one of the other domain.

        Of pairs the last is the true translation; without a way back the third is the second again.
        """
        count = next(n for n in (16, 4, 1) if n <= len(batch["image"]))
        real = {domain: scaled(batch[name][:count]) for domain, name in FIELDS.items()}
        rows = {}
        for to in self.made:
            source = OTHER[to]
            fakes = self.translate(state, real[source], to)
            back = self.translate(state, fakes, source) if self.networks.cycles else fakes
            strips = jnp.stack([real[source], fakes, back, real[to]], 1)
            rows[f"to_{to}"] = strips.reshape(-1, *strips.shape[2:])
        return rows
