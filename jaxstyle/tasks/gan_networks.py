"""The two networks of a GAN, and their losses on a minibatch."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxstyle.losses.adversarial import AdversarialLoss, gradient_penalty, logits_and_penalties, r1_penalty
from jaxstyle.ops import spectral_norm
from jaxstyle.ops.adaptive_augment import adaptive_augment
from jaxstyle.ops.conditioning import sample_codes
from jaxstyle.ops.diff_augment import diff_augment
from jaxstyle.training import step
from jaxstyle.training.task import Metrics

LATENTS, REAL, FAKE, MIX, PENALTY, ADAPTIVE = range(6)  # uses of an example's randomness


class Minibatch(NamedTuple):
    """The examples of one update.

    Attributes:
      images: `[N, H, W, C]` in [-1, 1], real.
      labels: `[N]`, of the real pictures and of those to generate, or codes of the latter; None without either.
      keys: `[N]`.
      strength: `[N]`, probability of each map of adaptive augmentation; None without.
    """

    images: jax.Array
    labels: jax.Array | None
    keys: jax.Array
    strength: jax.Array | None = None

    def every(self, stride: int, first: int = 0) -> Minibatch:
        """Every so many-th example: the same ones of the global batch, however many devices share it."""
        return jax.tree.map(lambda leaf: leaf[first::stride], self)

    def keys_for(self, use: int) -> jax.Array:
        """`[N]` keys for one use, such as `LATENTS`."""
        return jax.vmap(lambda key: jax.random.fold_in(key, use))(self.keys)


@dataclasses.dataclass(frozen=True)
class Networks:
    """Generator and discriminator, and the terms of their losses.

    Attributes:
      generator: (noise `[N, Z]`, labels, train) -> pictures; values beyond [-1, 1] are clipped when they are shown.
      discriminator: (pictures, labels, train) -> logits `[N]`.
      objective: The adversarial loss of each.
      latents: Z.
      codes: See `gan_config.ModelConfig`, as for all that follow.
    """

    generator: Any
    discriminator: Any
    objective: AdversarialLoss
    latents: int
    codes: int
    information: float
    spectral_norm: bool
    r1: float
    r2: float
    gradient_penalty: float
    penalty_every: int
    augment: tuple[str, ...]
    adaptive: float
    adaptive_examples: int

    def noise(self, keys: jax.Array) -> jax.Array:
        """Normal noise `[N, Z]` of keys `[N]`."""
        return jax.vmap(lambda key: jax.random.normal(key, (self.latents,)))(keys)

    def minibatch(self, images: jax.Array, labels: jax.Array | None, keys: jax.Array) -> Minibatch:
        """A minibatch of images `[N, H, W, C]`, their labels `[N]` where there are classes, and keys `[N]`.

        With codes these are its labels: the codes of the noise that its keys draw. In training all codes are equally
        likely, so that none is lost before it means something.
        """
        batch = Minibatch(images, labels, keys)
        if not self.codes:
            return batch
        return batch._replace(labels=sample_codes(self.noise(batch.keys_for(LATENTS)), self.equal_shares()))

    def equal_shares(self) -> jax.Array:
        """`[codes]`, of sum 1."""
        return jnp.full(self.codes, 1 / self.codes)

    def generate(self, params: Any, batch: Minibatch) -> tuple[jax.Array, Any]:
        """Generated pictures for a minibatch's keys and labels, and batch statistics; inside the devices' axis."""
        noise = self.noise(batch.keys_for(LATENTS))
        images, collections = self.generator.apply(
            {"params": params}, noise, batch.labels, True, mutable=["batch_stats"]
        )
        return images, collections.get("batch_stats", {})

    def discriminate(
        self, params: Any, vectors: Any, images: jax.Array, labels: jax.Array | None
    ) -> tuple[jax.Array, Any]:
        """The discriminator's output, inside the devices' axis.

        Args:
          params: Of the discriminator.
          vectors: Of spectral normalisation's power iteration.
          images: `[N, H, W, C]` in [-1, 1].
          labels: `[N]` or None.

        Returns:
          Logits `[N]`, and collections: `batch_stats`, and of `codes` the logits `[N, codes]`, where there are any.
        """
        if self.spectral_norm:
            params = spectral_norm.normalize(params, vectors)
        return self.discriminator.apply({"params": params}, images, labels, True, mutable=["batch_stats", "codes"])

    def discriminate_fake(
        self, params: Any, vectors: Any, batch: Minibatch, fake: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        """Logits `[N]` of generated pictures and, with codes, the mutual `information` of pictures and their codes.

        That is InfoGAN's lower bound (Chen et al. 2016, eq. 5) in nats, at most the logarithm of the number of codes.
        """
        logits, collections = self.discriminate(params, vectors, self.augmented(fake, batch, FAKE), batch.labels)
        return logits, self.information_of(collections, batch)

    def information_of(self, collections: Any, batch: Minibatch) -> Metrics:
        """The `information` of generated pictures by the discriminator's collections; empty without codes."""
        if not self.codes:
            return {}
        (guess,) = jax.tree.leaves(collections["codes"])
        missed = optax.softmax_cross_entropy_with_integer_labels(guess, batch.labels)
        return {"information": math.log(self.codes) - jnp.mean(missed)}

    def generator_term(self, fake: jax.Array, real: jax.Array | None, information: Metrics) -> jax.Array:
        """The generator's mean loss by logits `[N]` of generated and real pictures, less the weighted information."""
        logits = (fake, real) if self.objective.paired else (fake,)
        return jnp.mean(self.objective.generator(*logits)) - self.information_term(information)

    def information_term(self, information: Metrics) -> jax.Array | float:
        """The weighted information, which is subtracted from both networks' losses; 0 without codes."""
        return self.information * information["information"] if information else 0.0

    def augmented(self, images: jax.Array, batch: Minibatch, use: int) -> jax.Array:
        """Pictures as the discriminator gets them, by differentiable augmentation if there is any."""
        if self.augment:
            images = diff_augment(images, batch.keys_for(use), self.augment)
        if batch.strength is None:
            return images
        return adaptive_augment(images, batch.keys_for(ADAPTIVE + use), batch.strength)

    def generator_penalty(self, params: Any, batch: Minibatch, memory: Any) -> tuple[jax.Array, tuple[Any, Metrics]]:
        """The penalty that the generator's module declares, of every `penalty_every`-th example."""
        few = batch.every(self.penalty_every)
        noise, keys = self.noise(few.keys_for(LATENTS)), few.keys_for(PENALTY)
        return self.generator.penalty(params, noise, few.labels, keys, memory)

    def generator_loss(self, params: Any, vectors: Any, batch: Minibatch, fake: jax.Array) -> jax.Array:
        """The generator's mean loss by the discriminator's parameters."""
        logits, information = self.discriminate_fake(params, vectors, batch, fake)
        real = self.discriminate_real(params, vectors, batch)[0] if self.objective.paired else None
        return self.generator_term(logits, real, information)

    def discriminate_real(self, params: Any, vectors: Any, batch: Minibatch) -> tuple[jax.Array, Any]:
        """Logits `[N]` of a minibatch's real pictures, and collections."""
        return self.discriminate(params, vectors, self.augmented(batch.images, batch, REAL), batch.labels)

    def discriminator_loss(
        self, params: Any, vectors: Any, batch: Minibatch, fake: jax.Array, share: jax.Array | float = 1.0
    ) -> tuple[jax.Array, tuple[Metrics, Any, jax.Array]]:
        """The discriminator's mean loss, inside the devices' axis.

        Args:
          params: Of the discriminator.
          vectors: Of spectral normalisation.
          batch: The minibatch.
          fake: `[N, H, W, C]`, generated for it.
          share: Of the penalties' weights.

        Returns:
          The loss, and (metrics, statistics of the real pictures, the generator's loss). Statistics are those of batch
          normalisation as `discriminator` and, with codes, `code_shares`.
        """
        if self.r2:
            real_logits, fake_logits, collections, information, terms = self.joint_scores(params, vectors, batch, fake)
        else:
            real_logits, collections = self.discriminate_real(params, vectors, batch)
            fake_logits, information = self.discriminate_fake(params, vectors, batch, fake)
            terms = self.penalties(params, vectors, batch, lax.stop_gradient(fake))
        loss = jnp.mean(self.objective.discriminator(real_logits, fake_logits)) - self.information_term(information)
        for name, term in terms.items():
            loss += getattr(self, name) * share * term
        logits = {"real_logit": jnp.mean(real_logits), "fake_logit": jnp.mean(fake_logits)}
        metrics = {"loss": loss, **logits, **information, **terms}
        if self.adaptive:
            sure = real_logits - fake_logits if self.objective.paired else real_logits
            metrics["real_sign"] = jnp.mean(jnp.sign(sure))
        statistics = {"discriminator": collections.get("batch_stats", {}), **self.code_shares(collections)}
        return loss, (metrics, statistics, self.generator_term(fake_logits, real_logits, information))

    def joint_scores(
        self, params: Any, vectors: Any, batch: Minibatch, fake: jax.Array
    ) -> tuple[jax.Array, jax.Array, Any, Metrics, Metrics]:
        """Scores of real and generated pictures with R1 and R2 at each of them, by one pullback.

        Real pictures and generated ones are two batches, for networks that look at a whole one, such as StyleGAN 2's.

        Returns:
          Logits `[N]` of real pictures and of generated ones, the collections of the former, the information of the
          latter, and the penalties that have a weight.
        """
        count = len(fake)

        def discriminate(images: jax.Array) -> tuple[jax.Array, Any]:
            halves = zip((images[:count], images[count:]), (REAL, FAKE), strict=True)
            seen = (self.augmented(half, batch, use) for half, use in halves)
            logits, found = zip(*(self.discriminate(params, vectors, x, batch.labels) for x in seen), strict=True)
            return jnp.concatenate(logits), found

        logits, halves, (real, generated) = logits_and_penalties(discriminate, jnp.concatenate([batch.images, fake]))
        terms = {"r1": jnp.mean(halves[:count]), "r2": jnp.mean(halves[count:])}
        terms = {name: term for name, term in terms.items() if getattr(self, name)}
        terms |= self.penalties(params, vectors, batch, lax.stop_gradient(fake))
        return logits[:count], logits[count:], real, self.information_of(generated, batch), terms

    def code_shares(self, collections: Any) -> dict[str, Any]:
        """The mean probability of each code among real pictures, `{"codes": {"shares": [codes]}}`; empty without codes.

        Training draws all codes equally often, but real pictures are not spread evenly over them, so equal shares
        would generate rare kinds of pictures too often. Samples are therefore drawn by these shares: the weights of a
        mixture, as in the M step of expectation maximisation (Dempster, Laird & Rubin 1977). Of generated digits, 15 %
        were ones with equal shares and 11 % with these, as of real digits. Inside the devices' axis.

        Args:
          collections: The discriminator's collections for real pictures.
        """
        if not self.codes:
            return {}
        (guess,) = jax.tree.leaves(collections["codes"])
        return {"codes": {"shares": lax.pmean(jnp.mean(lax.stop_gradient(jax.nn.softmax(guess)), 0), step.AXIS)}}

    def penalties(self, params: Any, vectors: Any, batch: Minibatch, fake: jax.Array) -> Metrics:
        """The penalties that have a weight, each the mean over every `penalty_every`-th example.

        In expectation, and in time, that is StyleGAN 2's "lazy" penalty (Karras et al. 2020, section 3.1), every so
        many-th step with so many times the weight; but all steps are alike, and nothing is inside a branch.
        """
        few = batch.every(self.penalty_every)

        def discriminate(images: jax.Array) -> jax.Array:
            return self.discriminate(params, vectors, self.augmented(images, few, REAL), few.labels)[0]

        terms = {}
        if self.r1 and not self.r2:
            terms["r1"] = jnp.mean(r1_penalty(discriminate, few.images))
        if self.gradient_penalty:
            mix = jax.vmap(jax.random.uniform)(few.keys_for(MIX))
            terms["gradient_penalty"] = jnp.mean(
                gradient_penalty(discriminate, few.images, fake[:: self.penalty_every], mix)
            )
        return terms


def great_circle(start: jax.Array, end: jax.Array, shares: jax.Array) -> jax.Array:
    """Spherical interpolation between two noise vectors (White 2016, "Sampling Generative Networks").

    Args:
      start: `[Z]`.
      end: `[Z]`.
      shares: `[K]` in [0, 1], from `start` to `end`.

    Returns:
      `[K, Z]`.
    """
    cosine = jnp.vdot(start, end) / (jnp.linalg.norm(start) * jnp.linalg.norm(end))
    angle = jnp.arccos(jnp.clip(cosine, -1 + 1e-6, 1 - 1e-6))
    weights = jnp.sin(jnp.stack([1 - shares, shares], -1) * angle) / jnp.sin(angle)
    return weights @ jnp.stack([start, end])


def centered(images: jax.Array) -> jax.Array:
    """Pixels 0..255 uint8 as float32 in [-1, 1]."""
    return images.astype(jnp.float32) / 127.5 - 1
