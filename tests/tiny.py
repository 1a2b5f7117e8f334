"""A network, pictures and settings so small that a whole run takes well under a second once it is compiled."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from jaxstyle.features import Features, Weights, build
from jaxstyle.features.architectures import ARCHITECTURES
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_resizing import resize
from jaxstyle.pixels.job import Inputs
from jaxstyle.pixels.stylize import StyleTransferConfig

WIDTHS = (4, 8, 8, 8, 8)
TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
SMALL = {
    "size": 48,
    "min_size": 25,
    "initial_iterations": 4,
    "iterations": 3,
    "style_loss": "mean-std",
    "content_layers": ("relu2_1",),
    "style_layers": TAPS[:3],
    "layer_weights": (1.0, 1.0, 1.0),
}
"""Two stages, 34 px and 48 px, quick to compile; every test that can shares them, and so their programs."""


def weights(gain: float = 1.0) -> Weights:
    """VGG-19 as far as relu5_1 with few channels and random numbers; `gain` multiplies the last kernel."""
    rng = np.random.default_rng(7)
    tensors = {"preprocess/kernel": 4 * np.eye(3, dtype=np.float32), "preprocess/bias": np.full(3, -2, np.float32)}
    inputs = 3
    for layer in ARCHITECTURES["vgg19"]:
        width = WIDTHS[int(layer.name[4]) - 1]
        kernel = rng.standard_normal((3, 3, inputs, width)) * np.sqrt(2 / (9 * inputs))
        tensors[f"{layer.name}/kernel"] = np.asarray(kernel, np.float32)
        tensors[f"{layer.name}/bias"] = np.asarray(0.1 * rng.standard_normal(width), np.float32)
        inputs = width
        if layer.name == "conv5_1":
            break
    tensors["conv5_1/kernel"] *= gain
    tensors["conv5_1/bias"] *= gain
    return Weights("vgg19", tensors)


def features(gain: float = 1.0, **options: str) -> Features:
    """The tiny network in memory."""
    return build("tiny", weights(gain), **options)


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth coloured picture `[H, W, 3]` with some grain."""
    rng = np.random.default_rng(seed)
    coarse = resize(rng.random((5, 6, 3)), height, width)
    return np.clip(coarse + 0.1 * rng.standard_normal((height, width, 3)), 0, 1).astype(np.float32)


def config(**changes: object) -> StyleTransferConfig:
    """`SMALL` settings, with changes."""
    return dataclasses.replace(StyleTransferConfig(), **{**SMALL, **changes})


def options(features_path: pathlib.Path, **changes: object) -> list[str]:
    """The same settings for the command line."""
    values = {**SMALL, "features": features_path, **changes}
    words = []
    for name, value in values.items():
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        words.append(f"--{name.replace('_', '-')}={text}")
    return words


def inputs(**pictures) -> Inputs:
    """Arrays as the inputs of a job; masks and other values as they are."""
    plain = ("content_masks", "style_masks", "mask", "frame", "expected")
    return Inputs({k: list(v) if k in plain else [Picture(each, None) for each in v] for k, v in pictures.items()})
