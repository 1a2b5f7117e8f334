"""How the autoencoders see pictures: grey levels or fresh binary draws, and under which likelihood."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.losses.variational import LIKELIHOODS
from jaxstyle.tasks.common import scaled
from jaxstyle.training.config import unused

BINARIZE = ("none", "dynamic")


@dataclasses.dataclass(frozen=True)
class Observation:
    """What is taken for data, and its likelihood.

    Attributes:
      likelihood: Name in `jaxstyle.losses.variational.LIKELIHOODS`.
      binarize: "none": grey levels; "dynamic": every look at a picture draws each pixel from a Bernoulli distribution
        with its grey level as mean (Burda et al. 2016).

    Raises:
      JaxstyleError: An unknown name.
    """

    likelihood: str = "bernoulli"
    binarize: str = "none"

    def __post_init__(self) -> None:
        for name, known in (("likelihood", tuple(LIKELIHOODS)), ("binarize", BINARIZE)):
            given = getattr(self, name)
            if given not in known:
                raise JaxstyleError(f"unknown model.{name} {given!r}; {did_you_mean(given, known)}")

    @property
    def scaled(self) -> bool:
        """Whether the likelihood has a scale to learn."""
        return self.likelihood != "bernoulli"

    def see(self, images: jax.Array, keys: jax.Array) -> jax.Array:
        """Pictures `[N, H, W, C]` float32 in [0, 1] of `images` `[N, H, W, C]` uint8 and their keys `[N]`."""
        pictures = scaled(images)
        if self.binarize == "none":
            return pictures
        return jax.vmap(jax.random.bernoulli)(keys, pictures).astype(jnp.float32)

    def log_likelihood(self, decoded: tuple[jax.Array, jax.Array], pictures: jax.Array) -> jax.Array:
        """`[N]` nats, of a decoder's (logits, log scale) and pictures `[N, H, W, C]`."""
        return LIKELIHOODS[self.likelihood](*decoded, pictures)


def observation(config: Any) -> Observation:
    """How a config wants pictures seen.

    Raises:
      JaxstyleError: A name is unknown, a layer has no channels, or a setting is given that autoencoders do not have.
    """
    unused(config, "augment.pad", "augment.flip")
    if not config.model.widths or min(config.model.widths) < 1:
        raise JaxstyleError("model.widths must be channels of at least one layer, each at least 1")
    return Observation(config.model.likelihood, config.model.binarize)
