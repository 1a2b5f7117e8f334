"""Image parametrisations: which numbers the optimiser moves, and how a picture is made of them. One idea a file."""

from __future__ import annotations

from collections.abc import Callable

from jaxstyle.pixels.parametrizations.base import (
    FREE_PERIODIC_RGB,
    FREE_RGB,
    PERIODIC_RGB,
    RGB,
    Parametrization,
    unchanged,
)
from jaxstyle.pixels.parametrizations.bounded import SIGMOID, Basis, bounded
from jaxstyle.pixels.parametrizations.fourier import FOURIER
from jaxstyle.pixels.parametrizations.generators import cppn, deep_image_prior
from jaxstyle.pixels.parametrizations.laplacian import PYRAMID
from jaxstyle.pixels.parametrizations.latents import latents
from jaxstyle.pixels.parametrizations.shared import shared_base

__all__ = [
    "BY_NAME",
    "FOURIER",
    "FREE_PERIODIC_RGB",
    "FREE_RGB",
    "PERIODIC_RGB",
    "PYRAMID",
    "RGB",
    "SIGMOID",
    "Basis",
    "Parametrization",
    "bounded",
    "cppn",
    "deep_image_prior",
    "latents",
    "shared_base",
    "unchanged",
]

BY_NAME: dict[str, Callable[[int], Parametrization]] = {
    "pixels": lambda seed: RGB,
    "sigmoid": lambda seed: SIGMOID,
    "pyramid": lambda seed: PYRAMID,
    "fourier": lambda seed: FOURIER,
    "deep-image-prior": deep_image_prior,
    "cppn": cppn,
}
"""Parametrisations by the name that settings use, made from a seed, which only networks need."""
