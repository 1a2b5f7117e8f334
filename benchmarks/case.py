"""What both sides of the benchmark are given, in NumPy: one random VGG-19, two pictures, the layers and weights.

It also counts the network's floating-point operations and knows what some accelerators could do at best.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

WIDTHS = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,))  # VGG-19 as far as conv5_1
CONTENT_LAYERS = ("relu4_2",)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
STYLE_WEIGHTS = tuple(2.0**-i / (2 - 2.0**-4) for i in range(5))
CONTENT_WEIGHT, TV_WEIGHT = 0.015, 2.0
CONTENT, STYLE, START = 1, 2, 3  # seeds of the pictures: what to keep, what to look like, where to begin
LEARNING_RATE, AVERAGE_DECAY, BETAS = 0.02, 0.99, (0.9, 0.99)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's colour normalisation

# Dense peak FLOP/s by a part of the device's name: (bfloat16, float32 as both frameworks compute it by default:
# TF32 on NVIDIA since Ampere, bfloat16 passes on TPU). From the vendors' data sheets. T4 has no bfloat16.
PEAKS = {
    "H200": (989e12, 495e12),
    "H100": (989e12, 495e12),
    "A100": (312e12, 156e12),
    "L4": (121e12, 60e12),
    "T4": (None, 8.1e12),
    "TPU v4": (275e12, 275e12),
    "TPU v5 lite": (197e12, 197e12),
    "TPU v5e": (197e12, 197e12),
}


class Case(NamedTuple):
    """One row of the benchmark.

    Attributes:
      size: Height and width of the pictures, in pixels.
      loss: `"gram"` or `"wasserstein"`.
      dtype: In which the network computes, `"float32"` or `"bfloat16"`.
    """

    size: int
    loss: str
    dtype: str


def convolutions() -> Iterator[tuple[str, int, int, int]]:
    """Name, input channels, output channels and halvings of the picture so far, of every convolution."""
    inputs = 3
    for block, widths in enumerate(WIDTHS):
        for i, width in enumerate(widths):
            yield f"conv{block + 1}_{i + 1}", inputs, width, block
            inputs = width


def network_weights(seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """Layer -> `kernel [3, 3, in, out]` (He-initialised) and `bias [out]`; the colour map is not among them."""
    random = np.random.default_rng(seed)
    tree = {}
    for name, inputs, outputs, _ in convolutions():
        kernel = random.standard_normal((3, 3, inputs, outputs), np.float32) * np.float32((2 / (9 * inputs)) ** 0.5)
        bias = random.standard_normal(outputs, np.float32) * np.float32(0.1)
        tree[name] = {"kernel": kernel, "bias": bias}
    return tree


def picture(size: int, seed: int) -> np.ndarray:
    """Noise of every coarseness, `[size, size, 3]` float32 in [0, 1]; another seed, another contrast."""
    random = np.random.default_rng(seed)
    total = np.zeros((size, size, 3), np.float32)
    for octave in range(2, 8):
        cells = random.standard_normal((2**octave, 2**octave, 3), np.float32)
        index = np.arange(size) * 2**octave // size
        total += cells[index][:, index] * np.float32(1.6**-octave)
    return np.clip(0.5 + total / total.std() * (0.1 + 0.05 * seed), 0, 1)


def flops(size: int) -> float:
    """Of an iteration: the convolutions forward, and once more for the input's gradient (weights get none).

    Moments, losses and the optimiser are not counted: they are a few per cent, and Wasserstein-2's differ by side.
    """
    return sum(2 * 2 * 9 * inputs * outputs * (size >> block) ** 2 for _, inputs, outputs, block in convolutions())


def peak_flops(device_kind: str, dtype: str) -> float | None:
    """The device's best dense FLOP/s, None where it is not known."""
    for name, (bfloat16, float32) in PEAKS.items():
        if name.lower() in device_kind.lower():
            return bfloat16 if dtype == "bfloat16" else float32
    return None
