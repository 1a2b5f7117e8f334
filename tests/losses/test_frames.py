"""Losses of predicted frames against float64 NumPy, gradients against finite differences."""

import jax
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.frames import FRAME_LOSSES

SHAPE = (2, 3, 4, 5, 1)


def given():
    rng = np.random.default_rng(0)
    return rng.standard_normal(SHAPE).astype(np.float32), rng.uniform(size=SHAPE).astype(np.float32)


def by_hand(name, logits, frames):
    p, t = 1 / (1 + np.exp(-np.float64(logits))), np.float64(frames)
    costs = {"mse": (p - t) ** 2, "l1": abs(p - t), "bce": -t * np.log(p) - (1 - t) * np.log1p(-p)}
    return costs[name].sum((2, 3, 4)).mean(1)


@pytest.mark.parametrize("name", FRAME_LOSSES)
def test_value_and_gradient(name):
    logits, frames = given()
    loss = jax.jit(FRAME_LOSSES[name])
    np.testing.assert_allclose(loss(logits, frames), by_hand(name, logits, frames), rtol=1e-5)
    check_grads(lambda x: loss(x, frames), (logits,), order=1, modes=["rev"], rtol=2e-2, eps=1e-2)  # float32


@pytest.mark.parametrize("name", FRAME_LOSSES)
def test_true_frames_are_the_minimum(name):
    logits, _ = given()
    frames = np.asarray(jax.nn.sigmoid(logits))
    least = FRAME_LOSSES[name](logits, frames)
    for sign in (-1, 1):
        assert np.all(FRAME_LOSSES[name](logits + np.float32(0.1 * sign), frames) > least)


@pytest.mark.parametrize("name", FRAME_LOSSES)
def test_shapes_are_never_broadcast(name):
    logits, frames = given()
    with pytest.raises(JaxstyleError):
        FRAME_LOSSES[name](logits, frames[:, :1])
