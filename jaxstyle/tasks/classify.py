"""Telling classes apart: cross entropy, on the small CNN or a residual network."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from jaxstyle.data.augment import augment, mixup
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.losses.classification import cross_entropy, smoothed_labels
from jaxstyle.media.charts import confusion_chart
from jaxstyle.metrics import confusion
from jaxstyle.models.cnn import SmallCNN
from jaxstyle.models.resnet import ResNet, blocks_of
from jaxstyle.tasks.common import descend, scaled
from jaxstyle.training import config as configs
from jaxstyle.training import step
from jaxstyle.training.config import at_least
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, Setting

MODELS = ("cnn", "resnet")
LEAST = 4  # pixels a side, of which halving twice leaves one


def defaults() -> ConfigDict:
    """A training recipe with this task's own fields."""
    config = configs.defaults()
    config.task = "jaxstyle.tasks.classify"
    config.model.update(name="cnn", dropout=0.0)
    config.model.update(depth=20, width=16)  # of a resnet: layers, and channels of its first stage
    config.label_smoothing = 0.0  # share of every target that all classes share
    config.mixup = 0.0  # α of mixup; 0 is none
    config.best = "accuracy"
    return config


def fields(config: Any) -> tuple[str, ...]:
    """The fields of an example that this task wants."""
    return ("image", "label")


def make(config: Any, setting: Setting) -> Classify:
    """The task of a config, whose fields `defaults` tells.

    Raises:
      JaxstyleError: The dataset has no classes, the network is unknown, or a number cannot be.
    """
    if not setting.classes:
        raise JaxstyleError("the dataset has no class labels; a folder needs one sub-folder a class")
    model = config.model
    if model.name not in MODELS:
        raise JaxstyleError(f"unknown model.name {model.name!r}; {did_you_mean(model.name, MODELS)}")
    if config.augment.pad < 0:
        raise JaxstyleError(f"augment.pad is {config.augment.pad}; it must be at least 0 pixels")
    shares = {"model.dropout": model.dropout, "label_smoothing": config.label_smoothing}
    for name, value in shares.items():
        if not 0 <= value < 1:
            raise JaxstyleError(f"{name} is {value:g}; it must be from 0 to below 1")
    if not config.mixup >= 0:
        raise JaxstyleError(f"mixup is {config.mixup:g}; it must be at least 0")
    blocks_of(model.depth)
    at_least(config, {"model.width": 1} if model.name == "resnet" else {})
    height, width = setting.spec["image"].shape[:2]
    if min(height, width) < LEAST:
        raise JaxstyleError(f"pictures of {width}x{height} px are too small; the networks want {LEAST} a side")
    common: dict[str, Any] = {"classes": len(setting.classes), "dropout": model.dropout}
    common |= {"dtype": jnp.dtype(config.dtype), "remat": config.remat}
    network: Any = SmallCNN(**common)
    if model.name == "resnet":
        network = ResNet(depth=model.depth, width=model.width, **common)
    return Classify(
        network,
        make_optimizer(config.optimizer, setting.extent, setting.steps, config.ema_decay),
        setting.spec["image"].shape,
        setting.classes,
        config.augment.pad,
        config.augment.flip,
        config.label_smoothing,
        config.mixup,
    )


@dataclasses.dataclass(frozen=True)
class Classify:
    """Pure functions of a classifier's training.

    Attributes:
      model: Pictures -> (logits, features).
      optimizer: Of all its parameters.
      shape: Of a picture, `(H, W, C)`.
      classes: Their names.
      pad: Pixels by which training pictures are shifted at most; see `augment`.
      flip: Whether they are mirrored at random.
      label_smoothing: Share of every target that all classes share.
      mixup: α of `mixup`; 0 is none.
    """

    model: Any
    optimizer: Optimizer
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    pad: int = 0
    flip: bool = False
    label_smoothing: float = 0.0
    mixup: float = 0.0

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        variables = dict(self.model.init(key, jnp.zeros((1, *self.shape))))
        return self.optimizer.start(variables.pop("params"), variables)

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, H, W, C]` uint8 and `label` `[N]`."""
        count = batch["label"].shape[0]
        keys = step.example_keys(jax.random.fold_in(key, state.step), count)
        drops, changes = jax.vmap(jax.random.split, out_axes=1)(keys)
        noise = None
        if self.model.dropout:
            noise = jax.vmap(lambda one: jax.random.uniform(one, (self.model.features,)))(drops)
        images, targets = self.examples(batch, changes)

        def terms(params: Any) -> tuple[Metrics, Any]:
            variables = {"params": params, **state.collections}
            (logits, _), statistics = self.model.apply(variables, images, True, noise, mutable=["batch_stats"])
            right = jnp.argmax(logits, -1) == batch["label"]
            return {"loss": cross_entropy(logits, targets), "accuracy": right}, statistics

        return descend(self.optimizer, state, terms)

    def examples(self, batch: Batch, keys: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Training pictures `[N, H, W, C]` in [0, 1], changed at random, and their targets, labels or probabilities."""
        images = scaled(augment(batch["image"], keys, pad=self.pad, flip=self.flip))
        if not (self.label_smoothing or self.mixup):
            return images, batch["label"]
        targets = smoothed_labels(batch["label"], len(self.classes), self.label_smoothing)
        if not self.mixup:
            return images, targets
        keys = jax.vmap(lambda key: jax.random.fold_in(key, 2))(keys)  # `augment` has split them in two
        return mixup(images, targets, keys, self.mixup, step.AXIS)

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """Of every example: loss `[N]`, and the cell of the confusion matrix that it is in, `[N, C, C]`."""
        logits, _ = self.logits_and_features(state, scaled(batch["image"]))
        said = jnp.argmax(logits, -1).astype(jnp.int32)
        cells = jax.vmap(lambda label, said: confusion.confusion_matrix(label, said, len(self.classes)))
        return {"loss": cross_entropy(logits, batch["label"]), "confusion": cells(batch["label"], said)}

    def summary(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """What an evaluation reports, of its means: with the confusion matrix, as shares of all examples, what it
        tells of all classes and, as lists, of every single one."""
        return {"loss": metrics["loss"], **confusion.summary(np.asarray(metrics["confusion"], np.float64))}

    def charts(self, scores: dict[str, Any]) -> dict[str, np.ndarray]:
        """The confusion matrix as a picture `[H, W, 3]`, of what `summary` returned."""
        return {"confusion": confusion_chart(np.asarray(scores["confusion"]), self.classes)}

    def features(self, state: TrainState, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """What generated pictures are scored with.

        Args:
          state: Of a trained classifier.
          images: `[N, H, W, C]` in [0, 1], of the size it was trained on.

        Returns:
          What the last layer sees, `[N, features]`, and the logits, `[N, classes]`.
        """
        logits, features = self.logits_and_features(state, images)
        return features, logits

    def logits_and_features(self, state: TrainState, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """What the trained network sees in `[N, H, W, C]` in [0, 1]."""
        return self.model.apply({"params": state.best_params, **state.collections}, images)
