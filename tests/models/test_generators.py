"""The networks that stand for one picture: against NumPy, of any size, and at any resolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.models.cppn import CPPN, coordinates
from jaxstyle.models.hourglass import Hourglass


def test_a_cppn_is_numpys():
    module, points = CPPN(width=5, layers=3), np.random.default_rng(0).standard_normal((7, 2)).astype(np.float32)
    variables = module.init(jax.random.key(0), points)
    x = points.astype(np.float64)
    for i in range(3):
        layer = variables["params"][f"dense{i}"]
        x = np.arctan(x @ np.float64(layer["kernel"]) + np.float64(layer["bias"]))
        x = np.concatenate([x / 0.67, x * x / 0.6], -1)
    np.testing.assert_allclose(module.apply(variables, points), x, atol=1e-5)
    assert x.shape == (7, 10)


def test_coordinates_are_of_unit_variance_and_lie_at_the_centers_of_pixels():
    square = np.asarray(coordinates(64, 64))
    np.testing.assert_allclose(square.std((0, 1)), 1, atol=1e-3)
    np.testing.assert_allclose(square.mean((0, 1)), 0, atol=1e-6)
    coarse, fine = np.asarray(coordinates(6, 8)), np.asarray(coordinates(12, 16))
    np.testing.assert_allclose(fine.reshape(6, 2, 8, 2, 2).mean((1, 3)), coarse, atol=1e-6)
    assert np.all(np.diff(coarse[:, 0, 0]) > 0) and np.all(np.diff(coarse[0, :, 1]) > 0)


@pytest.mark.parametrize(
    "shape", [(17, 23), *(pytest.param(shape, marks=pytest.mark.slow) for shape in [(16, 16), (9, 40)])]
)
def test_an_hourglass_gives_features_of_every_pixel(shape):
    module = Hourglass(width=6, skip=2, depth=3)
    noise = jnp.asarray(np.random.default_rng(0).random((*shape, 3)), jnp.float32)
    features, _ = jax.jit(module.init_with_output)(jax.random.key(0), noise)
    assert features.shape == (*shape, 6) and features.dtype == jnp.float32 and np.isfinite(features).all()
    # Each channel was normalised: its mean is about that of a leaky ReLU of a standard normal variable, 0.8 / √(2 π).
    np.testing.assert_allclose(np.mean(features, (0, 1)), 0.32, atol=0.12)
