"""Video prediction: a convolutional recurrent network forecasts the frames that follow some given ones.

As options a second head classifies the clips, and a discriminator of clips adds an adversarial loss. Forecaster and
discriminator are then updated at once: one loss holds both of theirs, each with the other's parameters held fixed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.data.augment import augment_clips, check_changes, shift_tones
from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.adversarial import ADVERSARIAL_LOSSES, AdversarialLoss
from jaxstyle.losses.classification import cross_entropy
from jaxstyle.losses.frames import weighted_frame_loss
from jaxstyle.media.charts import confusion_chart
from jaxstyle.metrics.confusion import confusion_matrix, summary
from jaxstyle.models.dcgan import levels_of
from jaxstyle.models.forecaster import Forecast, Forecaster
from jaxstyle.models.video_discriminator import VideoDiscriminator
from jaxstyle.runtime.settings import named
from jaxstyle.tasks.common import SHOWN, descend, scaled
from jaxstyle.tasks.forecast_config import Config, check, check_clips, teacher_forcing
from jaxstyle.tasks.forecast_scores import frame_scores, trivial_scores
from jaxstyle.training import step
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, RunInfo

__all__ = ["Config", "FilmForecast", "check", "fields", "make"]

FrameLoss = Callable[[jax.Array, jax.Array], jax.Array]


def fields(config: Config) -> tuple[str, ...]:
    """Names of the example's fields that the task wants."""
    return ("video", "label") if config.classify else ("video",)


def make(config: Config, info: RunInfo) -> FilmForecast:
    """Makes the task.

    Raises:
      JaxstyleError: Clips are too short or cannot be cut into patches or turned, or there are no classes.
    """
    clip, extent, rival = info.spec["video"].shape, info.extent, config.adversary
    if config.classify and not info.classes:
        raise JaxstyleError(
            f"clips can be classified only where the dataset has class labels: set {named('classify')} to 0"
        )
    check_clips(config.model, clip)
    check_changes({"turn": config.augment.turn, "color": config.augment.color}, clip[1:])
    if rival.objective:
        levels_of(clip[1:])
    shape = (config.model.inputs + config.model.outputs, *clip[1:])
    finish = extent.steps(config, "finish")
    return FilmForecast(
        forecaster=make_forecaster(config, info),
        optimizer=make_optimizer(config.optimizer, extent, info.steps, config.ema_decay),
        shape=shape,
        inputs=config.model.inputs,
        losses=(
            weighted_frame_loss(dataclasses.asdict(config.loss)),
            weighted_frame_loss(dataclasses.asdict(config.finish)),
        ),
        finish=info.steps - finish if finish else None,
        weights=(config.past, config.future, config.classify, rival.weight),
        changes={"flip": config.augment.flip, "turn": config.augment.turn},
        color=config.augment.color,
        forcing=teacher_forcing(config.teacher.start, config.teacher.fall, extent.steps(config, "teacher")),
        discriminator=VideoDiscriminator(shape, rival.width, jnp.dtype(config.dtype)) if rival.objective else None,
        objective=ADVERSARIAL_LOSSES[rival.objective] if rival.objective else None,
        classes=info.classes if config.classify else (),
    )


def make_forecaster(config: Config, info: RunInfo) -> Forecaster:
    """Makes the network of a config."""
    model = config.model
    return Forecaster(
        channels=info.spec["video"].shape[-1],
        widths=model.widths,
        scales=model.scales or None,
        classes=len(info.classes) if config.classify else 0,
        unroll=model.unroll == "on" or (model.unroll == "auto" and jax.default_backend() == "cpu"),
        dtype=jnp.dtype(config.dtype),
        **{name: getattr(model, name) for name in ("kernel", "patch", "cell", "peepholes", "brightness", "tied")},
    )


@dataclasses.dataclass(frozen=True)
class FilmForecast:
    """Pure functions of a forecaster's training. Its state's parameters are a dict of the networks'.

    Attributes:
      forecaster: The network.
      optimizer: Of all parameters.
      shape: Of a clip, `(T, H, W, C)`, input and output frames together.
      inputs: Number of input frames.
      losses: Of logits and frames, both as in `FRAME_LOSSES`: the first, and that of the last part of the training.
      finish: The step at which that part begins; None for never.
      weights: Of the losses of past and future frames, of classes, and of the adversarial loss.
      forcing: Step -> probability of teacher forcing: that the next input is the true frame.
      changes: Of training clips; options of `augment`.
      color: Of training clips; strength of `shift_tones`.
      discriminator: Of clips; None for none.
      objective: The losses of generator and discriminator.
      classes: The names of the clips' classes; empty where they are not classified.
    """

    forecaster: Forecaster
    optimizer: Optimizer
    shape: tuple[int, ...]
    inputs: int
    losses: tuple[FrameLoss, FrameLoss]
    finish: int | None
    weights: tuple[float, float, float, float]
    forcing: Callable[[jax.Array], jax.Array]
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    color: float = 0.0
    discriminator: VideoDiscriminator | None = None
    objective: AdversarialLoss | None = None
    classes: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """Number of frames that training forecasts."""
        return self.shape[0] - self.inputs

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step; it also holds the mean of all true output frames so far."""
        keys = [jax.random.fold_in(key, i) for i in range(2)]
        frames = jnp.zeros((1, 2, *self.shape[1:]))
        params = {"forecaster": self.forecaster.init(keys[0], frames, 1)["params"]}
        if self.discriminator:
            params["discriminator"] = self.discriminator.init(keys[1], jnp.zeros((1, *self.shape)))["params"]
        return self.optimizer.start(params, {"mean_frame": jnp.zeros(self.shape[1:])})

    def augmented(self, video: jax.Array, places: jax.Array, tones: jax.Array) -> jax.Array:
        """Training clips `[N, T, H, W, C]` uint8 changed at random, float32 in [0, 1]; each has two keys."""
        clips = scaled(augment_clips(video[:, : self.shape[0]], places, **self.changes))
        return shift_tones(clips, tones, self.color) if self.color else clips

    def parted(self, clips: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The input and the output frames of clips `[N, T, H, W, C]`."""
        return clips[:, : self.inputs], clips[:, self.inputs : self.shape[0]]

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `video` `[N, T, H, W, C]` uint8 and, where clips are classified, `label` `[N]`."""
        keys = step.example_keys(jax.random.fold_in(key, state.step), len(batch["video"]))
        draws, places, tones = jax.vmap(lambda key: jax.random.split(key, 3), out_axes=1)(keys)
        inputs, truth = self.parted(self.augmented(batch["video"], places, tones))
        forcing = self.forcing(state.step)
        forced = jax.vmap(lambda key: jax.random.uniform(key, (self.outputs - 1,)))(draws) < forcing

        def terms(params: Any) -> tuple[Metrics, Any]:
            predicted = self.apply(params, inputs, self.outputs, truth, forced)
            terms = self.terms(predicted, inputs, truth, batch, state.step)
            total = sum(terms.values(), jnp.float32(0))
            if self.discriminator:
                loss, parts = self.adversarial(params, inputs, truth, jax.nn.sigmoid(predicted.future))
                total, terms = total + loss, {**terms, **parts}
            return {"loss": total, **terms}, {}

        mean = state.collections["mean_frame"]
        mean += (lax.pmean(jnp.mean(truth, (0, 1)), step.AXIS) - mean) / (state.step + 1)
        moved, metrics = descend(self.optimizer, state, terms)
        return moved.replace(collections={"mean_frame": mean}), {**metrics, "told": forcing}

    def apply(self, params: Any, inputs: jax.Array, count: int, *truth: jax.Array) -> Forecast:
        """The network's output; see `Forecaster`."""
        return self.forecaster.apply({"params": params["forecaster"]}, inputs, count, *truth)  # type: ignore[return-value]

    def frame_loss(self, logits: jax.Array, truth: jax.Array, step: jax.Array) -> jax.Array:
        """The loss `[N]` that frames `[N, T, H, W, C]` have at a step."""
        first, last = self.losses
        if self.finish is None:
            return first(logits, truth)
        return jnp.where(step < self.finish, first(logits, truth), last(logits, truth))

    def terms(self, predicted: Forecast, inputs: jax.Array, truth: jax.Array, batch: Batch, step: jax.Array) -> Metrics:
        """The weighted means of a forecast's losses, those that have a weight."""
        past, future, classes, _ = self.weights
        terms = {}
        if past:
            terms["past"] = past * jnp.mean(self.frame_loss(predicted.past, inputs[:, 1:], step))
        if future:
            terms["future"] = future * jnp.mean(self.frame_loss(predicted.future, truth, step))
        if classes:
            terms["cross_entropy"] = classes * jnp.mean(cross_entropy(predicted.classes, batch["label"]))
        return terms

    def adversarial(
        self, params: Any, inputs: jax.Array, truth: jax.Array, frames: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        """The sum of the discriminator's and the weighted generator's loss of forecast frames, and each for itself."""

        def logits(params: Any, frames: jax.Array) -> jax.Array:
            return self.discriminator.apply({"params": params}, jnp.concatenate([inputs, frames], 1))  # type: ignore

        own, held = params["discriminator"], lax.stop_gradient(params["discriminator"])
        both = logits(own, truth), logits(own, lax.stop_gradient(frames))
        discriminator = jnp.mean(self.objective.discriminator(*both))  # type: ignore[union-attr]
        generator = jnp.mean(self.objective.generator(logits(held, frames)))  # type: ignore[union-attr]
        parts = {"discriminator_loss": discriminator, "adversarial_loss": generator}
        return discriminator + self.weights[3] * generator, parts

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """Scores of forecasts, and of trivial ones, of every clip: `[N]`, by frame `[N, K]`.

        See `frame_scores`; the trivial forecasts are the last input frame, the mean frame of the training, and black.
        """
        inputs, truth = self.parted(scaled(batch["video"]))
        predicted = self.apply(state.best_params, inputs, self.outputs)
        frames = jax.nn.sigmoid(predicted.future)
        metrics = {"loss": self.frame_loss(predicted.future, truth, state.step), **frame_scores(frames, truth)}
        if self.weights[2]:
            metrics["cross_entropy"] = cross_entropy(predicted.classes, batch["label"])
            cells = jax.vmap(lambda label, one: confusion_matrix(label, one, len(self.classes)))
            metrics["confusion"] = cells(batch["label"], jnp.argmax(predicted.classes, -1).astype(jnp.int32))
        return metrics | trivial_scores(inputs, truth, state.collections["mean_frame"])

    def summary(self, means: Mapping[str, Any]) -> dict[str, Any]:
        """An evaluation's metrics: its means and, where clips are classified, the scores of the confusion matrix."""
        if "confusion" not in means:
            return dict(means)
        return {**means, **summary(np.asarray(means["confusion"], np.float64))}

    def charts(self, scores: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The confusion matrix as a picture `[H, W, 3]`, where clips are classified."""
        return {"confusion": confusion_chart(scores["confusion"], self.classes)} if "confusion" in scores else {}

    def class_logits(self, state: TrainState, clips: jax.Array) -> jax.Array:
        """Logits `[N, classes]` of clips `[N, T, H, W, C]` in [0, 1], all of whose frames are input."""
        return self.apply(state.best_params, clips, 1).classes

    def forecast(self, state: TrainState, inputs: jax.Array, count: int) -> jax.Array:
        """The frames that follow.

        Args:
          state: Its moving average is used where there is one.
          inputs: `[N, T, H, W, C]` in [0, 1], at least two frames.
          count: How many; static. It may be more than in the training.

        Returns:
          `[N, count, H, W, C]` in [0, 1].
        """
        return jax.nn.sigmoid(self.apply(state.best_params, inputs, count).future)

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Strips of frames, three a clip: the input, the true output, and the forecast."""
        inputs, truth = self.parted(scaled(batch["video"][:SHOWN]))
        predicted = self.forecast(state, inputs, self.outputs)
        longest = max(self.inputs, self.outputs)
        rows = [jnp.pad(part, ((0, 0), (0, longest - part.shape[1]), *((0, 0),) * 3)) for part in (inputs, truth)]
        rows.append(jnp.pad(predicted, ((0, 0), (0, longest - self.outputs), *((0, 0),) * 3)))
        return {"strips": strips(jnp.stack(rows, 1))[None]}

    def films(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Clips, each with its input frames and the forecast that follows them beside it."""
        inputs, truth = self.parted(scaled(batch["video"][:SHOWN]))
        predicted = self.forecast(state, inputs, self.outputs)
        first, second = (jnp.concatenate([inputs, part], 1) for part in (truth, predicted))
        return {"forecasts": jnp.concatenate([first, jnp.ones_like(first[:, :, :, :1]), second], 3)}


def strips(clips: jax.Array) -> jax.Array:
    """Frames `[N, R, T, H, W, C]` in one picture `[N R H, T W, C]`: a strip a row, R together a clip."""
    count, rows, frames, height, width, channels = clips.shape
    return clips.transpose(0, 1, 3, 2, 4, 5).reshape(count * rows * height, frames * width, channels)
