"""Pictures written in the Fourier basis, each frequency at the size it has in photographs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.pixels.parametrizations.bounded import Basis, bounded

CONTRAST = 4.0
"""Divisor of a picture, as in lucid, by which steps of a given size move it less."""


def hartley(image: jax.Array) -> jax.Array:
    """The discrete Hartley transform over height and width of `[..., H, W, C]`; orthonormal, its own inverse.

    It is the Fourier transform of a real picture written in real numbers, Re F - Im F, as many as pixels and of the
    same shape: nothing is stored twice, and odd and even sizes need no cases.

    References:
      Bracewell 1983, "Discrete Hartley transform".
    """
    spectrum = jnp.fft.fft2(image, axes=(-3, -2), norm="ortho")
    return spectrum.real - spectrum.imag


def amplitudes(height: int, width: int) -> np.ndarray:
    """Size of every coefficient, `[height, width, 1]`: one over its frequency in cycles a pixel.

    Photographs have amplitude spectra of about 1/f (Field 1987), so that coefficients divided by it are all of one
    size, and so are the steps an optimiser takes on them. The constant part counts as one cycle a picture.
    """
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    return (1 / np.maximum(frequency, 1 / max(height, width)) / CONTRAST).astype(np.float32)[..., None]


def _analyse(image: jax.Array) -> jax.Array:
    return hartley(image) / _like(image)


def _synthesise(spectrum: jax.Array) -> jax.Array:
    return hartley(spectrum * _like(spectrum))


def _like(image: jax.Array) -> jax.Array:
    scales = amplitudes(*image.shape[-3:-1])
    return jnp.asarray(scales, image.dtype).reshape((1,) * (image.ndim - 3) + scales.shape)


FOURIER_BASIS = Basis(_analyse, _synthesise)

FOURIER = bounded(FOURIER_BASIS)
"""Coefficients `[..., H, W, 3]` over 1/f in decorrelated colours (tensorflow/lucid, `fft_image`)."""
