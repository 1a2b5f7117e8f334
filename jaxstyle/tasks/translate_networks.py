"""The networks of a translation between two domains, and their losses.

Networks are named after the domain whose pictures they make or judge, `a` or `b`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle.losses.adversarial import AdversarialLoss
from jaxstyle.losses.contrastive import patch_contrast
from jaxstyle.models.patch_projection import PatchProjection
from jaxstyle.tasks.translate_config import LossConfig
from jaxstyle.training.task import Metrics

OTHER = {"a": "b", "b": "a"}

Pictures = Mapping[str, jax.Array]
"""Domain -> pictures `[N, H, W, 3]` in [0, 1]."""


@dataclasses.dataclass(frozen=True)
class Networks:
    """Generators and discriminators, and the terms of their losses.

    Attributes:
      generator: Pictures in [0, 1] -> pictures likewise.
      discriminator: Pictures in [-1, 1], of pairs beside those they are made of -> logits of patches.
      objective: The adversarial loss of each.
      weights: Of the generators' losses.
      method: See `ModelConfig.method`.
      patches: Likewise.
    """

    generator: Any
    discriminator: Any
    objective: AdversarialLoss
    weights: LossConfig
    method: str = "cycle"
    patches: int = 256

    @property
    def made(self) -> tuple[str, ...]:
        """Domains whose pictures are made: both, or `b` alone."""
        return ("a", "b") if self.cycles else ("b",)

    @property
    def cycles(self) -> bool:
        """True where pictures are translated both ways."""
        return self.method == "cycle"

    @property
    def paired(self) -> bool:
        """True where the pictures are pairs."""
        return self.method == "paired"

    @property
    def contrasts(self) -> bool:
        """True where places of pictures and of their translations are compared."""
        return self.method == "contrastive"

    def init(self, key: jax.Array, shape: tuple[int, ...]) -> dict[str, Any]:
        """The first parameters, for pictures `(H, W, 3)`: those of each `generator` and of each `discriminator`."""
        picture, keys = jnp.zeros((1, *shape)), [jax.random.fold_in(key, i) for i in range(4)]
        seen = jnp.concatenate([picture, picture], -1) if self.paired else picture
        params = {
            "generator": {
                to: self.generator.init(keys[i], picture, jnp.ones((1, 1)))["params"] for i, to in enumerate(self.made)
            },
            "discriminator": {
                to: self.discriminator.init(keys[2 + i], seen)["params"] for i, to in enumerate(self.made)
            },
        }
        if self.contrasts:
            layers = [x.reshape(1, -1, x.shape[-1]) for x in self.encode(params["generator"]["b"], picture)]
            params["generator"]["projection"] = PatchProjection().init(keys[1], layers)["params"]
        return params

    def generate(self, params: Any, pictures: jax.Array) -> jax.Array:
        """Translates pictures `[N, H, W, 3]` in [0, 1] by a generator's parameters."""
        return self.generator.apply({"params": params}, pictures, jnp.ones((len(pictures), 1)))

    def encode(self, params: Any, pictures: jax.Array) -> list[jax.Array]:
        """Features of pictures by a generator's parameters; see `ResidualGenerator.encoded`."""
        return self.generator.apply({"params": params}, pictures, method="encoded")

    def contrastive_term(self, params: Any, pictures: jax.Array, made: jax.Array, key: jax.Array) -> jax.Array:
        """The contrastive loss `[N]` of pictures and of what is made of them, over random places and all layers."""
        found: list[jax.Array] = []
        for x in self.encode(params["b"], jnp.concatenate([made, pictures])):
            count = x.shape[1] * x.shape[2]
            places = jax.random.permutation(jax.random.fold_in(key, len(found)), count)[: self.patches]
            found.append(x.reshape(len(x), count, -1)[:, places])
        vectors: Any = PatchProjection().apply({"params": params["projection"]}, found)
        return jnp.mean(jnp.stack([patch_contrast(*jnp.split(x, 2)) for x in vectors]), 0)

    def logits(self, params: Any, pictures: jax.Array, sources: jax.Array) -> jax.Array:
        """A discriminator's logits of patches `[N, h, w]` of pictures; of pairs, beside those they are made of."""
        seen = jnp.concatenate([sources, pictures], -1) if self.paired else pictures
        return self.discriminator.apply({"params": params}, 2 * seen - 1)

    def generator_terms(
        self, params: Any, discriminators: Any, real: Pictures, key: jax.Array
    ) -> tuple[Metrics, dict[str, jax.Array], dict[str, jax.Array]]:
        """The losses of the generators on pictures of both domains.

        A generator's passes for a translation and for the identity are one.

        Args:
          params: Of the generators.
          discriminators: Parameters of the discriminators.
          real: Pictures of both domains.
          key: Of the places that a contrastive loss compares, the same for all pictures.

        Returns:
          Terms `[N]`, among them the weighted sum `loss`; the translations; and these translated back, without pairs.
        """
        weights, count = self.weights, len(real["b"])
        asks = self.contrasts or (self.cycles and weights.identity)
        terms: Metrics = {}
        fakes, same, back = {}, {}, {}
        for to in self.made:
            source = real[OTHER[to]]
            both = self.generate(params[to], jnp.concatenate([source, real[to]]) if asks else source)
            fakes[to], same[to] = both[:count], both[count:]
        total: Any = 0.0
        for to in self.made:
            found = {"adversarial": self.adversarial_term(discriminators[to], fakes[to], real[OTHER[to]])}
            if self.cycles:
                back[to] = self.generate(params[to], fakes[OTHER[to]])
                found["cycle"] = distance(back[to], real[to])
            elif self.paired:
                found["pixels"] = distance(fakes[to], real[to])
            else:
                sources, made = jnp.concatenate([real["a"], real[to]]), jnp.concatenate([fakes[to], same[to]])
                contrast = self.contrastive_term(params, sources, made, key)
                found["contrastive"] = jnp.mean(contrast.reshape(2, count), 0)
            if asks and self.cycles:
                found["identity"] = distance(same[to], real[to])
            total += sum(getattr(weights, name) * term for name, term in found.items())
            terms |= {f"{name}_{to}": term for name, term in found.items()}
        return {"loss": total, **terms}, fakes, back

    def adversarial_term(self, params: Any, fakes: jax.Array, sources: jax.Array) -> jax.Array:
        """The adversarial loss `[N]` of a generator by a discriminator's parameters."""
        return jnp.mean(self.objective.generator(self.logits(params, fakes, sources)), (1, 2))

    def discriminator_loss(self, params: Any, real: Pictures, seen: Pictures) -> tuple[jax.Array, Metrics]:
        """The mean loss of the discriminators together on real pictures and translations `seen`, and mean logits.

        A discriminator's passes for real and for translated pictures are one.
        """
        total, metrics = jnp.zeros(()), Metrics()
        for to in self.made:
            both, sources = jnp.concatenate([real[to], seen[to]]), real[OTHER[to]]
            logits = self.logits(params[to], both, jnp.concatenate([sources, sources]))
            right, wrong = jnp.split(logits, 2)
            total += jnp.mean(self.objective.discriminator(right, wrong))
            metrics |= {f"real_logit_{to}": jnp.mean(right), f"fake_logit_{to}": jnp.mean(wrong)}
        return total, metrics


def distance(pictures: jax.Array, others: jax.Array) -> jax.Array:
    """Mean absolute differences `[N]` of pictures in [0, 1], in the units of [-1, 1]."""
    return 2 * jnp.mean(jnp.abs(pictures - others), (1, 2, 3))
