"""The two players of a GAN's game: what each is given, what it makes of it, and what it loses."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxstyle.losses.adversarial import AdversarialLoss, gradient_penalty, r1_penalty
from jaxstyle.ops import spectral_norm
from jaxstyle.ops.conditioning import sample_codes
from jaxstyle.ops.diff_augment import diff_augment
from jaxstyle.training import step
from jaxstyle.training.task import Metrics

LATENTS, REAL, FAKE, MIX = range(4)  # what an example's randomness is for


class Hand(NamedTuple):
    """What one update is given.

    Attributes:
      images: `[N, H, W, C]` in [-1, 1], real.
      labels: `[N]`, of the real pictures and of those to generate, or codes of the latter; None without either.
      keys: `[N]`.
    """

    images: jax.Array
    labels: jax.Array | None
    keys: jax.Array

    def every(self, stride: int, first: int = 0) -> Hand:
        """Every so many-th example: the same ones of the global batch, however many devices share it."""
        return jax.tree.map(lambda leaf: leaf[first::stride], self)

    def own(self, purpose: int) -> jax.Array:
        """`[N]` keys for one purpose."""
        return jax.vmap(lambda key: jax.random.fold_in(key, purpose))(self.keys)


@dataclasses.dataclass(frozen=True)
class Players:
    """Two networks and the rules between them; `gan_config.defaults()` tells what the rules mean.

    Attributes:
      generator: (noise `[N, Z]`, labels, train) -> pictures in (-1, 1).
      discriminator: (pictures, labels, train) -> logits `[N]`.
      objective: What each makes small.
    """

    generator: Any
    discriminator: Any
    objective: AdversarialLoss
    latents: int
    codes: int
    information: float
    spectral_norm: bool
    r1: float
    gradient_penalty: float
    penalty_every: int
    augment: tuple[str, ...]

    def noise(self, keys: jax.Array) -> jax.Array:
        """Normal noise `[N, Z]` of keys `[N]`."""
        return jax.vmap(lambda key: jax.random.normal(key, (self.latents,)))(keys)

    def deal(self, images: jax.Array, labels: jax.Array | None, keys: jax.Array) -> Hand:
        """A hand of images `[N, H, W, C]`, their labels `[N]` where there are classes, and keys `[N]`.

        Codes are as likely as each other in training, so that none is lost before it means something.
        """
        hand = Hand(images, labels, keys)
        if not self.codes:
            return hand
        return hand._replace(labels=sample_codes(self.noise(hand.own(LATENTS)), self.equal_shares()))

    def equal_shares(self) -> jax.Array:
        """`[codes]`, of sum 1."""
        return jnp.full(self.codes, 1 / self.codes)

    def generate(self, params: Any, hand: Hand) -> tuple[jax.Array, Any]:
        """Pictures for a hand's keys and labels, and their batch statistics; inside the devices' axis."""
        noise = self.noise(hand.own(LATENTS))
        images, seen = self.generator.apply({"params": params}, noise, hand.labels, True, mutable=["batch_stats"])
        return images, seen.get("batch_stats", {})

    def judge(self, params: Any, vectors: Any, images: jax.Array, labels: jax.Array | None) -> tuple[jax.Array, Any]:
        """Logits `[N]`, and the collections of what was seen: batch statistics and guesses of codes, where there are
        any; `vectors` are spectral normalisation's. Inside the devices' axis."""
        if self.spectral_norm:
            params = spectral_norm.normalize(params, vectors)
        return self.discriminator.apply({"params": params}, images, labels, True, mutable=["batch_stats", "codes"])

    def judge_fake(self, params: Any, vectors: Any, hand: Hand, fake: jax.Array) -> tuple[jax.Array, Metrics]:
        """Logits `[N]` of fakes; with codes also the `information` that pictures have of theirs, nats, at most the
        logarithm of their number: a lower bound, as sharp as they are guessed (InfoGAN, eq. 5)."""
        logits, seen = self.judge(params, vectors, self.augmented(fake, hand, FAKE), hand.labels)
        if not self.codes:
            return logits, {}
        (guess,) = jax.tree.leaves(seen["codes"])
        missed = optax.softmax_cross_entropy_with_integer_labels(guess, hand.labels)
        return logits, {"information": math.log(self.codes) - jnp.mean(missed)}

    def pleased(self, logits: jax.Array, informed: Metrics) -> jax.Array:
        """The generator's mean loss of fakes' logits `[N]`, less what information is worth."""
        return jnp.mean(self.objective.generator(logits)) - self.worth(informed)

    def worth(self, informed: Metrics) -> jax.Array | float:
        """By how much information lowers the loss of either player."""
        return self.information * informed["information"] if informed else 0.0

    def augmented(self, images: jax.Array, hand: Hand, purpose: int) -> jax.Array:
        """What the discriminator sees in place of pictures."""
        return diff_augment(images, hand.own(purpose), self.augment) if self.augment else images

    def generator_loss(self, params: Any, vectors: Any, hand: Hand, fake: jax.Array) -> jax.Array:
        """The generator's mean loss by the discriminator's parameters."""
        return self.pleased(*self.judge_fake(params, vectors, hand, fake))

    def discriminator_loss(self, params: Any, vectors: Any, hand: Hand, fake: jax.Array) -> tuple[jax.Array, Any]:
        """The discriminator's mean loss, and (metrics, what it saw of real pictures, the generator's loss).

        That is its batch statistics as `discriminator` and, with codes, their shares of real pictures as `codes`.
        """
        real_logits, seen = self.judge(params, vectors, self.augmented(hand.images, hand, REAL), hand.labels)
        fake_logits, informed = self.judge_fake(params, vectors, hand, fake)
        terms = self.penalties(params, vectors, hand, lax.stop_gradient(fake))
        loss = jnp.mean(self.objective.discriminator(real_logits, fake_logits)) - self.worth(informed)
        for name, term in terms.items():
            loss += getattr(self, name) * term
        logits = {"real_logit": jnp.mean(real_logits), "fake_logit": jnp.mean(fake_logits)}
        metrics = {"loss": loss, **logits, **informed, **terms}
        statistics = {"discriminator": seen.get("batch_stats", {}), **self.shares(seen)}
        return loss, (metrics, statistics, self.pleased(fake_logits, informed))

    def shares(self, seen: Any) -> dict[str, Any]:
        """How often each code is guessed for real pictures, by what was seen of them; empty without codes.

        Codes chosen as likely as each other paint a kind too often that has too many of them. With these shares they
        are a mixture's components, weighted as in the M step of expectation maximisation (Dempster, Laird & Rubin
        1977): ones were 15 % of painted digits before, and 11 % then, as of real ones. Inside the devices' axis.
        """
        if not self.codes:
            return {}
        (guess,) = jax.tree.leaves(seen["codes"])
        return {"codes": {"shares": lax.pmean(jnp.mean(lax.stop_gradient(jax.nn.softmax(guess)), 0), step.AXIS)}}

    def penalties(self, params: Any, vectors: Any, hand: Hand, fake: jax.Array) -> Metrics:
        """The penalties that have a weight, each the mean over every `penalty_every`-th example.

        In expectation, and in time, that is StyleGAN 2's "lazy" penalty (Karras et al. 2020, section 3.1), every so
        many-th step with so many times the weight; but all steps are alike, and nothing is inside a branch.
        """
        few = hand.every(self.penalty_every)

        def discriminate(images: jax.Array) -> jax.Array:
            return self.judge(params, vectors, self.augmented(images, few, REAL), few.labels)[0]

        terms = {}
        if self.r1:
            terms["r1"] = jnp.mean(r1_penalty(discriminate, few.images))
        if self.gradient_penalty:
            mix = jax.vmap(jax.random.uniform)(few.own(MIX))
            terms["gradient_penalty"] = jnp.mean(
                gradient_penalty(discriminate, few.images, fake[:: self.penalty_every], mix)
            )
        return terms


def great_circle(start: jax.Array, end: jax.Array, shares: jax.Array) -> jax.Array:
    """From one noise to another by way of noise as long as they are (White 2016, "Sampling Generative Networks").

    Args:
      start: `[Z]`.
      end: `[Z]`.
      shares: `[K]` in [0, 1], of the way.

    Returns:
      `[K, Z]`.
    """
    cosine = jnp.vdot(start, end) / (jnp.linalg.norm(start) * jnp.linalg.norm(end))
    angle = jnp.arccos(jnp.clip(cosine, -1 + 1e-6, 1 - 1e-6))
    weights = jnp.sin(jnp.stack([1 - shares, shares], -1) * angle) / jnp.sin(angle)
    return weights @ jnp.stack([start, end])
