"""The settings of a stylisation: one frozen dataclass, the only place where defaults stand.

The command line, `configs/style_transfer.py` and Python all read it.
"""

from __future__ import annotations

import dataclasses
import math
import operator
import os
import typing
from collections.abc import Callable, Mapping
from typing import Any

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.features import DEFAULT
from jaxstyle.features.layers import POOLING_SCALE
from jaxstyle.pixels.style_transfer import DISTANCES

LEARNING_RATES = {"adam": 0.02, "lbfgs": 1.0}
INITS = ("content", "noise", "style-stats")
PRESERVE_COLOR = ("none", "luminance", "histogram")
DTYPES = ("float32", "bfloat16")


def setting(default: Any, help: str, choices: typing.Iterable[str] = ()) -> Any:
    """A dataclass field with what the command line needs to know of it."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": tuple(choices)})


@dataclasses.dataclass(frozen=True)
class StyleTransferConfig:
    """How a picture is stylised; every field is also a command-line option. Lists are written `a,b,c` there."""

    size: int = setting(512, "longer side of the result, pixels")
    min_size: int = setting(128, "longer side of the first, smallest scale, pixels; each next one is √2 larger")
    iterations: int = setting(100, "optimiser steps at each scale but the first")
    initial_iterations: int = setting(250, "optimiser steps at the first scale")
    content_weight: float = setting(0.02, "weight of the distance to the photo")
    style_weights: tuple[float, ...] = setting((), "the blend of several styles, one number each (default: equal)")
    tv_weight: float = setting(0.01, "weight of total variation; more is smoother")
    style_loss: str = setting("wasserstein", "distance between statistics of features", DISTANCES)
    optimizer: str = setting("adam", "how the picture is updated", LEARNING_RATES)
    learning_rate: float | None = setting(None, "step size (default: 0.02 for adam, 1 for lbfgs)")
    avg_decay: float = setting(0.95, "decay of the average over iterates, which is the result; 0 takes the last one")
    init: str = setting("content", f"what to start from: {', '.join(INITS)}, or the path of a picture")
    style_scale: float = setting(1.0, "size of the style pictures relative to the result; more gives larger strokes")
    style_size: int | None = setting(None, "longer side of the style pictures, pixels, the same at every scale")
    content_layers: tuple[str, ...] = setting(("relu3_1", "relu4_2"), "layers whose activations stay near the photo's")
    style_layers: tuple[str, ...] = setting(
        ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"), "layers whose statistics come from the styles"
    )
    layer_weights: tuple[float, ...] = setting((8.0, 6.0, 4.0, 2.0, 1.0), "relative weights of the style layers")
    pooling: str = setting("max", "how the network pools", POOLING_SCALE)
    padding: str = setting("replicate", "what the network's first layer sees beyond the frame", ("replicate", "zeros"))
    features: str = setting(DEFAULT, "network that looks at the pictures: a name (jaxstyle features list) or a file")
    preserve_color: str = setting("none", "keep the photo's colours", PRESERVE_COLOR)
    seed: int = setting(0, "of all randomness")
    dtype: str = setting("float32", "in which the network computes", DTYPES)
    devices: int | None = setting(None, "number of devices to spread the pictures over (default: all)")

    def __post_init__(self) -> None:
        """Gives every field its declared type: a list will do for a tuple, 1 for 1.0, a path for its name."""
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, as_declared(field.name, getattr(self, field.name)))

    @property
    def step_size(self) -> float:
        """The learning rate, the optimiser's own where none was set."""
        return LEARNING_RATES[self.optimizer] if self.learning_rate is None else self.learning_rate

    def check(self) -> None:
        """Raises `JaxstyleError` for the first setting that cannot be."""
        for field in dataclasses.fields(self):
            value, choices = getattr(self, field.name), field.metadata["choices"]
            if choices and value not in choices:
                raise JaxstyleError(f"--{option(field.name)} {value!r} is unknown; {did_you_mean(value, choices)}")
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, float) and not math.isfinite(number):
                    raise JaxstyleError(f"--{option(field.name)} is {number}; it must be a finite number")
        for name, least in LEAST.items():
            values = getattr(self, name)
            for value in values if isinstance(values, tuple) else (values,):
                if value is not None and value < least:
                    raise JaxstyleError(f"--{option(name)} is {value:g}; it must be at least {least:g}")
        self.check_relations()

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if self.avg_decay >= 1:
            raise JaxstyleError(f"--avg-decay is {self.avg_decay:g}; it must be below 1")
        if self.style_scale == 0 or self.step_size == 0:
            name = "style-scale" if self.style_scale == 0 else "learning-rate"
            raise JaxstyleError(f"--{name} is 0; it must be above 0")
        if not self.style_layers:
            raise JaxstyleError("--style-layers is empty; name at least one layer")
        if len(self.layer_weights) != len(self.style_layers):
            raise JaxstyleError(
                f"--layer-weights has {len(self.layer_weights)} numbers for {len(self.style_layers)} style layers; "
                "give one for each"
            )
        for name in ("layer_weights", "style_weights"):
            if getattr(self, name) and sum(getattr(self, name)) == 0:
                raise JaxstyleError(f"--{option(name)} are all zero; at least one must be above 0")


LEAST: dict[str, float] = {
    "size": 16,
    "min_size": 16,
    "iterations": 0,
    "initial_iterations": 1,
    "content_weight": 0,
    "style_weights": 0,
    "tv_weight": 0,
    "learning_rate": 0,
    "avg_decay": 0,
    "style_scale": 0,
    "style_size": 16,
    "layer_weights": 0,
    "seed": 0,
    "devices": 1,
}
SWEEPABLE = ("content_weight", "tv_weight", "learning_rate", "avg_decay")
"""Settings that are traced arguments of a step: a sweep over them is one compiled program."""


def option(name: str) -> str:
    """A field's name as the command line spells it."""
    return name.replace("_", "-")


def parse(name: str, text: str) -> Any:
    """A field's value from its command-line spelling.

    Raises:
      JaxstyleError: The text is not of the field's type.
    """
    kind, _ = declared(name)
    try:
        if typing.get_origin(kind) is tuple:
            element = typing.get_args(kind)[0]
            return tuple(element(part.strip()) for part in text.split(",") if part.strip())
        return kind(text)
    except ValueError:
        raise JaxstyleError(f"--{option(name)} {text!r} is not {WANTED.get(kind, 'numbers, written a,b,c')}") from None


def from_mapping(values: Mapping[str, Any]) -> StyleTransferConfig:
    """A checked config of the fields in a mapping.

    Raises:
      JaxstyleError: A key is no setting (the nearest is named), or a value cannot be.
    """
    for name in values:
        if name not in FIELD_TYPES:
            raise JaxstyleError(f"unknown setting {name!r}; {did_you_mean(name, FIELD_TYPES)}")
    config = StyleTransferConfig(**values)
    config.check()
    return config


def as_declared(name: str, value: Any) -> Any:
    """A field's value in its declared type: text is parsed, lists become tuples, whole numbers floats.

    Raises:
      JaxstyleError: It is of another type.
    """
    kind, optional = declared(name)
    if isinstance(value, str) and kind is not str:
        return parse(name, value)
    if value is None and optional:
        return None
    try:
        if typing.get_origin(kind) is tuple:
            return tuple(CONVERT[typing.get_args(kind)[0]](element) for element in value)
        return CONVERT[kind](value)
    except (TypeError, ValueError):
        raise JaxstyleError(f"--{option(name)} is {value!r}; it must be {WANTED.get(kind, 'a tuple')}") from None


def declared(name: str) -> tuple[Any, bool]:
    """A field's type without its `| None`, and whether it had one."""
    kinds = [kind for kind in typing.get_args(FIELD_TYPES[name]) if kind is not type(None)]
    optional = type(None) in typing.get_args(FIELD_TYPES[name])
    return (kinds[0], True) if optional else (FIELD_TYPES[name], False)


CONVERT: dict[Any, Callable[[Any], Any]] = {int: operator.index, float: float, str: os.fspath}
WANTED = {int: "a whole number", float: "a number", str: "a text"}
FIELD_TYPES: dict[str, Any] = typing.get_type_hints(StyleTransferConfig)
