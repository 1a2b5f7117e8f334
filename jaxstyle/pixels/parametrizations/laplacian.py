"""Pictures written as a Laplacian pyramid: large shapes move as readily as fine grain."""

from __future__ import annotations

from jaxstyle.ops import pyramid
from jaxstyle.pixels.parametrizations.bounded import Basis, bounded

LEVELS = 5

PYRAMID_BASIS = Basis(lambda image: pyramid.split(image, LEVELS), pyramid.merge)

PYRAMID = bounded(PYRAMID_BASIS)
"""One array an octave, finest first, summed (tensorflow/lucid, `laplacian_pyramid`), in decorrelated colours."""
