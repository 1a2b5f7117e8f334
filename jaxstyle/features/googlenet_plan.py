"""GoogLeNet as a table (Szegedy et al. 2014, table 1), with the names of Caffe's bvlc_googlenet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Module(NamedTuple):
    """An inception module.

    Attributes:
      source: The layer whose output is its input.
      inputs: The convolutions whose outputs, concatenated, that input is computed from.
      widths: Output channels of `1x1`, `3x3_reduce`, `3x3`, `5x5_reduce`, `5x5` and `pool_proj`.
    """

    source: str
    inputs: tuple[str, ...]
    widths: tuple[int, int, int, int, int, int]


POOL_AFTER = {"inception_3b": "pool3/3x3_s2", "inception_4e": "pool4/3x3_s2"}
PARTS = {"1x1": 1, "3x3_reduce": 1, "3x3": 3, "5x5_reduce": 1, "5x5": 5, "pool_proj": 1}
"""The convolutions of a module and the sides of their kernels."""

OUTPUT_PARTS = ("1x1", "3x3", "5x5", "pool_proj")
"""The convolutions whose outputs, concatenated along the channels, are the module's output."""

_WIDTHS: dict[str, tuple[int, int, int, int, int, int]] = {
    "inception_3a": (64, 96, 128, 16, 32, 32),
    "inception_3b": (128, 128, 192, 32, 96, 64),
    "inception_4a": (192, 96, 208, 16, 48, 64),
    "inception_4b": (160, 112, 224, 24, 64, 64),
    "inception_4c": (128, 128, 256, 24, 64, 64),
    "inception_4d": (112, 144, 288, 32, 64, 64),
    "inception_4e": (256, 160, 320, 32, 128, 128),
    "inception_5a": (256, 160, 320, 32, 128, 128),
    "inception_5b": (384, 192, 384, 48, 128, 128),
}


def _modules() -> Iterator[tuple[str, Module]]:
    source, inputs = "pool2/3x3_s2", ["conv2/3x3"]
    for name, widths in _WIDTHS.items():
        yield name, Module(source, tuple(inputs), widths)
        source, inputs = POOL_AFTER.get(name, f"{name}/output"), [f"{name}/{part}" for part in OUTPUT_PARTS]


MODULES: dict[str, Module] = dict(_modules())


class Convolution(NamedTuple):
    """A convolution: side of its kernel, output channels (None: any), and the convolutions before it."""

    size: int
    width: int | None
    inputs: tuple[str, ...]


def _convolutions() -> Iterator[tuple[str, Convolution]]:
    yield "conv1/7x7_s2", Convolution(7, 64, ())
    yield "conv2/3x3_reduce", Convolution(1, 64, ("conv1/7x7_s2",))
    yield "conv2/3x3", Convolution(3, 192, ("conv2/3x3_reduce",))
    for name, module in MODULES.items():
        for (part, size), width in zip(PARTS.items(), module.widths, strict=True):
            reduced = part in ("3x3", "5x5")
            yield f"{name}/{part}", Convolution(size, width, (f"{name}/{part}_reduce",) if reduced else module.inputs)
    yield "loss3/classifier", Convolution(1, None, tuple(f"{name}/{part}" for part in OUTPUT_PARTS))


CONVOLUTIONS: dict[str, Convolution] = dict(_convolutions())
"""All convolutions by name, in depth order."""
