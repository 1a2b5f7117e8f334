"""Pictures that cannot leave [0, 1]: a sigmoid of unbounded numbers, whatever basis those are written in."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.ops.resampling import resize_image
from jaxstyle.pixels.parametrizations.base import Parametrization, Params, unchanged

MARGIN = 0.5 / 255
"""Half a level of 8 bits: black and white are encoded so far from the ends, which a sigmoid never reaches."""

# Square root of the covariance of ImageNet's colours, by columns: a luminance-like axis and two chromatic ones, the
# longest scaled to one (tensorflow/lucid, optvis/param/color.py, `color_correlation_svd_sqrt`).
_ROOT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
CORRELATED = np.asarray(_ROOT / np.linalg.norm(_ROOT, axis=0).max(), np.float32)
PLAIN = np.eye(3, dtype=np.float32)


class Basis(NamedTuple):
    """A linear, invertible way to write pictures of unbounded numbers `[..., H, W, 3]`.

    Attributes:
      analyse: Pictures -> coefficients.
      synthesise: Coefficients -> pictures.
      spatial: Whether the coefficients lie like the pixels.
    """

    analyse: Callable[[jax.Array], Params]
    synthesise: Callable[[Params], jax.Array]
    spatial: bool = False


PIXELS = Basis(lambda image: image, lambda params: params, spatial=True)


def to_rgb(image: jax.Array, colors: np.ndarray) -> jax.Array:
    """Unbounded numbers `[..., 3]` as RGB in (0, 1): mixed by the rows of `colors [3, 3]`, then a sigmoid."""
    return jax.nn.sigmoid(_mix(image, colors))


def from_rgb(image: jax.Array, colors: np.ndarray) -> jax.Array:
    """The inverse of `to_rgb`, of values first moved into [`MARGIN`, 1 - `MARGIN`]."""
    inside = jnp.clip(image, MARGIN, 1 - MARGIN)
    return _mix(jnp.log(inside) - jnp.log1p(-inside), np.linalg.inv(colors))


def _mix(image: jax.Array, matrix: np.ndarray) -> jax.Array:
    # Written as nine multiply-adds: XLA fuses them, where a [H·W, 3] x [3, 3] product is a slow matmul on CPU.
    return jnp.stack([sum(image[..., i] * float(matrix[o, i]) for i in range(3)) for o in range(3)], axis=-1)


def bounded(basis: Basis, colors: np.ndarray = CORRELATED) -> Parametrization:
    """The parametrisation sigmoid(colors · basis(parameters)).

    Args:
      basis: In which the unbounded picture is written.
      colors: `[3, 3]`, `CORRELATED` to move along the axes in which the colours of photographs vary (without it
        optimised pictures turn to garish primaries), or `PLAIN`.

    References:
      Olah, Mordvintsev & Schubert 2017, "Feature Visualization", distill.pub.
    """
    return Parametrization(
        encode=lambda image: basis.analyse(from_rgb(image, colors)),
        decode=lambda params: to_rgb(basis.synthesise(params), colors),
        project=unchanged,
        resize=lambda params, height, width: basis.analyse(resize_image(basis.synthesise(params), height, width)),
        spatial=basis.spatial,
    )


SIGMOID = bounded(PIXELS, PLAIN)
"""Every pixel's colours apart, bounded by a sigmoid instead of by clipping."""
