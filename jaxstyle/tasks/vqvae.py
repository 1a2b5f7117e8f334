"""The vector-quantised autoencoder, with its prior over codes learned beside it, so that one run gives samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from ml_collections import ConfigDict

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses import variational
from jaxstyle.losses.classification import cross_entropy
from jaxstyle.models.autoencoder import coarse_shape
from jaxstyle.models.vqvae import VQVAE
from jaxstyle.tasks.common import SHOWN, beside, descend
from jaxstyle.tasks.observation import Observation, observation
from jaxstyle.training import config as configs
from jaxstyle.training import step
from jaxstyle.training.config import at_least
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, Setting


def defaults() -> ConfigDict:
    """A training recipe with this task's own fields."""
    config = configs.defaults()
    config.task = "jaxstyle.tasks.vqvae"
    config.model.update(codes=64, code_width=8, widths=(32, 64), blocks=1, prior_blocks=3)
    config.model.update(likelihood="bernoulli", binarize="none")  # or gaussian, discretized_logistic; dynamic
    config.commitment = 0.25  # weight of the commitment loss against the codebook's
    config.best, config.best_mode = "loss", "min"
    return config


def fields(config: Any) -> tuple[str, ...]:
    """The fields of an example that this task wants."""
    return ("image",)


def make(config: Any, setting: Setting) -> VectorQuantised:
    """The task of a config, whose fields `defaults` tells.

    Raises:
      JaxstyleError: The pictures cannot be halved, or a number cannot be.
    """
    at_least(config, {"commitment": 0, "model.codes": 2, "model.code_width": 2, "model.blocks": 0})
    at_least(config, {"model.prior_blocks": 0})
    seen, model = observation(config), config.model
    coarse_shape(setting.spec["image"].shape, tuple(config.model.widths))
    network = VQVAE(
        setting.spec["image"].shape,
        model.codes,
        model.code_width,
        tuple(model.widths),
        model.blocks,
        model.prior_blocks,
        seen.scaled,
        jnp.dtype(config.dtype),
        config.remat,
    )
    optimizer = make_optimizer(config.optimizer, setting.extent, setting.steps, config.ema_decay)
    return VectorQuantised(network, optimizer, seen, config.commitment)


@dataclasses.dataclass(frozen=True)
class VectorQuantised:
    """Pure functions of a vector-quantised autoencoder's training.

    A picture's code is certain, so the evidence lower bound is `log p(x | z) + log p(z)`: the KL is the prior's
    `-log p(z)`. Training descends on both, each for its own parameters, and on the losses of quantisation.

    Attributes:
      model: Pictures -> what the likelihood and the losses of quantisation take, and the prior's logits.
      optimizer: Of all its parameters.
      seen: What is taken for data, and its likelihood.
      commitment: Weight of the commitment loss against the codebook's.
    """

    model: VQVAE
    optimizer: Optimizer
    seen: Observation
    commitment: float = 0.25

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        return self.optimizer.start(self.model.init(key, jnp.zeros((1, *self.model.shape)))["params"])

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, H, W, C]` uint8."""
        keys = step.example_keys(jax.random.fold_in(key, state.step), len(batch["image"]))

        def terms(params: Any) -> tuple[Metrics, Any]:
            reconstruction, kl, out = self.terms(params, batch, keys)
            codebook = variational.codebook_loss(out["encoded"], out["quantized"])
            commitment = variational.commitment_loss(out["encoded"], out["quantized"])
            positions = out["indices"][0].size  # the likelihood is a sum over pixels, so these are over positions
            loss = reconstruction + kl + positions * (codebook + self.commitment * commitment)
            return {"loss": loss, "reconstruction": reconstruction, "kl": kl, "codebook": codebook}, {}

        return descend(self.optimizer, state, terms)

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """The negative evidence lower bound and its two terms, `[N]`, and how often each code is used `[N, codes]`."""
        reconstruction, kl, out = self.terms(state.best_params, batch, keys)
        usage = jnp.mean(jax.nn.one_hot(out["indices"], self.model.codes), (1, 2))
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl, "usage": usage}

    def summary(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces the codes' frequencies by their perplexity: how many codes are in use, as it were."""
        usage = np.asarray(metrics["usage"])
        used = usage[usage > 0]
        rest = {name: value for name, value in metrics.items() if name != "usage"}
        return {**rest, "perplexity": np.exp(-np.sum(used * np.log(used)))}

    def terms(self, params: Any, batch: Batch, keys: jax.Array) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
        """Minus the log likelihood and minus the prior's log probability, `[N]` nats, and what the model returned."""
        pictures = self.seen.see(batch["image"], keys)
        out: dict[str, jax.Array] = self.apply(params, pictures)
        likelihood = self.seen.log_likelihood((out["logits"], out["log_scale"]), pictures)
        return -likelihood, jnp.sum(cross_entropy(out["prior"], out["indices"]), (1, 2)), out

    def apply(self, params: Any, *inputs: Any, method: str = "__call__") -> Any:
        """A method of the model, with these parameters."""
        return self.model.apply({"params": params}, *inputs, method=method)

    def sample(self, state: TrainState, key: jax.Array, count: int, labels: jax.Array | None = None) -> jax.Array:
        """Mean pictures of codes drawn from the prior, one after the other.

        The first draws are the same however many are asked for.

        Args:
          state: Its moving average is used where there is one.
          key: A typed PRNG key.
          count: How many; static.
          labels: None; the model knows no classes.

        Returns:
          `[count, H, W, C]` in [0, 1].

        Raises:
          JaxstyleError: Labels are given.
        """
        if labels is not None:
            raise JaxstyleError("this model is not conditional: it was trained without labels and takes none")
        keys = jax.vmap(lambda place: jax.random.fold_in(key, place))(jnp.arange(count))
        indices = self.draw_codes(state.best_params, keys)
        return jax.nn.sigmoid(self.apply(state.best_params, indices, method="decode")[0])

    def draw_codes(self, params: Any, keys: jax.Array) -> jax.Array:
        """Codes `[N, h, w]` int32 from the prior, of keys `[N]`: each position given those before it."""
        height, width = self.model.coarse_shape

        def draw(place: jax.Array, indices: jax.Array) -> jax.Array:
            row, column = place // width, place % width
            logits = self.apply(params, indices, method="prior")[:, row, column]
            each = jax.vmap(lambda key: jax.random.fold_in(key, place))(keys)
            return indices.at[:, row, column].set(jax.vmap(jax.random.categorical)(each, logits))

        return lax.fori_loop(0, height * width, draw, jnp.zeros((len(keys), height, width), jnp.int32))

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Reconstructions beside their originals, and samples, in [0, 1]."""
        keys = jax.vmap(lambda place: jax.random.fold_in(key, place))(jnp.arange(len(batch["image"])))
        pictures = self.seen.see(batch["image"], keys)
        shown = jax.nn.sigmoid(self.apply(state.best_params, pictures)["logits"])
        return {"reconstructions": beside(pictures, shown), "samples": self.sample(state, key, SHOWN**2)}
