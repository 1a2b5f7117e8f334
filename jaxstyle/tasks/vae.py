"""The variational autoencoder: the evidence lower bound, with KL warm-up and free bits."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses import variational
from jaxstyle.metrics.iwae import iwae_bound
from jaxstyle.models.autoencoder import coarse_shape
from jaxstyle.models.vae import VAE
from jaxstyle.tasks.common import SHOWN, beside, descend
from jaxstyle.tasks.observation import AutoencoderModelConfig, Observation, check_autoencoder
from jaxstyle.training import step
from jaxstyle.training.config import TrainingConfig, at_least
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, RunInfo

DECODED = 1024  # pictures that the importance weighted bound decodes at once, on one device
REACH = 3.0  # standard deviations either way in a traversal


@dataclasses.dataclass(frozen=True)
class ModelConfig(AutoencoderModelConfig):
    """The network."""

    latents: int = 32
    hidden: int = 256
    blocks: int = 0
    conditional: bool = False  # on the dataset's labels


@dataclasses.dataclass(frozen=True)
class Config(TrainingConfig):
    """The fields of a variational autoencoder's training."""

    task: str = "jaxstyle.tasks.vae"
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    beta: float = 1.0  # weight of the KL
    kl_warmup_steps: int = 0  # over which that weight rises from 0
    kl_warmup_examples: int = 0
    kl_warmup_epochs: float = 0.0
    free_bits: float = 0.0  # nats that each latent may have for nothing
    iwae_samples: int = 0  # of the importance weighted bound in evaluations; 0 leaves it out
    best: str = "loss"
    best_mode: str = "min"


def check(config: Config) -> None:
    """Raises `JaxstyleError` for a name or a number that cannot be."""
    at_least(config, {"beta": 0, "free_bits": 0, "iwae_samples": 0})
    at_least(config, {"model.latents": 1, "model.hidden": 1, "model.blocks": 0})
    check_autoencoder(config, config.model)


def fields(config: Config) -> tuple[str, ...]:
    """Names of the example's fields that the task wants."""
    return ("image", "label") if config.model.conditional else ("image",)


def make(config: Config, info: RunInfo) -> VariationalAutoencoder:
    """Makes the task.

    Raises:
      JaxstyleError: Classes are wanted and there are none, or the pictures cannot be halved.
    """
    options, shape = config.model, info.spec["image"].shape
    if options.conditional and not info.classes:
        raise JaxstyleError("a conditional model needs class labels; a folder needs one sub-folder a class")
    coarse_shape(shape, options.widths)
    observation = Observation(options.likelihood, options.binarize)
    model = VAE(
        shape=shape,
        latents=options.latents,
        widths=options.widths,
        hidden=options.hidden,
        blocks=options.blocks,
        classes=len(info.classes) if options.conditional else 0,
        learned_scale=observation.learned_scale,
        dtype=jnp.dtype(config.dtype),
        remat=config.remat,
    )
    return VariationalAutoencoder(
        model=model,
        optimizer=make_optimizer(config.optimizer, info.extent, info.steps, config.ema_decay),
        observation=observation,
        beta=config.beta,
        warmup=info.extent.steps(config, "kl_warmup"),
        free_bits=config.free_bits,
        iwae_samples=config.iwae_samples,
    )


@dataclasses.dataclass(frozen=True)
class VariationalAutoencoder:
    """Pure functions of a variational autoencoder's training.

    Attributes:
      model: Pictures and noise -> logits and log scale of the pixels, and the posterior.
      optimizer: Of all its parameters.
      observation: The data and their likelihood.
      beta: Weight of the KL in training.
      warmup: Steps over which it rises from 0.
      free_bits: Nats a latent that cost nothing in training.
      iwae_samples: Of the importance weighted bound in evaluations; 0 leaves it out.
    """

    model: VAE
    optimizer: Optimizer
    observation: Observation
    beta: float = 1.0
    warmup: int = 0
    free_bits: float = 0.0
    iwae_samples: int = 0

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        picture, noise = jnp.zeros((1, *self.model.shape)), jnp.zeros((1, self.model.latents))
        return self.optimizer.start(self.model.init(key, picture, noise, jnp.zeros(1, jnp.int32))["params"])

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, H, W, C]` uint8 and, of a conditional model, `label` `[N]`."""
        keys = step.example_keys(jax.random.fold_in(key, state.step), len(batch["image"]))
        beta = variational.kl_weight(self.beta, state.step, self.warmup)

        def terms(params: Any) -> tuple[Metrics, Any]:
            reconstruction, kl = self.terms(params, batch, keys)
            batch_mean = lax.pmean(lax.stop_gradient(jnp.mean(kl, 0)), step.AXIS)
            loss = reconstruction + beta * variational.free_bits(kl, self.free_bits, batch_mean)
            return {"loss": loss, "reconstruction": reconstruction, "kl": jnp.sum(kl, -1)}, {}

        moved, metrics = descend(self.optimizer, state, terms)
        return moved, {**metrics, "beta": beta}

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """The negative evidence lower bound, its two terms and, if wanted, minus the importance weighted bound; `[N]`.

        The bound is that of the plain model, whatever `beta` and `free_bits` are; each example has one draw of latents.
        """
        reconstruction, kl = self.terms(state.best_params, batch, keys)
        kl = jnp.sum(kl, -1)
        metrics = {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
        if self.iwae_samples:
            metrics["iwae"] = -self.importance_weighted(state.best_params, batch, keys)
        return metrics

    def terms(self, params: Any, batch: Batch, keys: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Minus the log likelihood `[N]` and the KL `[N, latents]`, nats, with one draw an example."""
        draws, keys, _ = split(keys)
        pictures = self.observation.draw(batch["image"], draws)
        noise = jax.vmap(lambda key: jax.random.normal(key, (self.model.latents,)))(keys)
        logits, scale, mean, log_variance = self.apply(params, pictures, noise, self.labels(batch))
        return -self.observation.log_likelihood((logits, scale), pictures), variational.gaussian_kl(mean, log_variance)

    def importance_weighted(self, params: Any, batch: Batch, keys: jax.Array) -> jax.Array:
        """The importance weighted bound `[N]`, nats, of the same pictures as `terms` draws."""
        draws, _, keys = split(keys)
        pictures, labels = self.observation.draw(batch["image"], draws), self.labels(batch)
        mean, log_variance = self.apply(params, pictures, labels, method="encode")
        mean, log_variance = mean[:, None], log_variance[:, None]

        def log_weights(keys: jax.Array) -> jax.Array:
            each = keys.shape[1]
            noise = jax.vmap(jax.vmap(lambda key: jax.random.normal(key, mean.shape[2:])))(keys)
            latents = mean + jnp.exp(log_variance / 2) * noise
            again = None if labels is None else jnp.repeat(labels, each)
            decoded = self.apply(params, latents.reshape(-1, self.model.latents), again, method="decode")
            likelihood = self.observation.log_likelihood(decoded, jnp.repeat(pictures, each, 0)).reshape(keys.shape)
            prior = variational.gaussian_log_density(latents, jnp.zeros_like(mean), jnp.zeros_like(mean))
            return likelihood + jnp.sum(prior - variational.gaussian_log_density(latents, mean, log_variance), -1)

        return iwae_bound(log_weights, keys, self.iwae_samples, chunk=max(1, DECODED // len(keys)))

    def apply(self, params: Any, *inputs: Any, method: str = "__call__") -> Any:
        """A method of the model, with these parameters."""
        return self.model.apply({"params": params}, *inputs, method=method)

    def decoded(self, params: Any, latents: jax.Array, labels: jax.Array | None) -> jax.Array:
        """Mean pictures `[N, H, W, C]` in [0, 1] of latents `[N, latents]` and labels `[N]` or None."""
        return jax.nn.sigmoid(self.apply(params, latents, labels, method="decode")[0])

    @property
    def latents(self) -> int:
        """Numbers of a latent."""
        return self.model.latents

    def decode(self, state: TrainState, latents: jax.Array, labels: jax.Array | None) -> jax.Array:
        """Mean pictures `[N, H, W, C]` in [0, 1] of latents `[N, latents]` and labels `[N]` or None."""
        return self.decoded(state.best_params, latents, labels)

    def encode(self, state: TrainState, pictures: jax.Array, labels: jax.Array | None) -> jax.Array:
        """Means of the posterior, `[N, latents]`, of pictures `[N, H, W, C]` in [0, 1] and labels `[N]` or None."""
        return self.apply(state.best_params, pictures, labels, method="encode")[0]

    def labels(self, batch: Batch) -> jax.Array | None:
        """Labels `[N]` of a conditional model's batch, else None."""
        return batch["label"] if self.model.classes else None

    def sample(self, state: TrainState, key: jax.Array, count: int, labels: jax.Array | None = None) -> jax.Array:
        """Mean pictures of latents drawn from the prior; the first draws are the same however many are asked for.

        Args:
          state: Its moving average is used where there is one.
          key: A typed PRNG key.
          count: How many; static.
          labels: `[count]` int32, or None: a conditional model then draws them uniformly.

        Returns:
          `[count, H, W, C]` in [0, 1].

        Raises:
          JaxstyleError: Labels for a model that is not conditional.
        """
        if labels is not None and not self.model.classes:
            raise JaxstyleError("this model is not conditional: it was trained without labels and takes none")
        keys = jax.vmap(lambda place: jax.random.split(jax.random.fold_in(key, place)))(jnp.arange(count))
        latents = jax.vmap(lambda key: jax.random.normal(key, (self.model.latents,)))(keys[:, 0])
        if labels is None and self.model.classes:
            labels = jax.vmap(lambda key: jax.random.randint(key, (), 0, self.model.classes))(keys[:, 1])
        return self.decoded(state.best_params, latents, labels)

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Reconstructions beside their originals, samples, interpolations and traversals, in [0, 1].

        A row of `interpolations` goes from one picture's posterior mean to another's, with the first one's class; a
        row of `traversals` goes through one latent of the first picture, from -3 to 3 standard deviations of the
        prior, the latents with the largest KL first. A column of a conditional model's `samples` is a class.
        """
        params, labels = state.best_params, self.labels(batch)
        draws, *_ = split(jax.vmap(lambda place: jax.random.fold_in(key, place))(jnp.arange(len(batch["image"]))))
        pictures = self.observation.draw(batch["image"], draws)
        mean, log_variance = self.apply(params, pictures, labels, method="encode")
        rows = max(1, min(SHOWN, len(pictures) // 2))
        between = interpolated(mean[:rows], mean[-rows:])
        kl = jnp.mean(variational.gaussian_kl(mean, log_variance), 0)
        through = traversed(mean[0], lax.top_k(kl, min(SHOWN, self.model.latents))[1])
        return {
            "reconstructions": beside(pictures, self.decoded(params, mean, labels)),
            "samples": self.sheet(state, key),
            "interpolations": self.decoded(
                params, between, None if labels is None else jnp.repeat(labels[:rows], rows)
            ),
            "traversals": self.decoded(
                params, through, None if labels is None else jnp.repeat(labels[:1], len(through))
            ),
        }

    def sheet(self, state: TrainState, key: jax.Array) -> jax.Array:
        """A square of samples; a conditional model's columns are its classes, as many as fit ten."""
        columns = min(self.model.classes, 10) or SHOWN
        return self.sample(state, key, columns**2, jnp.arange(columns**2) % columns if self.model.classes else None)


def split(keys: jax.Array) -> jax.Array:
    """Three keys of each example's `[N]`, `[3, N]`: for its pixels, its latents, and the importance weighted bound."""
    return jax.vmap(lambda key: jax.random.split(key, 3), out_axes=1)(keys)


def repeated(labels: jax.Array | None, first: int, times: int) -> jax.Array | None:
    """The first labels, each so many times; None without labels."""
    return None if labels is None else jnp.repeat(labels[:first], times)


def interpolated(first: jax.Array, last: jax.Array) -> jax.Array:
    """As many latents in a row, ends included, as there are pairs `[R, D]`: `[R·R, D]`, row by row."""
    shares = jnp.linspace(0.0, 1.0, len(first))[None, :, None]
    return ((1 - shares) * first[:, None] + shares * last[:, None]).reshape(-1, first.shape[-1])


def traversed(latents: jax.Array, which: jax.Array) -> jax.Array:
    """Copies of latents `[D]`, `[R·R, D]`: a row for each of `which` `[R]`, along which that latent changes."""
    values = jnp.linspace(-REACH, REACH, len(which))
    changed = jax.vmap(lambda one: jax.vmap(lambda value: latents.at[one].set(value))(values))(which)
    return changed.reshape(-1, len(latents))
