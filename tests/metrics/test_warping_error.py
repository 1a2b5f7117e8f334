"""The warping error against SciPy in float64."""

import jax
import numpy as np
import pytest
from scipy import ndimage

from jaxstyle.errors import JaxstyleError
from jaxstyle.metrics import warping_error


def scene(seed, height=9, width=12):
    rng = np.random.default_rng(seed)
    frames = rng.random((2, height, width, 3)).astype(np.float32)
    return *frames, rng.normal(0, 2, (height, width, 2)).astype(np.float32), rng.random((height, width), np.float32)


def reference(frame, previous, flow, weights):
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
    places = [rows + np.float64(flow[..., 1]), columns + np.float64(flow[..., 0])]
    warped = np.stack([ndimage.map_coordinates(np.float64(previous[..., c]), places, order=1) for c in range(3)], -1)
    inside = (places[0] >= 0) & (places[0] <= frame.shape[0] - 1) & (places[1] >= 0) & (places[1] <= frame.shape[1] - 1)
    weights = weights * inside
    return np.sum(weights * np.mean((frame - warped) ** 2, -1)) / np.sum(weights)


def test_the_warping_error_is_the_reference():
    frame, previous, flow, weights = scene(0)
    wanted = reference(frame, previous, flow, weights)
    np.testing.assert_allclose(jax.jit(warping_error)(frame, previous, flow, weights), wanted, rtol=1e-5)  # float32
    np.testing.assert_allclose(warping_error(frame, previous, flow), reference(frame, previous, flow, 1), rtol=1e-5)


def test_a_film_that_moves_as_the_flow_says_has_none():
    frame = scene(1)[0]
    flow = np.broadcast_to(np.float32([2, -1]), (9, 12, 2))
    moved = np.roll(frame, (1, -2), (0, 1))
    assert warping_error(moved, frame, flow) < 1e-12 < warping_error(frame, frame, flow)
    nowhere = np.broadcast_to(np.float32(100), (9, 12, 2))
    assert warping_error(frame, moved, nowhere) == 0  # nothing is known


def test_its_gradient_is_that_of_differences():
    frame, previous, flow, weights = scene(2)
    slope = jax.grad(warping_error)(frame, previous, flow, weights)
    step = np.zeros_like(frame)
    step[4, 5, 1] = 0.01
    ahead, back = (warping_error(frame + sign * step, previous, flow, weights) for sign in (1, -1))
    np.testing.assert_allclose(slope[4, 5, 1], (ahead - back) / 0.02, rtol=1e-2)  # a difference of float32 values


def test_shapes_that_do_not_fit_are_refused():
    frame, previous, flow, _ = scene(3)
    with pytest.raises(JaxstyleError, match="do not fit"):
        warping_error(frame[:, :4], previous, flow)
