"""The settings of a forecaster's training: their defaults, what cannot be, and when it is told the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from jaxstyle.data.augment import check_changes
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.losses.adversarial import ADVERSARIAL_LOSSES
from jaxstyle.models.dcgan import levels_of
from jaxstyle.models.forecaster import CELLS
from jaxstyle.training import config as training
from jaxstyle.training.config import at_least
from jaxstyle.training.task import Setting

UNROLL = ("auto", "on", "off")
FALLS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "linear": lambda share: 1 - share,
    "exponential": lambda share: jnp.where(share < 1, 0.01**share, 0.0),
    "sigmoid": lambda share: jnp.where(share < 1, jax.nn.sigmoid(6 - 12 * share), 0.0),
}
"""How the probability of being told the truth falls from 1 to 0 (Bengio et al. 2015, section 2.4)."""


def defaults() -> ConfigDict:
    """A training recipe with this task's own fields."""
    config = training.defaults()
    config.task = "jaxstyle.tasks.forecast"
    config.model.update(inputs=10, outputs=10)  # frames seen and foreseen
    config.model.update(widths=(64, 64), kernel=3, patch=4, cell="lstm", peepholes=False, tied=True)
    config.model.brightness = 0.5  # of what is foreseen before any training; near the frames' mean is best
    config.model.scales = ()  # patches a position of each cell's maps spans, such as (1, 2, 1); not given: 1 for all
    config.model.unroll = "auto"  # steps of time: on a CPU; or on, off
    config.loss = ConfigDict({"bce": 1.0, "mse": 0.0, "l1": 0.0})  # weights of the sum, of every frame
    config.finish = ConfigDict({"bce": 0.0, "mse": 1.0, "l1": 0.0})  # the same, in the last part of the training
    training.duration(config, "finish")  # how long that is; not given: there is none
    config.augment.update(turn=False, color=0.0)  # of whole clips: quarter turns; see shift_tones
    config.past = 1.0  # weight of the input frames, each as foreseen from those before it
    config.future = 1.0  # weight of the frames after them
    config.classify = 0.0  # weight of the clips' classes; 0 for no such head
    config.teacher = ConfigDict({"start": 1.0, "fall": "linear"})  # probability of the truth as next input; its fall
    training.duration(config, "teacher")  # until it is 0; not given: it is 0 from the beginning
    config.adversary = ConfigDict({"objective": "", "weight": 1.0, "width": 32})  # such as hinge; "" for none
    config.best, config.best_mode = "mse", "min"
    return config


def check(config: Any, setting: Setting) -> None:
    """Refuses settings that cannot be; see `forecast.make`."""
    model = config.model
    training.unused(config, "augment.pad", "remat")
    at_least(config, {"model.inputs": 2, "model.outputs": 1, "model.kernel": 1, "model.patch": 1})
    at_least(config, {"past": 0, "future": 0, "classify": 0, "teacher.start": 0, "adversary.weight": 0})
    at_least(config, {"adversary.width": 1, "augment.color": 0})
    at_least(config, {f"{part}.{name}": 0 for part in ("loss", "finish") for name in config[part]})
    for part in ("loss", "finish"):
        if not any(config[part].values()):
            raise JaxstyleError(f"all weights of {part} are 0; give one of {', '.join(config[part])} some weight")
    known = {"model.cell": CELLS, "model.unroll": UNROLL, "teacher.fall": tuple(FALLS)}
    known["adversary.objective"] = ("", *ADVERSARIAL_LOSSES)
    for name, names in known.items():
        given = training.flat(config)[name]
        if given not in names:
            raise JaxstyleError(f"unknown {name} {given!r}; {did_you_mean(given, names)}")
    if not model.widths or min(model.widths) < 1 or model.kernel % 2 == 0:
        raise JaxstyleError("model.widths must be channels of at least one layer, and model.kernel odd")
    if config.teacher.start > 1:
        raise JaxstyleError(f"teacher.start is {config.teacher.start:g}; a probability is at most 1")
    if model.peepholes and model.cell != "lstm":
        raise JaxstyleError("model.peepholes are for model.cell=lstm")
    if config.classify and not setting.classes:
        raise JaxstyleError("clips can be classified only where the dataset has class labels: set classify to 0")
    if not config.classify and not config.past + config.future:
        raise JaxstyleError("past, future and classify are all 0: there is nothing to learn")
    if not 0 < model.brightness < 1:
        raise JaxstyleError(f"model.brightness is {model.brightness:g}; it must be above 0 and below 1")
    check_clips(model, setting.spec["video"].shape)
    check_changes(config.augment, setting.spec["video"].shape[1:])
    if config.adversary.objective:
        levels_of(setting.spec["video"].shape[1:])


def check_clips(model: Any, shape: tuple[int, ...]) -> None:
    """Refuses clips `(T, H, W, C)` that are too short or cannot be cut into patches."""
    frames, height, width, _ = shape
    if frames < model.inputs + model.outputs:
        raise JaxstyleError(
            f"clips of {frames} frames are too short for {model.inputs} to see and {model.outputs} to foresee; "
            "lower --config.model.inputs or --config.model.outputs"
        )
    scales = tuple(model.scales) or (1,) * len(model.widths)
    check_scales(scales, tuple(model.widths))
    side = model.patch * max(scales)
    if height % side or width % side:
        across = f"patches of {model.patch}" if side == model.patch else f"{max(scales)} patches of {model.patch}"
        raise JaxstyleError(
            f"frames of {width}×{height} pixels cannot be cut into {across}: choose a multiple of {side} "
            f"by --config.data.size={math.ceil(min(height, width) / side) * side}, or another model.patch"
        )


def check_scales(scales: tuple[int, ...], widths: tuple[int, ...]) -> None:
    """Refuses scales that do not belong to `widths`, and steps between them that cannot be taken."""
    if len(scales) != len(widths) or scales[-1] != 1 or min(scales) < 1:
        raise JaxstyleError(f"model.scales is {scales}: it must have one number for each of model.widths, the last a 1")
    for before, after, width in zip(scales[:-1], scales[1:], widths[:-1], strict=True):
        fine, coarse = sorted((before, after))
        if coarse % fine or (after < before and width % (coarse // fine) ** 2):
            raise JaxstyleError(
                f"model.scales go from {before} to {after}: one must be a multiple of the other, and on the way to a "
                f"finer scale the {width} channels of model.widths a multiple of its square"
            )


def truth_told(start: float, fall: str, steps: int) -> Callable[[jax.Array], jax.Array]:
    """The probability at a step that the next input is the true frame, not the foreseen one (scheduled sampling).

    Args:
      start: At step 0.
      fall: Name in `FALLS`.
      steps: After which it is 0; 0 for from the beginning.
    """

    def at(step: jax.Array) -> jax.Array:
        share = jnp.minimum(step.astype(jnp.float32) / steps, 1.0) if steps else jnp.float32(1)
        return start * FALLS[fall](share)

    return at
