"""The config of a translation's training: its defaults, and its checks."""

from __future__ import annotations

import dataclasses
import math

from ml_collections import ConfigDict

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.adversarial import ADVERSARIAL_LOSSES
from jaxstyle.runtime.settings import named
from jaxstyle.training.config import AugmentConfig, OptimizerConfig, TrainingConfig, at_least, one_of

METHODS = ("cycle", "paired", "contrastive")
GENERATORS = ("residual", "unet")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The generators, the discriminators, and how they are trained."""

    method: str = "cycle"  # both ways, by cycle consistency; to the second domain: paired, by its pairs, or contrastive
    generator: str = "residual"  # or unet
    generator_width: int = 64  # channels at full size
    blocks: int = 9  # of a residual generator
    normed: bool = True  # whether a residual generator has instance normalisation
    levels: int = 4  # halvings of a unet
    discriminator_width: int = 64
    halvings: int = 3  # of the discriminator: 3 see patches of 70 px, 2 of 34, 1 of 16
    objective: str = "least-squares"  # of the adversarial losses; DualGAN's is wasserstein
    discriminator_steps: int = 1  # a generator step; they share the batch
    clip_weights: float = 0.0  # limit of the discriminators' parameters; 0 is none
    patches: int = 256  # places of a layer, at most, that a contrastive loss tells from each other
    pool: int = 50  # older translations of each domain that the discriminators see besides; 0 is none


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the generators' losses, of pixels in [-1, 1] as the papers have them."""

    adversarial: float = 2.0  # with the ½ of least-squares it is Zhu et al.'s
    cycle: float = 10.0  # L1 between a picture and its translation back
    identity: float = 5.0  # L1 between a picture of the domain translated to and what becomes of it
    pixels: float = 100.0  # L1 between a translation and the true one; of pairs only
    contrastive: float = 1.0  # of places, of translations and of pictures translated to their own domain


@dataclasses.dataclass(frozen=True)
class TranslateAugmentConfig(AugmentConfig):
    """Random changes of training pictures; the same of pairs."""

    crop: int = 0  # side in pixels of the squares cut out; 0 takes pictures whole


def adam() -> OptimizerConfig:
    """Adam as Zhu et al. have it (appendix 7.1): a learning rate that falls to zero over the second half."""
    return OptimizerConfig(learning_rate=2e-4, b1=0.5, schedule="linear", hold=0.5)


@dataclasses.dataclass(frozen=True)
class Config(TrainingConfig):
    """The fields of a translation's training."""

    task: str = "jaxstyle.tasks.translate"
    batch_size: int = 1
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    augment: TranslateAugmentConfig = dataclasses.field(default_factory=TranslateAugmentConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=adam)  # of the generators
    discriminator_optimizer: OptimizerConfig = dataclasses.field(default_factory=adam)


def check(config: Config) -> None:
    """Raises `JaxstyleError` for fields that cannot be, alone or together."""
    model = config.model
    known = {"model.method": METHODS, "model.generator": GENERATORS, "model.objective": tuple(ADVERSARIAL_LOSSES)}
    one_of(config, known)
    sizes = ("generator_width", "discriminator_width", "halvings", "levels", "discriminator_steps", "patches")
    at_least(config, {f"model.{name}": 1 for name in sizes})
    at_least(config, {"model.blocks": 0, "model.pool": 0, "augment.pad": 0, "augment.crop": 0})
    numbers = {f"loss.{name}": value for name, value in dataclasses.asdict(config.loss).items()}
    for name, value in {**numbers, "model.clip_weights": model.clip_weights}.items():
        if not 0 <= value < math.inf:
            raise JaxstyleError(f"{named(name)} is {value:g}; it must be a number from 0")
    if not config.data.two_domains:
        way_out = f"name the second by {named('data.folder_b')}=FOLDER, or {named('data.name_b')}"
        raise JaxstyleError(f"translation needs two domains of pictures: {way_out}")
    if model.method == "contrastive" and model.generator != "residual":
        raise JaxstyleError(
            f"{named('model.method')} is 'contrastive', which compares features of a residual generator: set "
            f"{named('model.generator')} to 'residual'"
        )
    if model.method == "paired" and config.data.pairs != "all":
        raise JaxstyleError(
            f"{named('model.method')} is 'paired', which learns from true translations: set {named('data.pairs')} to "
            "'all', where there are such pairs"
        )


def small(config: ConfigDict) -> ConfigDict:
    """A recipe cut down to some steps of narrow networks on some pictures of `shapes_outlined`."""
    config.data.update(name="shapes_outlined/filled", name_b="shapes_outlined/outlined", folder="", folder_b="")
    config.data.update(split="train[:2%]", eval_split="test[:16]", pairs="eval", size=16)
    config.update(train_steps=6, eval_steps=3, checkpoint_steps=3, log_steps=2, batch_size=8)
    config.model.update(generator_width=4, blocks=1, discriminator_width=4, halvings=1)
    config.augment.crop = 0
    return config
