"""The settings of a dream: one frozen dataclass, the only place where its defaults stand."""

from __future__ import annotations

import dataclasses

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import DEFAULT, Features
from jaxstyle.runtime.settings import Settings, setting

NORMS = ("l2", "mean")
INITS = ("photo", "noise")
PRESERVE_COLOR = ("none", "luminance")
CANDIDATES = ("mixed_5", "inception_4c/output", "relu4_2", "fire8")
"""Layers to dream of where none is named, the first that the network has: deep enough for parts of things."""


@dataclasses.dataclass(frozen=True)
class DreamConfig(Settings):
    """How a picture is dreamt on; every field is also a command-line option. Lists are written `a,b,c` there."""

    size: int = setting(512, "longer side of the result, pixels", least=16)
    octaves: int = setting(4, "number of scales", least=1)
    octave_scale: float = setting(1.4, "by how much each scale is larger than the one before", least=1.01)
    iterations: int = setting(20, "steps at each scale", least=1)
    learning_rate: float = setting(0.005, "mean change of a value at each step, of the range from 0 to 1", least=0)
    layers: tuple[str, ...] = setting((), "layers to dream of (default: the network's usual; --list-layers names all)")
    channels: tuple[int, ...] = setting((), "only these channels of the layers (default: all)", least=0)
    norm: str = setting("l2", "what of the layers to increase: the mean of squares, or the mean", NORMS)
    guide: str | None = setting(None, "picture whose features to dream of")
    mask: str | None = setting(None, "picture, white where to dream; elsewhere the photo stays")
    content_weight: float = setting(0.0, "weight of the distance to the photo at the same layers; 1 and more hold it")
    init: str = setting("photo", "what to start from", INITS)
    jitter: int = setting(32, "random circular shift at every step, pixels each way", least=0)
    smoothing: float = setting(0.5, "blur of the gradient, pixels (also half of it and twice as much)", least=0)
    gradient_octaves: int = setting(0, "frequency octaves of the gradient that get equal steps; 0: as it is", least=0)
    tile_size: int | None = setting(
        None, "longest side of the tiles in which large pictures are looked at (default: where memory asks)", least=64
    )
    preserve_color: str = setting("none", "keep the photo's colours", PRESERVE_COLOR)
    zoom: float = setting(1.0, "enlargement from frame to frame of a film", least=1)
    frames: int = setting(1, "number of frames; more than one make a film", least=1)
    fps: int = setting(24, "frames a second of a film", least=1)
    features: str = setting(DEFAULT, "network that dreams: a name (jaxstyle features list) or a file")
    seed: int = setting(0, "of all randomness", least=0)
    dtype: str = setting("float32", "in which the network computes", ("float32", "bfloat16"))
    devices: int | None = setting(None, "number of devices (default: all; a picture uses one)", least=1)

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if self.learning_rate == 0:
            raise JaxstyleError("--learning-rate is 0; it must be above 0")
        if self.content_weight < 0:
            raise JaxstyleError(f"--content-weight is {self.content_weight:g}; it must be at least 0")
        if self.guide and self.channels:
            raise JaxstyleError("--guide and --channels do not go together: a guide says what to dream of")
        if self.zoom > 1 and self.frames == 1:
            raise JaxstyleError("--zoom makes a film; say how many --frames, for example 120")

    def chosen_layers(self, features: Features) -> tuple[str, ...]:
        """The layers to dream of.

        Raises:
          JaxstyleError: A layer or channel that the network has not.
        """
        usual = [layer for layer in CANDIDATES if layer in features.network.taps]
        taps = features.network.taps
        layers = self.layers or (usual[0] if usual else taps[2 * len(taps) // 3],)
        features.check(layers)
        for layer, shape in features.shapes(layers).items():
            if len(shape) == 1:
                raise JaxstyleError(f"layer {layer!r} has no positions to dream at; name one before it")
            if (highest := max(self.channels, default=0)) >= (width := shape[-1]):
                raise JaxstyleError(f"layer {layer!r} has channels 0 to {width - 1}, and {highest} is none of them")
        return layers
