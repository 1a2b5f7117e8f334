"""The config of a GAN's training: its defaults, and its checks."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ml_collections import ConfigDict

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.adversarial import ADVERSARIAL_LOSSES, RELATIVISTIC
from jaxstyle.models import dcgan, progressive, r3gan, resnet_gan, stylegan2
from jaxstyle.ops.diff_augment import check_policy
from jaxstyle.runtime.settings import named
from jaxstyle.training.config import OptimizerConfig, TrainingConfig, at_least, one_of, unused

ARCHITECTURES: dict[str, Any] = {
    "dcgan": dcgan,
    "resnet": resnet_gan,
    "r3gan": r3gan,
    "stylegan2": stylegan2,
    "progressive": progressive,
}
"""Modules with a `build` and `OPTIONS`, as those of `models/dcgan.py`."""
OBJECTIVES = {**ADVERSARIAL_LOSSES, "relativistic": RELATIVISTIC}
UPDATES = ("alternating", "simultaneous")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The generator, the discriminator, and how they are trained."""

    architecture: str = "dcgan"  # resnet, r3gan, stylegan2, progressive
    generator_width: int = 64  # channels; see the network's docstring
    discriminator_width: int = 64
    hidden: int = 0  # units of a dense layer in each of dcgan's networks; 0 for none
    blocks: int = 2  # residual blocks of r3gan at each size of feature maps
    group: int = 16  # channels that r3gan's grouped convolutions take together
    mapping: int = 8  # layers of stylegan2's mapping network
    growth: float = 0.7  # share of the run in which progressive's sizes are faded in, one after the other
    style_mixing: float = 0.0  # share of stylegan2's pictures in training with two styles; the paper has .9
    path_length: float = 0.0  # weight of stylegan2's path length regularisation; the paper has 2, off at small sizes
    patch: int = 1  # pixels a side that r3gan makes, or takes, as channels of one
    latents: int = 100
    conditional: bool = False  # on the dataset's labels
    objective: str = "non-saturating"  # minimax, non-saturating, least-squares, wasserstein, hinge, relativistic
    updates: str = "alternating"  # or simultaneous
    discriminator_steps: int = 1  # a generator step; they share the batch
    codes: int = 0  # among which the noise chooses, as if it were labels; the discriminator guesses them
    information: float = 1.0  # weight of the information that a picture has of its code
    self_modulation: bool = False  # of the generator's batch normalisations, by the noise
    batch_norm: bool = False  # of the discriminator
    spectral_norm: bool = False  # of the discriminator
    r1: float = 0.0  # weight γ of the penalty at real pictures
    r2: float = 0.0  # weight of the same penalty at generated pictures; with it neither skips an example
    gradient_penalty: float = 0.0  # weight of WGAN-GP's penalty
    final_penalty: float = 1.0  # share of the penalties' weights at the end, on a cosine
    penalty_every: int = 1  # which examples are penalised: every one, every second, fourth …
    clip_weights: float = 0.0  # limit of the discriminator's parameters; 0 is none
    augment: tuple[str, ...] = ()  # differentiable augmentation: color, translation, cutout
    adaptive: float = 0.0  # adaptive augmentation (ADA): mean sign of real logits that it aims at, .6; 0 for none
    adaptive_examples: int = 500_000  # in which its probability can go from 0 to 1


def adam() -> OptimizerConfig:
    """Adam as DCGAN has it (Radford et al. 2016, section 4)."""
    return OptimizerConfig(learning_rate=2e-4, b1=0.5)


@dataclasses.dataclass(frozen=True)
class Config(TrainingConfig):
    """The fields of a GAN's training."""

    task: str = "jaxstyle.tasks.gan"
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=adam)  # of the generator
    discriminator_optimizer: OptimizerConfig = dataclasses.field(default_factory=adam)


def check(config: Config) -> None:
    """Raises `JaxstyleError` for fields that cannot be, alone or together."""
    model = config.model
    known = {
        "model.architecture": tuple(ARCHITECTURES),
        "model.objective": tuple(OBJECTIVES),
        "model.updates": UPDATES,
    }
    one_of(config, known)
    check_policy(model.augment)
    positive = ["generator_width", "discriminator_width", "latents", "discriminator_steps", "penalty_every"]
    positive += ["blocks", "group", "mapping", "patch", "adaptive_examples"]
    at_least(config, {f"model.{name}": 1 for name in positive})
    if model.discriminator_steps > config.batch_size:
        raise JaxstyleError(
            f"{named('model.discriminator_steps')} is {model.discriminator_steps}, and they share a batch of "
            f"{config.batch_size}: make {named('batch_size')} a multiple of it"
        )
    if model.codes and not (2 <= model.codes <= model.latents):
        most = f"{named('model.latents')}, {model.latents}"
        raise JaxstyleError(f"{named('model.codes')} is {model.codes}; it must be from 2 to {most}, or 0")
    if model.codes and model.conditional:
        both = named("model.codes"), named("model.conditional")
        raise JaxstyleError(f"{both[0]} are in place of labels: set them to 0, or {both[1]} to False")
    for name in ("style_mixing", "adaptive", "growth"):
        if not 0 <= getattr(model, name) <= 1:
            raise JaxstyleError(f"{named(f'model.{name}')} is {getattr(model, name):g}; it must be from 0 to 1")
    for name in ("r1", "r2", "gradient_penalty", "final_penalty", "clip_weights", "information", "path_length"):
        if not 0 <= getattr(model, name) < math.inf:
            raise JaxstyleError(f"{named(f'model.{name}')} is {getattr(model, name):g}; it must be a number from 0")
    if model.r2 and model.penalty_every > 1:
        both = named("model.r2"), named("model.penalty_every")
        raise JaxstyleError(f"{both[0]} is at every example: set {both[1]} to 1, or {both[0]} to 0")
    check_architecture(model)
    unused(config, "augment.pad", "augment.flip")


def check_architecture(model: ModelConfig) -> None:
    """Raises `JaxstyleError` for fields that do not suit the architecture, or each other."""
    for name in sorted({name for module in ARCHITECTURES.values() for name in module.OPTIONS}):
        able = [repr(key) for key, module in ARCHITECTURES.items() if name in module.OPTIONS]
        if repr(model.architecture) not in able and getattr(model, name) != getattr(ModelConfig(), name):
            one = f"{named(f'model.{name}')} is {getattr(model, name)}, but {model.architecture!r} has none"
            raise JaxstyleError(f"{one}; it is for the architecture {' or '.join(able)}")
    if model.hidden < 0:
        raise JaxstyleError(f"{named('model.hidden')} is {model.hidden}; it must be from 0")
    if model.batch_norm and (model.r1 > 0 or model.r2 > 0 or model.gradient_penalty > 0):
        raise JaxstyleError(
            "a penalty on the discriminator's gradient takes each picture for itself, and batch normalisation mixes "
            f"them: set {named('model.batch_norm')} to False, or {named('model.r1')}, {named('model.r2')} and "
            f"{named('model.gradient_penalty')} to 0"
        )


def small(config: ConfigDict) -> ConfigDict:
    """A recipe cut down to some steps of narrow networks on `jaxstyle_shapes/tiny`, which needs no download."""
    config.data.update(name="jaxstyle_shapes/tiny", data_dir="{workdir}/data", folder="", size=16)
    config.update(train_steps=6, eval_steps=3, checkpoint_steps=3, log_steps=2, batch_size=64)
    config.model.update(generator_width=8, discriminator_width=8, hidden=min(config.model.hidden, 16))
    return config
