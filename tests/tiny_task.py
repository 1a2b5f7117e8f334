"""A task that compiles in no time: one linear layer on the mean colour, with noise a training example."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle.training import step
from jaxstyle.training.config import TrainingConfig, as_config, override
from jaxstyle.training.optimizers import make_optimizer


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    noise: float = 0.1
    explodes_at: int = -1  # step whose metrics are not finite


@dataclasses.dataclass(frozen=True)
class Config(TrainingConfig):
    task: str = "tiny_task"
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)


def check(config):
    pass


def fields(config):
    return ("image", "label")


def make(config, info):
    optimizer = make_optimizer(config.optimizer, info.extent, info.steps, config.ema_decay)
    return Tiny(optimizer, config.model.noise, config.model.explodes_at)


@dataclasses.dataclass(frozen=True)
class Bare:
    """No more than every task must have."""

    optimizer: Any
    noise: float
    explodes_at: int

    def init(self, key):
        return self.optimizer.start({"w": jax.random.normal(key, (3, 10)), "b": jnp.zeros(10)})

    def logits(self, params, image):
        return (image.astype(jnp.float32) / 255).mean((1, 2)) @ params["w"] + params["b"][None]

    def losses(self, params, batch):
        return -jnp.take_along_axis(jax.nn.log_softmax(self.logits(params, batch["image"])), batch["label"][:, None], 1)

    def train_step(self, state, batch, key):
        keys = step.example_keys(jax.random.fold_in(key, state.step), batch["label"].shape[0])
        noise = self.noise * jax.vmap(jax.random.normal)(keys)

        def loss(params):
            kl = jnp.where(state.step == self.explodes_at, jnp.inf, 0.0)
            return jnp.mean(self.losses(params, batch)[:, 0] * (1 + noise)), kl

        grads, (value, kl) = step.gradients(loss, state.params)
        moved = self.optimizer.apply_gradients(state, grads)
        return moved, {"loss": value, "kl": kl, "gradient": step.norm(grads)}

    def eval_step(self, state, batch, keys):
        return {"loss": self.losses(state.best_params, batch)[:, 0], "labels": jax.nn.one_hot(batch["label"], 10)}


@dataclasses.dataclass(frozen=True)
class Tiny(Bare):
    """With capabilities."""

    def sample(self, state, key, count, labels=None):
        """Pictures as grey as their label is high, with some noise."""
        key, chosen = jax.random.split(key)
        labels = jax.random.randint(chosen, (count,), 0, 10) if labels is None else labels
        grey = (labels.astype(jnp.float32).reshape(-1, 1, 1, 1) + 0.5) / 10
        return grey + 0.02 * jnp.tile(jax.random.normal(key, (count, 8, 8, 3)), (1, 4, 4, 1))

    def features(self, state, images):
        mean = images.mean((1, 2))
        return jnp.concatenate([mean, images.std((1, 2))], -1), self.logits(state.params, 255 * images)

    def pictures(self, state, batch, key):
        return {"seen": batch["image"][:9] / 255.0}


def tiny_config(data_dir, **changes):
    """A config of ten steps of 16 examples; `changes` as in `override`, dots written as double underscores."""
    config = as_config(Config())
    config.data.update(name="jaxstyle_shapes/tiny", data_dir=data_dir)
    config.update(train_steps=10, eval_steps=5, checkpoint_steps=5, log_steps=1, batch_size=16, progress="off")
    return override(config, {name.replace("__", "."): value for name, value in changes.items()})
