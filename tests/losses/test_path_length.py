"""Path lengths of linear pictures, by their matrices in float64, and gradients."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.losses import path_lengths

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((3, 5, 4, 6, 2)).astype(np.float32)  # layers, styles -> height, width, channels
STYLES = RNG.standard_normal((7, 3, 5)).astype(np.float32)
KEYS = jax.random.split(jax.random.key(0), 7)


def draw(matrix, styles):
    return jnp.einsum("nls,lshwc->nhwc", styles, matrix)


def test_lengths_are_those_of_the_transposed_jacobian():
    normal = np.float64(jax.vmap(lambda key: jax.random.normal(key, (4, 6, 2)))(KEYS))
    slopes = np.einsum("lshwc,nhwc->nls", np.float64(MATRIX), normal) / np.sqrt(24)
    wanted = np.sqrt((slopes**2).sum(-1).mean(-1))
    np.testing.assert_allclose(path_lengths(lambda styles: draw(MATRIX, styles), STYLES, KEYS), wanted, rtol=1e-5)


def test_the_gradient_of_their_variance_is_finite_even_where_they_are_zero():
    def variance(matrix):
        return jnp.var(path_lengths(lambda styles: jnp.tanh(draw(matrix, styles)), STYLES, KEYS))

    slope = jax.grad(variance)
    step = RNG.standard_normal(MATRIX.shape).astype(np.float32)
    gap = (variance(MATRIX / 9 + 1e-3 * step) - variance(MATRIX / 9 - 1e-3 * step)) / 2e-3
    np.testing.assert_allclose(np.vdot(slope(MATRIX / 9), step), gap, rtol=0.02)  # float32 by differences
    assert np.all(np.isfinite(slope(0 * MATRIX)))
