"""The settings of jobs that give a picture the statistics of others: style transfer and texture synthesis.

One frozen dataclass a job, the only place where its defaults stand; the command line, `configs/` and Python read it.
"""

from __future__ import annotations

import dataclasses
import re

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import DEFAULT
from jaxstyle.features.layers import POOLING_SCALE
from jaxstyle.media.image_resizing import MIN_SIDE
from jaxstyle.perceptual.style import DISTANCES
from jaxstyle.runtime.settings import Settings, named, setting

LEARNING_RATES = {"adam": 0.02, "lbfgs": 1.0}
STEP_SIZES = {"pixels": 1.0, "sigmoid": 4.0, "pyramid": 2.0, "fourier": 2.0, "deep-image-prior": 0.5, "cppn": 0.1}
"""By how much Adam's steps on a parametrisation's numbers are larger than on pixels."""
INITS = ("content", "noise", "style-stats")
ONE_ARRAY = ("pixels", "sigmoid", "fourier")
PRESERVE_COLOR = ("none", "luminance", "histogram")
DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class StyleConfig(Settings):
    """What these jobs have in common, with the defaults of style transfer."""

    size: int | str = setting(512, "of the result, pixels")
    min_size: int = setting(
        128, "longer side of the first, smallest scale, pixels; each next one is √2 larger", least=16
    )
    iterations: int = setting(100, "optimiser steps at each scale but the first", least=0)
    initial_iterations: int = setting(250, "optimiser steps at the first scale", least=1)
    style_weights: tuple[float, ...] = setting(
        (), "the blend of several styles, one number each (default: equal)", least=0
    )
    tv_weight: float = setting(0.01, "weight of total variation; more is smoother", least=0)
    style_loss: str = setting("wasserstein", "distance between statistics of features", DISTANCES)
    optimizer: str = setting("adam", "how the picture is updated", LEARNING_RATES)
    parametrization: str = setting("pixels", "which numbers the optimiser moves to make the picture", STEP_SIZES)
    learning_rate: float | None = setting(
        None, "step size (default: 0.02 for adam on pixels, other parametrisations' own, 1 for lbfgs)", least=0
    )
    avg_decay: float = setting(
        0.95, "decay of the average over iterates, which is the result; 0 takes the last one", least=0
    )
    style_size: int | None = setting(
        None, "longer side of the style pictures, pixels, the same at every scale", least=16
    )
    style_layers: tuple[str, ...] = setting(
        ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"), "layers whose statistics come from the styles"
    )
    layer_weights: tuple[float, ...] = setting(
        (8.0, 6.0, 4.0, 2.0, 1.0), "relative weights of the style layers", least=0
    )
    pooling: str = setting("max", "how the network pools", POOLING_SCALE)
    features: str = setting(DEFAULT, "network that looks at the pictures: a name (jaxstyle features list) or a file")
    seed: int = setting(0, "of all randomness", least=0)
    dtype: str = setting("float32", "in which the network computes", DTYPES)
    devices: int | None = setting(None, "number of devices to spread the pictures over (default: all)", least=1)

    @property
    def step_size(self) -> float:
        """The learning rate, the optimiser's own where none was set."""
        if self.learning_rate is not None:
            return self.learning_rate
        return LEARNING_RATES[self.optimizer] * (STEP_SIZES[self.parametrization] if self.optimizer == "adam" else 1)

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if self.avg_decay >= 1:
            raise JaxstyleError(f"--avg-decay is {self.avg_decay:g}; it must be below 1")
        if self.step_size == 0:
            raise JaxstyleError("--learning-rate is 0; it must be above 0")
        if self.optimizer == "lbfgs" and self.parametrization not in ONE_ARRAY:
            raise JaxstyleError(
                f"--optimizer lbfgs moves one array, and --parametrization {self.parametrization} has several: "
                f"use adam, or {', '.join(ONE_ARRAY)}"
            )
        if not self.style_layers:
            raise JaxstyleError("--style-layers is empty; name at least one layer")
        if len(self.layer_weights) != len(self.style_layers):
            raise JaxstyleError(
                f"--layer-weights has {len(self.layer_weights)} numbers for {len(self.style_layers)} style layers; "
                "give one for each"
            )
        for name in ("layer_weights", "style_weights"):
            if getattr(self, name) and sum(getattr(self, name)) == 0:
                raise JaxstyleError(f"{named(name)} are all zero; at least one must be above 0")


@dataclasses.dataclass(frozen=True)
class StyleTransferConfig(StyleConfig):
    """How a picture is stylised; every field is also a command-line option. Lists are written `a,b,c` there."""

    size: int = setting(512, "longer side of the result, pixels", least=16)
    content_weight: float = setting(0.02, "weight of the distance to the photo", least=0)
    init: str = setting("content", f"what to start from: {', '.join(INITS)}, or the path of a picture")
    style_scale: float = setting(
        1.0, "size of the style pictures relative to the result; more gives larger strokes", least=0
    )
    content_layers: tuple[str, ...] = setting(("relu3_1", "relu4_2"), "layers whose activations stay near the photo's")
    padding: str = setting("replicate", "what the network's first layer sees beyond the frame", ("replicate", "zeros"))
    preserve_color: str = setting("none", "keep the photo's colours", PRESERVE_COLOR)

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if self.style_scale == 0:
            raise JaxstyleError("--style-scale is 0; it must be above 0")
        super().check_relations()


@dataclasses.dataclass(frozen=True)
class TextureConfig(StyleConfig):
    """How a texture is synthesised; every field is also a command-line option. Lists are written `a,b,c` there."""

    size: str = setting("512", "width and height of the texture, pixels: 512, or 640x480")
    iterations: int = setting(200, "optimiser steps at each scale but the first", least=0)
    initial_iterations: int = setting(500, "optimiser steps at the first scale", least=1)
    style_size: int | None = setting(
        None, "longer side at which the exemplars are seen, pixels (default: their own)", least=16
    )
    tileable: bool = setting(False, "a texture that repeats without seams; its sides are multiples of 16 then")

    def __post_init__(self) -> None:
        """As all settings do; a size may also be a number, or width and height."""
        sides = self.size if isinstance(self.size, (tuple, list)) else (self.size,)
        object.__setattr__(self, "size", "x".join(str(side) for side in sides))
        super().__post_init__()

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the texture, in pixels.

        Raises:
          JaxstyleError: The size is neither a number nor two.
        """
        found = re.fullmatch(r"(\d+)(?:[x×](\d+))?", self.size.strip())
        if not found:
            raise JaxstyleError(f"--size {self.size!r} is neither a number of pixels nor WIDTHxHEIGHT, as in 640x480")
        return int(found[2] or found[1]), int(found[1])

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if self.tileable and self.parametrization != "pixels":
            raise JaxstyleError(f"--tileable needs --parametrization pixels, not {self.parametrization}")
        if min(self.shape) < MIN_SIDE:
            raise JaxstyleError(f"--size is {self.size}; each side must be at least {MIN_SIDE}")
        super().check_relations()


SWEEPABLE = ("content_weight", "tv_weight", "learning_rate", "avg_decay")
"""Settings that are traced arguments of a step: a sweep over them is one compiled program."""
