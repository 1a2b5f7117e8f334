"""The config of a forecaster's training: its defaults, its checks, and the schedule of teacher forcing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.adversarial import ADVERSARIAL_LOSSES
from jaxstyle.models.forecaster import CELLS
from jaxstyle.runtime.settings import named
from jaxstyle.training.config import AugmentConfig, TrainingConfig, at_least, one_of, unused

UNROLL = ("auto", "on", "off")
FALLS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "linear": lambda share: 1 - share,
    "exponential": lambda share: jnp.where(share < 1, 0.01**share, 0.0),
    "sigmoid": lambda share: jnp.where(share < 1, jax.nn.sigmoid(6 - 12 * share), 0.0),
}
"""Falls of the probability of teacher forcing from 1 to 0 (Bengio et al. 2015, section 2.4)."""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The forecaster."""

    inputs: int = 10  # frames that it is given
    outputs: int = 10  # frames that it forecasts
    widths: tuple[int, ...] = (64, 64)  # channels of each recurrent layer
    kernel: int = 3
    patch: int = 4
    cell: str = "lstm"
    peepholes: bool = False
    tied: bool = True
    brightness: float = 0.5  # of forecasts before any training; near the frames' mean is best
    scales: tuple[
        int, ...
    ] = ()  # patches a position of each cell's maps spans, such as (1, 2, 1); not given: 1 for all
    unroll: str = "auto"  # steps of time: on a CPU; or on, off


@dataclasses.dataclass(frozen=True)
class FrameLossConfig:
    """Weights of the losses of every frame in their sum; see `jaxstyle.losses.frames`."""

    bce: float = 1.0
    l1: float = 0.0
    mse: float = 0.0


@dataclasses.dataclass(frozen=True)
class TeacherConfig:
    """Scheduled sampling: the probability that the next input is the true frame, not the forecast one."""

    start: float = 1.0
    fall: str = "linear"


@dataclasses.dataclass(frozen=True)
class AdversaryConfig:
    """A discriminator of clips."""

    objective: str = ""  # such as hinge; "" for none
    weight: float = 1.0  # of the generator's loss
    width: int = 32


@dataclasses.dataclass(frozen=True)
class ClipAugmentConfig(AugmentConfig):
    """Random changes of whole training clips."""

    turn: bool = False  # quarter turns
    color: float = 0.0  # strength of `shift_tones`


@dataclasses.dataclass(frozen=True)
class Config(TrainingConfig):
    """The fields of a forecaster's training."""

    task: str = "jaxstyle.tasks.forecast"
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    loss: FrameLossConfig = dataclasses.field(default_factory=FrameLossConfig)
    finish: FrameLossConfig = dataclasses.field(default_factory=lambda: FrameLossConfig(bce=0.0, mse=1.0))
    finish_steps: int = 0  # length of the last part of the training, which has that loss; not given: there is none
    finish_examples: int = 0
    finish_epochs: float = 0.0
    augment: ClipAugmentConfig = dataclasses.field(default_factory=ClipAugmentConfig)
    past: float = 1.0  # weight of the input frames, each as forecast from those before it
    future: float = 1.0  # weight of the frames after them
    classify: float = 0.0  # weight of the clips' classes; 0 for no such head
    teacher: TeacherConfig = dataclasses.field(default_factory=TeacherConfig)
    teacher_steps: int = 0  # until teacher forcing ends; not given: there is none from the beginning
    teacher_examples: int = 0
    teacher_epochs: float = 0.0
    adversary: AdversaryConfig = dataclasses.field(default_factory=AdversaryConfig)
    best: str = "mse"
    best_mode: str = "min"


def check(config: Config) -> None:
    """Raises `JaxstyleError` for fields that cannot be, alone or together."""
    model = config.model
    unused(config, "augment.pad", "remat")
    at_least(config, {"model.inputs": 2, "model.outputs": 1, "model.kernel": 1, "model.patch": 1})
    at_least(config, {"past": 0, "future": 0, "classify": 0, "teacher.start": 0, "adversary.weight": 0})
    at_least(config, {"adversary.width": 1, "augment.color": 0})
    for part, loss in (("loss", config.loss), ("finish", config.finish)):
        weights = dataclasses.asdict(loss)
        at_least(config, {f"{part}.{name}": 0 for name in weights})
        if not any(weights.values()):
            raise JaxstyleError(f"all weights of {named(part)} are 0; give one of {', '.join(weights)} some weight")
    one_of(config, {"model.cell": CELLS, "model.unroll": UNROLL, "teacher.fall": tuple(FALLS)})
    one_of(config, {"adversary.objective": ("", *ADVERSARIAL_LOSSES)})
    if not model.widths or min(model.widths) < 1 or model.kernel % 2 == 0:
        raise JaxstyleError(
            f"{named('model.widths')} must be channels of at least one layer, and {named('model.kernel')} odd"
        )
    if config.teacher.start > 1:
        raise JaxstyleError(f"{named('teacher.start')} is {config.teacher.start:g}; a probability is at most 1")
    if model.peepholes and model.cell != "lstm":
        raise JaxstyleError(f"{named('model.peepholes')} are for {named('model.cell')}=lstm")
    if not config.classify and not config.past + config.future:
        raise JaxstyleError(
            f"{named('past')}, {named('future')} and {named('classify')} are all 0: there is nothing to learn"
        )
    if not 0 < model.brightness < 1:
        raise JaxstyleError(f"{named('model.brightness')} is {model.brightness:g}; it must be above 0 and below 1")


def check_clips(model: ModelConfig, shape: tuple[int, ...]) -> None:
    """Raises `JaxstyleError` for clips `(T, H, W, C)` that are too short or cannot be cut into patches."""
    frames, height, width, _ = shape
    if frames < model.inputs + model.outputs:
        raise JaxstyleError(
            f"clips of {frames} frames are too short for {model.inputs} inputs and {model.outputs} outputs; "
            f"lower {named('model.inputs')} or {named('model.outputs')}"
        )
    scales = model.scales or (1,) * len(model.widths)
    check_scales(scales, model.widths)
    side = model.patch * max(scales)
    if height % side or width % side:
        across = f"patches of {model.patch}" if side == model.patch else f"{max(scales)} patches of {model.patch}"
        raise JaxstyleError(
            f"frames of {width}×{height} pixels cannot be cut into {across}: choose a multiple of {side} "
            f"by {named('data.size')}={math.ceil(min(height, width) / side) * side}, or another {named('model.patch')}"
        )


def check_scales(scales: tuple[int, ...], widths: tuple[int, ...]) -> None:
    """Raises `JaxstyleError` for scales that do not belong to `widths`, or steps between them that cannot be taken."""
    if len(scales) != len(widths) or scales[-1] != 1 or min(scales) < 1:
        each = f"each of {named('model.widths')}"
        raise JaxstyleError(f"{named('model.scales')} is {scales}: it must have one number for {each}, the last a 1")
    for before, after, width in zip(scales[:-1], scales[1:], widths[:-1], strict=True):
        fine, coarse = sorted((before, after))
        if coarse % fine or (after < before and width % (coarse // fine) ** 2):
            raise JaxstyleError(
                f"{named('model.scales')} go from {before} to {after}: one must be a multiple of the other, and on the "
                f"way to a finer scale the {width} channels of {named('model.widths')} a multiple of its square"
            )


def teacher_forcing(start: float, fall: str, steps: int) -> Callable[[jax.Array], jax.Array]:
    """The probability at a step that the next input is the true frame, not the forecast one (scheduled sampling).

    Args:
      start: At step 0.
      fall: Name in `FALLS`.
      steps: After which it is 0; 0 for from the beginning.
    """

    def at(step: jax.Array) -> jax.Array:
        share = jnp.minimum(step.astype(jnp.float32) / steps, 1.0) if steps else jnp.float32(1)
        return start * FALLS[fall](share)

    return at
