"""Semantic segmentation: a U-Net trained by cross entropy, Dice and focal losses, in any mixture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.data.augment import augment_with_masks, check_changes, shift_tones
from jaxstyle.data.config import MOST_CHANNELS
from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.segmentation import dice_loss, focal_loss, pixel_cross_entropy
from jaxstyle.media.charts import confusion_chart
from jaxstyle.media.overlay import colorize, overlay
from jaxstyle.metrics import confusion
from jaxstyle.models.unet import UNet
from jaxstyle.runtime.settings import named
from jaxstyle.tasks.common import SHOWN, beside, descend, scaled
from jaxstyle.training import step
from jaxstyle.training.config import AugmentConfig, TrainingConfig, at_least
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, RunInfo


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The U-Net; the paper has a width of 64 and 4 levels."""

    width: int = 16  # channels at full size
    levels: int = 4  # halvings


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the losses in their sum."""

    cross_entropy: float = 1.0
    dice: float = 1.0
    focal: float = 0.0


@dataclasses.dataclass(frozen=True)
class SegmentAugmentConfig(AugmentConfig):
    """Random changes of training pictures and their masks."""

    crop: int = 0  # pixels of squares cut out
    turn: bool = False  # quarter turns
    color: float = 0.0  # of the pictures alone; strength of `shift_tones`


@dataclasses.dataclass(frozen=True)
class Config(TrainingConfig):
    """The fields of a segmentation's training."""

    CHANNELS = range(1, MOST_CHANNELS + 1)

    task: str = "jaxstyle.tasks.segment"
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    focal_gamma: float = 2.0
    augment: SegmentAugmentConfig = dataclasses.field(default_factory=SegmentAugmentConfig)
    best: str = "dice"


def check(config: Config) -> None:
    """Raises `JaxstyleError` where no masks or classes are named, or a number cannot be."""
    if config.data.folder and not (config.data.masks or config.data.mask_suffix):
        way_out = f"name the folder of their masks by {named('data.masks')}=DIR, or {named('data.mask_suffix')}"
        raise JaxstyleError(f"{named('data.folder')} has pictures only: {way_out}")
    if not config.data.mask_classes:
        raise JaxstyleError(
            f"{named('data.mask_classes')} is empty: name the masks' values, that of 0 first, such as "
            "\"('background','nucleus')\""
        )
    at_least(config, {"model.width": 1, "model.levels": 1, "focal_gamma": 0, "augment.crop": 0, "augment.color": 0})
    weights = dataclasses.asdict(config.loss)
    at_least(config, {f"loss.{name}": 0 for name in weights})
    if not any(weights.values()):
        raise JaxstyleError(
            f"all weights of {named('loss')} are 0; give one of cross_entropy, dice and focal some weight"
        )
    if config.augment.pad:
        way_out = f"for segmentation cut squares out by {named('augment.crop')}"
        raise JaxstyleError(f"{named('augment.pad')} is for whole pictures; {way_out}")


def fields(config: Config) -> tuple[str, ...]:
    """Names of the example's fields that the task wants."""
    return ("image", "mask")


def make(config: Config, info: RunInfo) -> Segment:
    """Makes the task; raises `JaxstyleError` where the changes to training pictures do not suit their size."""
    changes, names = dataclasses.asdict(config.augment), config.data.mask_classes
    check_changes(changes, info.spec["image"].shape)
    width, levels, dtype = config.model.width, config.model.levels, jnp.dtype(config.dtype)
    losses = {"cross_entropy": pixel_cross_entropy, "dice": dice_loss}
    losses["focal"] = partial(focal_loss, gamma=config.focal_gamma)
    return Segment(
        model=UNet(classes=len(names), width=width, levels=levels, dtype=dtype, remat=config.remat),
        optimizer=make_optimizer(config.optimizer, info.extent, info.steps, config.ema_decay),
        names=names,
        channels=info.spec["image"].shape[-1],
        losses={name: (weight, losses[name]) for name, weight in dataclasses.asdict(config.loss).items() if weight},
        changes={name: changes[name] for name in ("crop", "flip", "turn")},
        color=config.augment.color,
    )


@dataclasses.dataclass(frozen=True)
class Segment:
    """Pure functions of a segmentation's training.

    Attributes:
      model: Pictures -> logits of every pixel.
      optimizer: Of all its parameters.
      names: Of the classes.
      channels: Of the pictures.
      losses: Name -> (weight, function of logits `[N, H, W, C]` and labels `[N, H, W]` giving `[N]`).
      changes: Of training pictures and masks; options of `augment`.
      color: Of training pictures; strength of `shift_tones`.
    """

    model: UNet
    optimizer: Optimizer
    names: tuple[str, ...]
    channels: int
    losses: Mapping[str, tuple[float, Any]]
    changes: Mapping[str, Any]
    color: float = 0.0

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        side = self.model.factor
        made = self.model.init(key, jnp.zeros((1, side, side, self.channels)))
        return self.optimizer.start(made["params"], {"batch_stats": made["batch_stats"]})

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, H, W, C]` uint8 and `mask` `[N, H, W]` uint8."""
        keys = step.example_keys(jax.random.fold_in(key, state.step), batch["image"].shape[0])
        places, tones = jax.vmap(jax.random.split, out_axes=1)(keys)
        images, masks = augment_with_masks(batch["image"], batch["mask"], places, **self.changes)
        pictures = shift_tones(scaled(images), tones, self.color) if self.color else scaled(images)

        def terms(params: Any) -> tuple[Metrics, Any]:
            variables = {"params": params, **state.collections}
            logits, statistics = self.model.apply(variables, pictures, True, mutable=["batch_stats"])
            return self.loss_terms(logits, masks), statistics

        return descend(self.optimizer, state, terms)

    def loss_terms(self, logits: jax.Array, masks: jax.Array) -> Metrics:
        """Losses `[N]` of logits `[N, H, W, classes]` and masks `[N, H, W]`: the weighted sum `loss`, and each one."""
        terms = {name: function(logits, masks) for name, (_, function) in self.losses.items()}
        total = sum(weight * terms[name] for name, (weight, _) in self.losses.items())
        return {"loss": jnp.asarray(total), **{f"{name}_loss": term for name, term in terms.items()}}

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """Losses `[N]`, the confusion matrix `[N, C, C]` and `picture_dice` `[N]` of every example.

        `picture_dice` is the mean Dice coefficient of the classes but 0 that are in the picture or predicted there; 1
        where there are none.
        """
        logits = self.logits(state, scaled(batch["image"]))
        labels, predicted = batch["mask"].astype(jnp.int32), jnp.argmax(logits, -1)
        count = partial(confusion.confusion_matrix, classes=self.model.classes)
        matrices = jax.vmap(count)(labels, predicted)
        scores = {"picture_dice": picture_dice(matrices), "confusion": matrices}
        return {**self.loss_terms(logits, batch["mask"]), **scores}

    def summary(self, means: Mapping[str, Any]) -> dict[str, Any]:
        """An evaluation's metrics: its means, and the scores of the confusion matrix of all pixels together.

        `dice`, `iou`, `precision` and `recall` are those of class 1 where there are two classes, else the mean over
        the classes that are there, as `mean_iou` always is. `class_…` list them by class; `confusion` counts pixels,
        the mean over pictures, rows true, columns predicted.
        """
        matrix = np.asarray(means["confusion"], np.float64)
        measures = {"dice": confusion.f1, "iou": confusion.iou}
        measures |= {"precision": confusion.precision, "recall": confusion.recall}
        by_class = {name: measure(matrix) for name, measure in measures.items()}
        binary = self.model.classes == 2
        scores = {
            name: float(values[1]) if binary else confusion.mean_of_present(values) for name, values in by_class.items()
        }
        scores |= {"mean_iou": confusion.mean_of_present(by_class["iou"]), "pixel_accuracy": confusion.accuracy(matrix)}
        lists = {f"class_{name}": values for name, values in by_class.items()}
        return {**{k: v for k, v in means.items() if k != "confusion"}, **scores, **lists, "confusion": matrix}

    def charts(self, scores: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The confusion matrix as a picture `[H, W, 3]`, of the metrics that `summary` returned."""
        return {"confusion": confusion_chart(np.asarray(scores["confusion"]), self.names)}

    def logits(self, state: TrainState, pictures: jax.Array) -> jax.Array:
        """The trained network's logits of every pixel.

        Args:
          state: Its moving average is used where there is one.
          pictures: `[N, H, W, C]` in [0, 1], of any size.

        Returns:
          `[N, H, W, classes]` float32.
        """
        return self.model.apply({"params": state.best_params, **state.collections}, pictures)  # type: ignore[return-value]

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """True masks, each with the predicted one after it: alone, and laid over their pictures; in [0, 1]."""
        pictures, truth = scaled(batch["image"][:SHOWN]), batch["mask"][:SHOWN].astype(jnp.int32)
        predicted, classes = jnp.argmax(self.logits(state, pictures), -1), self.model.classes
        truth = jnp.where(truth < classes, truth, 0)  # what has no class is shown as background
        over = beside(overlay(pictures, truth, classes), overlay(pictures, predicted, classes))
        return {"overlays": over, "masks": beside(colorize(truth, classes), colorize(predicted, classes))}


def picture_dice(matrices: jax.Array) -> jax.Array:
    """The mean Dice coefficient `[N]` of confusion matrices `[N, C, C]`; see `Segment.eval_step`."""
    both = jnp.diagonal(matrices, axis1=1, axis2=2)[:, 1:]
    either = (jnp.sum(matrices, 1) + jnp.sum(matrices, 2))[:, 1:]
    present = either > 0
    dice = jnp.sum(jnp.where(present, 2 * both / jnp.maximum(either, 1), 0), -1)
    return jnp.where(jnp.any(present, -1), dice / jnp.maximum(jnp.sum(present, -1), 1), 1.0)
