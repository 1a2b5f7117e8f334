"""Warping against SciPy's interpolation, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from jaxstyle.ops.warping import warp


def scene(rng, height=9, width=12):
    """A picture and a flow that leads out of it on all sides."""
    return rng.random((height, width, 3)), rng.normal(0, 3, (height, width, 2))


def test_warped_pictures_agree_with_scipy():
    image, flow = scene(np.random.default_rng(0))
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    places = [rows + flow[..., 1], columns + flow[..., 0]]
    expected = [ndimage.map_coordinates(image[..., c], places, order=1, mode="nearest") for c in range(3)]
    warped, valid = warp(jnp.asarray(image, jnp.float32), jnp.asarray(flow, jnp.float32))
    np.testing.assert_allclose(warped, np.stack(expected, -1), atol=5e-6)  # float32 places, some 10 pixels out
    inside = [(place >= 0) & (place <= side - 1) for place, side in zip(places, image.shape, strict=False)]
    np.testing.assert_array_equal(valid, inside[0] & inside[1])
    assert 0 < valid.mean() < 1


def test_a_flow_to_the_right_and_down_fetches_from_there():
    image = jnp.arange(20.0).reshape(4, 5, 1)
    warped, valid = warp(image, jnp.broadcast_to(jnp.array([2.0, 1.0]), (4, 5, 2)))
    np.testing.assert_array_equal(warped[:3, :3], image[1:, 2:])
    assert valid[:3, :3].all() and valid.sum() == 9


def test_gradients_of_picture_and_flow_are_those_of_differences():
    rng = np.random.default_rng(1)
    image, weights = (jnp.asarray(rng.random((5, 6, 3)), jnp.float32) for _ in range(2))
    flow = jnp.asarray(rng.integers(-2, 2, (5, 6, 2)) + rng.uniform(0.2, 0.8, (5, 6, 2)), jnp.float32)

    def loss(image, flow):
        return jnp.sum(warp(image, flow)[0] * weights)

    for argument, at in ((0, (2, 3, 1)), (1, (2, 3, 0)), (1, (1, 1, 1))):
        step = jnp.zeros((image, flow)[argument].shape).at[at].set(0.1)  # between pixels it is linear
        moved = [[x + sign * step if i == argument else x for i, x in enumerate((image, flow))] for sign in (1, -1)]
        slope = (loss(*moved[0]) - loss(*moved[1])) / 0.2
        np.testing.assert_allclose(jax.grad(loss, argument)(image, flow)[at], slope, atol=1e-4)  # float32, of some 20
