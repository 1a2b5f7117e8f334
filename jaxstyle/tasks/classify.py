"""Telling classes apart: cross entropy, on the small CNN."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle.data.augment import augment
from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.classification import cross_entropy
from jaxstyle.models.cnn import SmallCNN
from jaxstyle.training import step
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, Setting

FEATURES = 64


def fields(config: Any) -> tuple[str, ...]:
    """The fields of an example that this task wants."""
    return ("image", "label")


def make(config: Any, setting: Setting) -> Classify:
    """The task of a config; `config.model.dropout` is its own field.

    Raises:
      JaxstyleError: The dataset has no classes, or an optimiser setting cannot be.
    """
    if not setting.classes:
        raise JaxstyleError("the dataset has no class labels; a folder needs one sub-folder a class")
    if config.augment.pad < 0:
        raise JaxstyleError(f"augment.pad is {config.augment.pad}; it must be at least 0 pixels")
    model = SmallCNN(len(setting.classes), config.model.dropout, jnp.dtype(config.dtype), config.remat)
    optimizer = make_optimizer(config.optimizer, setting.extent, setting.steps, config.ema_decay)
    return Classify(model, optimizer, setting.spec["image"].shape, config.augment.pad, config.augment.flip)


@dataclasses.dataclass(frozen=True)
class Classify:
    """Pure functions of a classifier's training.

    Attributes:
      model: Pictures -> (logits, features).
      optimizer: Of all its parameters.
      shape: Of a picture, `(H, W, C)`.
      pad: Pixels by which training pictures are shifted at most; see `augment`.
      flip: Whether they are mirrored at random.
    """

    model: SmallCNN
    optimizer: Optimizer
    shape: tuple[int, ...]
    pad: int = 0
    flip: bool = False

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        return self.optimizer.start(self.model.init(key, jnp.zeros((1, *self.shape)))["params"])

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, H, W, C]` uint8 and `label` `[N]`."""
        count = batch["label"].shape[0]
        keys = step.example_keys(jax.random.fold_in(key, state.step), count)
        drops, changes = jax.vmap(jax.random.split, out_axes=1)(keys)
        noise = jax.vmap(lambda one: jax.random.uniform(one, (FEATURES,)))(drops) if self.model.dropout else None
        images = scaled(augment(batch["image"], changes, pad=self.pad, flip=self.flip))

        def loss(params: Any) -> tuple[jax.Array, jax.Array]:
            logits, _ = self.model.apply({"params": params}, images, noise)
            right = jnp.mean(jnp.argmax(logits, -1) == batch["label"])
            return jnp.mean(cross_entropy(logits, batch["label"])), right

        grads, (value, right) = step.gradients(loss, state.params)
        rate = jnp.asarray(self.optimizer.schedule(state.step), jnp.float32)
        metrics = {"loss": value, "accuracy": right, "gradient": step.norm(grads), "learning_rate": rate}
        return self.optimizer.move(state, grads), metrics

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """Loss and accuracy of every example, each `[N]`."""
        logits, _ = self.logits_and_features(state, scaled(batch["image"]))
        right = jnp.argmax(logits, -1) == batch["label"]
        return {"loss": cross_entropy(logits, batch["label"]), "accuracy": right}

    def features(self, state: TrainState, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """What generated pictures are scored with.

        Args:
          state: Of a trained classifier.
          images: `[N, H, W, C]` in [0, 1], of the size it was trained on.

        Returns:
          The last hidden layer after its ReLU, `[N, 64]`, and the logits, `[N, classes]`.
        """
        logits, features = self.logits_and_features(state, images)
        return features, logits

    def logits_and_features(self, state: TrainState, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """What the trained network sees in `[N, H, W, C]` in [0, 1]."""
        return self.model.apply({"params": state.best_params}, images)  # type: ignore[return-value]


def scaled(images: jax.Array) -> jax.Array:
    """Pixels 0..255 uint8 as float32 in [0, 1]."""
    return images.astype(jnp.float32) / 255
