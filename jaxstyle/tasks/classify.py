"""Image classification by cross entropy, with the small CNN or a residual network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.data.augment import augment, cutmix, erase, mixup
from jaxstyle.data.config import MOST_CHANNELS
from jaxstyle.data.rand_augment import HIGHEST, rand_augment
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.losses.classification import balanced_weights, cross_entropy, smoothed_labels
from jaxstyle.media.charts import confusion_chart
from jaxstyle.metrics import confusion
from jaxstyle.models.cnn import SmallCNN
from jaxstyle.models.resnet import ResNet, blocks_of
from jaxstyle.runtime.settings import named
from jaxstyle.tasks.common import descend, scaled
from jaxstyle.training import step
from jaxstyle.training.config import TrainingConfig, at_least, one_of
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, RunInfo

MODELS = ("cnn", "resnet")
LEAST = 4  # pixels a side, of which halving twice leaves one


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The network."""

    name: str = "cnn"  # or resnet
    dropout: float = 0.0
    depth: int = 20  # layers of a resnet
    width: int = 16  # channels of a resnet's first stage


@dataclasses.dataclass(frozen=True)
class Config(TrainingConfig):
    """The fields of a classifier's training."""

    CHANNELS = range(1, MOST_CHANNELS + 1)

    task: str = "jaxstyle.tasks.classify"
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    label_smoothing: float = 0.0  # share of every target that all classes share
    mixup: float = 0.0  # α of mixup; 0 is none
    cutmix: float = 0.0  # α of CutMix; 0 is none
    erase: float = 0.0  # probability of random erasing
    rand_augment: int = 0  # operations of RandAugment a picture
    magnitude: float = 9.0  # of these operations, from 0 to 10
    focus: float = 0.0  # γ of the focal loss; 0 is the cross entropy
    class_weights: str = ""  # `balanced`, or weights such as `cat=2,dog=0.5`; those of other classes are 1
    best: str = "accuracy"


def check(config: Config) -> None:
    """Raises `JaxstyleError` for a network or a number that cannot be."""
    one_of(config, {"model.name": MODELS})
    at_least(config, {"augment.pad": 0, "mixup": 0, "cutmix": 0, "erase": 0, "focus": 0, "model.width": 1})
    at_least(config, {"rand_augment": 0, "magnitude": 0})
    if config.magnitude > HIGHEST:
        raise JaxstyleError(f"{named('magnitude')} is {config.magnitude:g}; it must be at most {HIGHEST}")
    for name, value in {"model.dropout": config.model.dropout, "label_smoothing": config.label_smoothing}.items():
        if not 0 <= value < 1:
            raise JaxstyleError(f"{named(name)} is {value:g}; it must be from 0 to below 1")
    if config.erase > 1:
        raise JaxstyleError(f"{named('erase')} is {config.erase:g}; a probability is at most 1")
    if config.mixup and config.cutmix:
        raise JaxstyleError(
            f"{named('mixup')} and {named('cutmix')} both blend a picture with another: give one of them"
        )
    blocks_of(config.model.depth)


def fields(config: Config) -> tuple[str, ...]:
    """Names of the example's fields that the task wants."""
    return ("image", "label")


def counts_classes(config: Config) -> bool:
    """Whether weights depend on how many examples each class has."""
    return config.class_weights == "balanced"


def make(config: Config, info: RunInfo) -> Classify:
    """Makes the task.

    Raises:
      JaxstyleError: The dataset has no classes, or its pictures are too small.
    """
    shape = info.spec["image"].shape
    if not info.classes:
        raise JaxstyleError("the dataset has no class labels; a folder needs one sub-folder a class")
    if min(shape[:2]) < LEAST:
        raise JaxstyleError(f"pictures of {shape[1]}x{shape[0]} px are too small; the networks want {LEAST} a side")
    return Classify(
        model=make_network(config, len(info.classes)),
        optimizer=make_optimizer(config.optimizer, info.extent, info.steps, config.ema_decay),
        shape=shape,
        classes=info.classes,
        pad=config.augment.pad,
        flip=config.augment.flip,
        label_smoothing=config.label_smoothing,
        mixup=config.mixup,
        cutmix=config.cutmix,
        erase=config.erase,
        rand_augment=config.rand_augment,
        magnitude=config.magnitude,
        focus=config.focus,
        weights=class_weights(config.class_weights, info),
    )


def class_weights(text: str, info: RunInfo) -> tuple[float, ...]:
    """Weights of the classes, or none; see `Config`.

    Raises:
      JaxstyleError: No such class, or no weight.
    """
    if text in ("", "balanced"):
        return tuple(map(float, balanced_weights(info.training_counts))) if text else ()
    weights = dict.fromkeys(info.classes, 1.0)
    for entry in text.split(","):
        name, _, number = entry.rpartition("=")
        if name.strip() not in weights:
            known = did_you_mean(name.strip(), info.classes)
            raise JaxstyleError(f"{named('class_weights')} has {entry!r}; write 'balanced', or NAME=WEIGHT; {known}")
        try:
            weights[name.strip()] = float(number)
        except ValueError:
            weights[name.strip()] = math.nan
        if not 0 <= weights[name.strip()] < math.inf:
            raise JaxstyleError(f"{named('class_weights')} has {entry!r}; a weight is a number from 0")
    return tuple(weights.values())


def make_network(config: Config, classes: int) -> SmallCNN | ResNet:
    """Makes the network of a config."""
    common: dict[str, Any] = {"classes": classes, "dropout": config.model.dropout}
    common |= {"dtype": jnp.dtype(config.dtype), "remat": config.remat}
    if config.model.name == "resnet":
        return ResNet(depth=config.model.depth, width=config.model.width, **common)
    return SmallCNN(**common)


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
      cutmix: α of `cutmix`; 0 is none.
      erase: Probability of `erase`.
      rand_augment: Operations of `rand_augment`, all of one `magnitude`.
      focus: γ of the focal loss.
      weights: Of the classes in training; empty is 1 for all.
    """

    model: Any
    optimizer: Optimizer
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    pad: int = 0
    flip: bool = False
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    erase: float = 0.0
    rand_augment: int = 0
    magnitude: float = 9.0
    focus: float = 0.0
    weights: tuple[float, ...] = ()

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
        weights = jnp.asarray(self.weights) if self.weights else None

        def terms(params: Any) -> tuple[Metrics, Any]:
            variables = {"params": params, **state.collections}
            (logits, _), statistics = self.model.apply(variables, images, True, noise, mutable=["batch_stats"])
            right = jnp.argmax(logits, -1) == batch["label"]
            loss = cross_entropy(logits, targets, focus=self.focus, weights=weights)
            return {"loss": loss, "accuracy": right}, statistics

        return descend(self.optimizer, state, terms)

    def examples(self, batch: Batch, keys: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Augmented pictures `[N, H, W, C]` in [0, 1], and labels `[N]` or probabilities `[N, classes]` as targets."""
        images = augment(batch["image"], keys, pad=self.pad, flip=self.flip)
        further = (jax.vmap(lambda key, i=i: jax.random.fold_in(key, i))(keys) for i in (2, 3, 4))
        more, others, operations = further  # behind `augment`'s
        if self.rand_augment:
            images = rand_augment(images, operations, self.rand_augment, self.magnitude)
        images = scaled(images)
        images = erase(images, others, self.erase) if self.erase else images
        if not (self.label_smoothing or self.mixup or self.cutmix):
            return images, batch["label"]
        targets = smoothed_labels(batch["label"], len(self.classes), self.label_smoothing)
        if self.mixup:
            return mixup(images, targets, more, self.mixup, step.AXIS)
        return cutmix(images, targets, more, self.cutmix, step.AXIS) if self.cutmix else (images, targets)

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """The loss `[N]` of every example, and its cell of the confusion matrix `[N, C, C]`."""
        logits, _ = self.logits_and_features(state, scaled(batch["image"]))
        predicted = jnp.argmax(logits, -1).astype(jnp.int32)
        cells = jax.vmap(lambda label, one: confusion.confusion_matrix(label, one, len(self.classes)))
        return {"loss": cross_entropy(logits, batch["label"]), "confusion": cells(batch["label"], predicted)}

    def summary(self, means: Mapping[str, Any]) -> dict[str, Any]:
        """An evaluation's metrics: the loss, the confusion matrix as shares of all examples, and its scores."""
        return {"loss": means["loss"], **confusion.summary(np.asarray(means["confusion"], np.float64))}

    def charts(self, scores: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The confusion matrix as a picture `[H, W, 3]`, of the metrics that `summary` returned."""
        return {"confusion": confusion_chart(np.asarray(scores["confusion"]), self.classes)}

    def features(self, state: TrainState, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Features and logits of pictures; generated ones are scored with them.

        Args:
          state: Of a trained classifier.
          images: `[N, H, W, C]` in [0, 1], of the size it was trained on.

        Returns:
          The last layer's input, `[N, features]`, and the logits, `[N, classes]`.
        """
        logits, features = self.logits_and_features(state, images)
        return features, logits

    def logits_and_features(self, state: TrainState, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The trained network's output for pictures `[N, H, W, C]` in [0, 1]."""
        return self.model.apply({"params": state.best_params, **state.collections}, images)
