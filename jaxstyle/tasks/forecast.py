"""Foreseeing films: some frames are seen, those after them foretold, by a convolutional recurrent network.

As options the clips are classified by a second head, and the forecaster plays against a discriminator of clips. Both
players then move at once: one loss holds both, each blind to the other's parameters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.data.augment import augment_clips, shift_tones
from jaxstyle.losses.adversarial import ADVERSARIAL_LOSSES, AdversarialLoss
from jaxstyle.losses.classification import cross_entropy
from jaxstyle.losses.frames import weighted_frame_loss
from jaxstyle.media.charts import confusion_chart
from jaxstyle.metrics.confusion import confusion_matrix, summary
from jaxstyle.metrics.structural import psnr, ssim
from jaxstyle.models.forecaster import Forecast, Forecaster
from jaxstyle.models.video_discriminator import VideoDiscriminator
from jaxstyle.tasks.common import descend, scaled
from jaxstyle.tasks.forecast_config import check, defaults, truth_told
from jaxstyle.training import step
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, Setting

__all__ = ["FilmForecast", "defaults", "fields", "make"]

FrameLoss = Callable[[jax.Array, jax.Array], jax.Array]

SHOWN = 8  # clips in a film or a picture of strips
RANGE = 2.0  # of pixels, as OpenSTL's SSIM has it; see `ssim`


def fields(config: Any) -> tuple[str, ...]:
    """The fields of an example that this task wants."""
    return ("video", "label") if config.classify else ("video",)


def make(config: Any, setting: Setting) -> FilmForecast:
    """The task of a config, whose fields `defaults` tells.

    Raises:
      JaxstyleError: Clips are too short or cannot be cut into patches, there are no classes, or a setting cannot be.
    """
    check(config, setting)
    model, dtype = config.model, jnp.dtype(config.dtype)
    shape = (model.inputs + model.outputs, *setting.spec["video"].shape[1:])
    forecaster = Forecaster(
        channels=shape[-1],
        widths=tuple(model.widths),
        scales=tuple(model.scales) or None,
        classes=len(setting.classes) if config.classify else 0,
        unroll=model.unroll == "on" or (model.unroll == "auto" and jax.default_backend() == "cpu"),
        dtype=dtype,
        **{name: model[name] for name in ("kernel", "patch", "cell", "peepholes", "brightness", "tied")},
    )
    rival, finish = config.adversary, setting.extent.steps(config, "finish")
    return FilmForecast(
        forecaster=forecaster,
        optimizer=make_optimizer(config.optimizer, setting.extent, setting.steps, config.ema_decay),
        shape=shape,
        inputs=model.inputs,
        losses=(weighted_frame_loss(config.loss), weighted_frame_loss(config.finish)),
        finish=setting.steps - finish if finish else None,
        weights=(config.past, config.future, config.classify, rival.weight),
        changes={name: config.augment[name] for name in ("flip", "turn")},
        color=config.augment.color,
        told=truth_told(config.teacher.start, config.teacher.fall, setting.extent.steps(config, "teacher")),
        discriminator=VideoDiscriminator(shape, rival.width, dtype) if rival.objective else None,
        objective=ADVERSARIAL_LOSSES[rival.objective] if rival.objective else None,
        classes=setting.classes if config.classify else (),
    )


@dataclasses.dataclass(frozen=True)
class FilmForecast:
    """Pure functions of a forecaster's training. Its state's parameters are a dict of the players'.

    Attributes:
      forecaster: The network.
      optimizer: Of all parameters.
      shape: Of a clip, `(T, H, W, C)`, the frames to see and those to foresee.
      inputs: How many frames are seen.
      losses: Of logits and frames, both as in `FRAME_LOSSES`: the first, and that of the last part of the training.
      finish: The step at which that begins; None for never.
      weights: Of the losses of past and future frames, of classes, and of the discriminator's verdict.
      told: Step -> probability that the next input is the true frame.
      changes: Of training clips; options of `augment`.
      color: Of training clips; strength of `shift_tones`.
      discriminator: The other player; None for none.
      objective: What the two play for.
      classes: The names of the clips' classes; empty where they are not classified.
    """

    forecaster: Forecaster
    optimizer: Optimizer
    shape: tuple[int, ...]
    inputs: int
    losses: tuple[FrameLoss, FrameLoss]
    finish: int | None
    weights: tuple[float, float, float, float]
    told: Callable[[jax.Array], jax.Array]
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    color: float = 0.0
    discriminator: VideoDiscriminator | None = None
    objective: AdversarialLoss | None = None
    classes: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """How many frames are foreseen."""
        return self.shape[0] - self.inputs

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step; it also holds the mean of all true frames that were to be foreseen."""
        keys = [jax.random.fold_in(key, i) for i in range(2)]
        frames = jnp.zeros((1, 2, *self.shape[1:]))
        params = {"forecaster": self.forecaster.init(keys[0], frames, 1)["params"]}
        if self.discriminator:
            params["discriminator"] = self.discriminator.init(keys[1], jnp.zeros((1, *self.shape)))["params"]
        return self.optimizer.start(params, {"mean_frame": jnp.zeros(self.shape[1:])})

    def changed(self, video: jax.Array, places: jax.Array, tones: jax.Array) -> jax.Array:
        """Training clips as they are seen: `[N, T, H, W, C]` uint8 to float32 in [0, 1], by two keys each."""
        clips = scaled(augment_clips(video[:, : self.shape[0]], places, **self.changes))
        return shift_tones(clips, tones, self.color) if self.color else clips

    def parted(self, clips: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The frames to see and those to foresee, of clips `[N, T, H, W, C]`."""
        return clips[:, : self.inputs], clips[:, self.inputs : self.shape[0]]

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `video` `[N, T, H, W, C]` uint8 and, where clips are classified, `label` `[N]`."""
        keys = step.example_keys(jax.random.fold_in(key, state.step), len(batch["video"]))
        draws, places, tones = jax.vmap(lambda key: jax.random.split(key, 3), out_axes=1)(keys)
        inputs, truth = self.parted(self.changed(batch["video"], places, tones))
        told = self.told(state.step)
        follow = jax.vmap(lambda key: jax.random.uniform(key, (self.outputs - 1,)))(draws) < told

        def terms(params: Any) -> tuple[Metrics, Any]:
            forecast = self.foretell(params, inputs, self.outputs, truth, follow)
            terms = self.terms(forecast, inputs, truth, batch, state.step)
            total = sum(terms.values(), jnp.float32(0))
            if self.discriminator:
                game, verdicts = self.play(params, inputs, truth, jax.nn.sigmoid(forecast.future))
                total, terms = total + game, {**terms, **verdicts}
            return {"loss": total, **terms}, {}

        mean = state.collections["mean_frame"]
        mean += (lax.pmean(jnp.mean(truth, (0, 1)), step.AXIS) - mean) / (state.step + 1)
        moved, metrics = descend(self.optimizer, state, terms)
        return moved.replace(collections={"mean_frame": mean}), {**metrics, "told": told}

    def foretell(self, params: Any, inputs: jax.Array, count: int, *truth: jax.Array) -> Forecast:
        """What the network foresees; see `Forecaster`."""
        return self.forecaster.apply({"params": params["forecaster"]}, inputs, count, *truth)  # type: ignore[return-value]

    def lost(self, logits: jax.Array, truth: jax.Array, step: jax.Array) -> jax.Array:
        """What frames lose by the loss of a step: `[N]` of `[N, T, H, W, C]`."""
        first, last = self.losses
        if self.finish is None:
            return first(logits, truth)
        return jnp.where(step < self.finish, first(logits, truth), last(logits, truth))

    def terms(self, forecast: Forecast, inputs: jax.Array, truth: jax.Array, batch: Batch, step: jax.Array) -> Metrics:
        """The weighted means of what a forecast loses, those that have a weight."""
        past, future, classes, _ = self.weights
        terms = {}
        if past:
            terms["past"] = past * jnp.mean(self.lost(forecast.past, inputs[:, 1:], step))
        if future:
            terms["future"] = future * jnp.mean(self.lost(forecast.future, truth, step))
        if classes:
            terms["cross_entropy"] = classes * jnp.mean(cross_entropy(forecast.classes, batch["label"]))
        return terms

    def play(self, params: Any, inputs: jax.Array, truth: jax.Array, foreseen: jax.Array) -> tuple[jax.Array, Metrics]:
        """Both players' losses in one number, and each for itself."""

        def judge(params: Any, frames: jax.Array) -> jax.Array:
            return self.discriminator.apply({"params": params}, jnp.concatenate([inputs, frames], 1))  # type: ignore

        own, fixed = params["discriminator"], lax.stop_gradient(params["discriminator"])
        verdicts = judge(own, truth), judge(own, lax.stop_gradient(foreseen))
        against = jnp.mean(self.objective.discriminator(*verdicts))  # type: ignore[union-attr]
        pleased = jnp.mean(self.objective.generator(judge(fixed, foreseen)))  # type: ignore[union-attr]
        return against + self.weights[3] * pleased, {"discriminator_loss": against, "adversarial_loss": pleased}

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """How good forecasts are, and how good trivial ones would be, of every clip: `[N]`, lists `[N, K]` by frame.

        `mse` and `mae` are summed over pixels and averaged over frames, `ssim` is averaged over frames, all as OpenSTL
        has them. The trivial forecasts are the last frame seen, the mean frame of the training, and black.
        """
        inputs, truth = self.parted(scaled(batch["video"]))
        forecast = self.foretell(state.best_params, inputs, self.outputs)
        foreseen = jax.nn.sigmoid(forecast.future)
        squared = jnp.sum(jnp.square(foreseen - truth), (2, 3, 4))
        like = ssim(foreseen, truth, value_range=RANGE)
        metrics = {
            "loss": self.lost(forecast.future, truth, state.step),
            "mse": jnp.mean(squared, 1),
            "ssim": jnp.mean(like, 1),
        }
        metrics["mae"] = jnp.mean(jnp.sum(jnp.abs(foreseen - truth), (2, 3, 4)), 1)
        metrics["psnr"] = jnp.mean(psnr(foreseen, truth), 1)
        metrics |= {"frame_mse": squared, "frame_ssim": like}
        if self.weights[2]:
            metrics["cross_entropy"] = cross_entropy(forecast.classes, batch["label"])
            cells = jax.vmap(lambda label, said: confusion_matrix(label, said, len(self.classes)))
            metrics["confusion"] = cells(batch["label"], jnp.argmax(forecast.classes, -1).astype(jnp.int32))
        return metrics | trivial_scores(inputs, truth, state.collections["mean_frame"])

    def summary(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """What an evaluation reports, of its means; of classified clips with what the confusion matrix tells."""
        if "confusion" not in metrics:
            return metrics
        return {**metrics, **summary(np.asarray(metrics["confusion"], np.float64))}

    def charts(self, scores: dict[str, Any]) -> dict[str, np.ndarray]:
        """The confusion matrix as a picture `[H, W, 3]`, where clips are classified."""
        return {"confusion": confusion_chart(scores["confusion"], self.classes)} if "confusion" in scores else {}

    def class_logits(self, state: TrainState, inputs: jax.Array) -> jax.Array:
        """Logits `[N, classes]` of clips `[N, T, H, W, C]` in [0, 1], all of whose frames are seen."""
        return self.foretell(state.best_params, inputs, 1).classes

    def foresee(self, state: TrainState, inputs: jax.Array, count: int) -> jax.Array:
        """The frames that follow.

        Args:
          state: Its moving average is used where there is one.
          inputs: `[N, T, H, W, C]` in [0, 1], at least two frames.
          count: How many; static. It may be more than in the training.

        Returns:
          `[N, count, H, W, C]` in [0, 1].
        """
        return jax.nn.sigmoid(self.foretell(state.best_params, inputs, count).future)

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Strips of frames, three a clip: those seen, those that truly follow, and those foreseen."""
        inputs, truth = self.parted(scaled(batch["video"][:SHOWN]))
        foreseen = self.foresee(state, inputs, self.outputs)
        longest = max(self.inputs, self.outputs)
        rows = [jnp.pad(part, ((0, 0), (0, longest - part.shape[1]), *((0, 0),) * 3)) for part in (inputs, truth)]
        rows.append(jnp.pad(foreseen, ((0, 0), (0, longest - self.outputs), *((0, 0),) * 3)))
        return {"strips": strips(jnp.stack(rows, 1))[None]}

    def films(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Clips, and beside each what became of it when its first frames were seen and the others foreseen."""
        inputs, truth = self.parted(scaled(batch["video"][:SHOWN]))
        foreseen = self.foresee(state, inputs, self.outputs)
        first, second = (jnp.concatenate([inputs, part], 1) for part in (truth, foreseen))
        return {"forecasts": jnp.concatenate([first, jnp.ones_like(first[:, :, :, :1]), second], 3)}


def trivial_scores(inputs: jax.Array, truth: jax.Array, mean_frame: jax.Array) -> Metrics:
    """Squared error and SSIM, each `[N]` and as of forecasts, of forecasts that take nothing to make.

    Args:
      inputs: `[N, T, H, W, C]` in [0, 1].
      truth: The frames that follow `[N, K, H, W, C]`.
      mean_frame: `[H, W, C]`.
    """
    scores = {}
    for name, frame in (
        ("copy_last", inputs[:, -1:]),
        ("mean_frame", mean_frame[None, None]),
        ("blank", jnp.zeros_like(mean_frame)[None, None]),
    ):
        frames = jnp.broadcast_to(frame, truth.shape)
        scores[f"{name}_mse"] = jnp.mean(jnp.sum(jnp.square(frames - truth), (2, 3, 4)), 1)
        scores[f"{name}_ssim"] = jnp.mean(ssim(frames, truth, value_range=RANGE), 1)
    return scores


def strips(clips: jax.Array) -> jax.Array:
    """Frames `[N, R, T, H, W, C]` in one picture `[N R H, T W, C]`: a strip a row, R together a clip."""
    count, rows, frames, height, width, channels = clips.shape
    return clips.transpose(0, 1, 3, 2, 4, 5).reshape(count * rows * height, frames * width, channels)
