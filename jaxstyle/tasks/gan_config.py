"""The settings of a GAN's training: their defaults, and what cannot be together."""

from __future__ import annotations

import math
from typing import Any

from ml_collections import ConfigDict

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.losses.adversarial import ADVERSARIAL_LOSSES
from jaxstyle.ops.diff_augment import check_policy
from jaxstyle.training import config as training
from jaxstyle.training.config import unused

ARCHITECTURES = ("dcgan", "resnet")
UPDATES = ("alternating", "simultaneous")


def defaults() -> ConfigDict:
    """A recipe with this task's fields: those of `config.model`, and an optimiser for each player."""
    config = training.defaults()
    config.task = "jaxstyle.tasks.gan"
    config.optimizer.update(learning_rate=2e-4, b1=0.5)  # of the generator
    config.discriminator_optimizer = config.optimizer.copy_and_resolve_references()
    config.model = ConfigDict(
        {
            "architecture": "dcgan",  # or resnet
            "generator_width": 64,  # channels; see the network's docstring
            "discriminator_width": 64,
            "hidden": 0,  # units of a dense layer in each of dcgan's networks; 0 for none
            "latents": 100,
            "conditional": False,  # on the dataset's labels
            "objective": "non-saturating",  # minimax, non-saturating, least-squares, wasserstein, hinge
            "updates": "alternating",  # or simultaneous
            "discriminator_steps": 1,  # a generator step; they share the batch
            "codes": 0,  # among which the noise chooses, as if it were labels; the discriminator guesses them
            "information": 1.0,  # weight of the information that a picture has of its code
            "self_modulation": False,  # of the generator's batch normalisations, by the noise
            "batch_norm": False,  # of the discriminator
            "spectral_norm": False,  # of the discriminator
            "r1": 0.0,  # weight γ of the penalty at real pictures
            "gradient_penalty": 0.0,  # weight of WGAN-GP's penalty
            "penalty_every": 1,  # which examples are penalised: every one, every second, fourth …
            "clip_weights": 0.0,  # limit of the discriminator's parameters; 0 is none
            "augment": (),  # differentiable augmentation: color, translation, cutout
        }
    )
    return config


def check(config: Any) -> None:
    """Refuses settings that cannot be; see `make`."""
    model = config.model
    known = {"architecture": ARCHITECTURES, "objective": tuple(ADVERSARIAL_LOSSES), "updates": UPDATES}
    for name, names in known.items():
        if model[name] not in names:
            raise JaxstyleError(f"unknown {name} {model[name]!r}; {did_you_mean(model[name], names)}")
    check_policy(model.augment)
    for name in ("generator_width", "discriminator_width", "latents", "discriminator_steps", "penalty_every"):
        if model[name] < 1:
            raise JaxstyleError(f"model.{name} is {model[name]}; it must be at least 1")
    if model.discriminator_steps > config.batch_size:
        raise JaxstyleError(
            f"model.discriminator_steps is {model.discriminator_steps}, and they share a batch of {config.batch_size}: "
            "make batch_size a multiple of it"
        )
    if model.codes and not (2 <= model.codes <= model.latents):
        raise JaxstyleError(f"model.codes is {model.codes}; it must be from 2 to model.latents, {model.latents}, or 0")
    if model.codes and model.conditional:
        raise JaxstyleError("model.codes are in place of labels: set them to 0, or model.conditional to False")
    for name in ("r1", "gradient_penalty", "clip_weights", "information"):
        if not 0 <= model[name] < math.inf:
            raise JaxstyleError(f"model.{name} is {model[name]:g}; it must be a number from 0")
    penalised = model.r1 > 0 or model.gradient_penalty > 0
    if model.hidden < 0 or (model.hidden and model.architecture != "dcgan"):
        raise JaxstyleError(f"model.hidden is {model.hidden}; it is for the architecture 'dcgan', from 0")
    if model.batch_norm and model.architecture != "dcgan":
        raise JaxstyleError("model.batch_norm is for the architecture 'dcgan'; 'resnet' takes model.spectral_norm")
    if model.batch_norm and penalised:
        raise JaxstyleError(
            "a penalty on the discriminator's gradient takes each picture for itself, and batch normalisation mixes "
            "them: set model.batch_norm to False, or model.r1 and model.gradient_penalty to 0"
        )
    unused(config, "augment.pad", "augment.flip")


def small(config: ConfigDict) -> ConfigDict:
    """A recipe cut down to some steps of narrow networks on `jaxstyle_shapes/tiny`, which needs nothing."""
    config.data.update(name="jaxstyle_shapes/tiny", data_dir="{workdir}/data", folder="", size=16)
    config.update(train_steps=6, eval_steps=3, checkpoint_steps=3, log_steps=2, batch_size=64)
    config.model.update(generator_width=8, discriminator_width=8, hidden=min(config.model.hidden, 16))
    return config
