"""The vector-quantised autoencoder, with its prior over codes learned beside it, so that one run gives samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses import variational
from jaxstyle.losses.classification import cross_entropy
from jaxstyle.models.autoencoder import coarse_shape
from jaxstyle.models.vqvae import VQVAE
from jaxstyle.tasks.common import SHOWN, beside, descend
from jaxstyle.tasks.observation import AutoencoderModelConfig, Observation, check_autoencoder
from jaxstyle.training import step
from jaxstyle.training.config import TrainingConfig, at_least
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, RunInfo


@dataclasses.dataclass(frozen=True)
class ModelConfig(AutoencoderModelConfig):
    """The network."""

    codes: int = 64
    code_width: int = 8
    blocks: int = 1
    prior_blocks: int = 3


@dataclasses.dataclass(frozen=True)
class Config(TrainingConfig):
    """The fields of a vector-quantised autoencoder's training."""

    task: str = "jaxstyle.tasks.vqvae"
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    commitment: float = 0.25  # weight of the commitment loss against the codebook's
    best: str = "loss"
    best_mode: str = "min"


def check(config: Config) -> None:
    """Raises `JaxstyleError` for a name or a number that cannot be."""
    at_least(config, {"commitment": 0, "model.codes": 2, "model.code_width": 2, "model.blocks": 0})
    at_least(config, {"model.prior_blocks": 0})
    check_autoencoder(config, config.model)


def fields(config: Config) -> tuple[str, ...]:
    """Names of the example's fields that the task wants."""
    return ("image",)


def make(config: Config, info: RunInfo) -> VectorQuantised:
    """Makes the task; raises `JaxstyleError` where the pictures cannot be halved."""
    options, shape = config.model, info.spec["image"].shape
    coarse_shape(shape, options.widths)
    observation = Observation(options.likelihood, options.binarize)
    model = VQVAE(
        shape=shape,
        codes=options.codes,
        code_width=options.code_width,
        widths=options.widths,
        blocks=options.blocks,
        prior_blocks=options.prior_blocks,
        learned_scale=observation.learned_scale,
        dtype=jnp.dtype(config.dtype),
        remat=config.remat,
    )
    optimizer = make_optimizer(config.optimizer, info.extent, info.steps, config.ema_decay)
    return VectorQuantised(model=model, optimizer=optimizer, observation=observation, commitment=config.commitment)


@dataclasses.dataclass(frozen=True)
class VectorQuantised:
    """Pure functions of a vector-quantised autoencoder's training.

    A picture's code is certain, so the evidence lower bound is `log p(x | z) + log p(z)`: the KL is the prior's
    `-log p(z)`. Training descends on both, each for its own parameters, and on the losses of quantisation.

    Attributes:
      model: Pictures -> logits and log scale of the pixels, encoded and quantised vectors, and the prior's logits.
      optimizer: Of all its parameters.
      observation: The data and their likelihood.
      commitment: Weight of the commitment loss against the codebook's.
    """

    model: VQVAE
    optimizer: Optimizer
    observation: Observation
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
        pictures = self.observation.draw(batch["image"], keys)
        out: dict[str, jax.Array] = self.apply(params, pictures)
        likelihood = self.observation.log_likelihood((out["logits"], out["log_scale"]), pictures)
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
        pictures = self.observation.draw(batch["image"], keys)
        shown = jax.nn.sigmoid(self.apply(state.best_params, pictures)["logits"])
        return {"reconstructions": beside(pictures, shown), "samples": self.sample(state, key, SHOWN**2)}
