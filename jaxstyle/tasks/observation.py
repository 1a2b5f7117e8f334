"""The data of autoencoders: grey levels or fresh binary draws of pictures, and their likelihood."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.variational import LIKELIHOODS
from jaxstyle.runtime.settings import named
from jaxstyle.tasks.common import scaled
from jaxstyle.training.config import TrainingConfig, one_of, unused

BINARIZE = ("none", "dynamic")


@dataclasses.dataclass(frozen=True)
class AutoencoderModelConfig:
    """The fields of `model` that all autoencoders have."""

    widths: tuple[int, ...] = (32, 64)  # channels; each layer halves the sides
    likelihood: str = "bernoulli"  # or gaussian, discretized_logistic
    binarize: str = "none"  # or dynamic


@dataclasses.dataclass(frozen=True)
class Observation:
    """A likelihood and the data that it is of.

    Attributes:
      likelihood: Name in `jaxstyle.losses.variational.LIKELIHOODS`.
      binarize: "none": grey levels; "dynamic": each pixel is drawn anew, every time, from a Bernoulli distribution
        with its grey level as mean (Burda et al. 2016).
    """

    likelihood: str = "bernoulli"
    binarize: str = "none"

    @property
    def learned_scale(self) -> bool:
        """True where the likelihood has a scale to learn."""
        return self.likelihood != "bernoulli"

    def draw(self, images: jax.Array, keys: jax.Array) -> jax.Array:
        """Pictures `[N, H, W, C]` float32 in [0, 1] of `images` `[N, H, W, C]` uint8 and their keys `[N]`."""
        pictures = scaled(images)
        if self.binarize == "none":
            return pictures
        return jax.vmap(jax.random.bernoulli)(keys, pictures).astype(jnp.float32)

    def log_likelihood(self, decoded: tuple[jax.Array, jax.Array], pictures: jax.Array) -> jax.Array:
        """`[N]` nats, of a decoder's (logits, log scale) and pictures `[N, H, W, C]`."""
        return LIKELIHOODS[self.likelihood](*decoded, pictures)


def check_autoencoder(config: TrainingConfig, model: AutoencoderModelConfig) -> None:
    """Raises `JaxstyleError` for an unknown name, a layer without channels, or a field that no autoencoder has."""
    unused(config, "augment.pad", "augment.flip")
    if not model.widths or min(model.widths) < 1:
        raise JaxstyleError(f"{named('model.widths')} must be channels of at least one layer, each at least 1")
    one_of(config, {"model.likelihood": tuple(LIKELIHOODS), "model.binarize": BINARIZE})
