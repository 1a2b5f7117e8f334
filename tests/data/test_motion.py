"""Made-up motion: how far it goes, how smooth it is, and that a key is a motion."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.data.motion import random_motion


def drawn(count=50, height=64, width=96, reach=4.0):
    keys = jax.random.split(jax.random.key(0), count)
    return np.asarray(jax.jit(jax.vmap(lambda key: random_motion(key, height, width, reach)))(keys))


def test_it_reaches_as_far_as_it_may_and_is_smooth():
    flows = drawn()
    assert flows.shape == (50, 64, 96, 2)
    assert 4 < np.abs(flows).max() < 4 * (1 + 1 + 1.5)  # pan, zoom, warp
    assert all(np.abs(np.diff(flows, axis=axis)).max() < 1 for axis in (1, 2))  # nothing is folded over
    assert np.abs(flows.mean()) < 0.5
    assert np.std(flows[:, 0, 0] - flows[:, -1, -1]) > 1  # it is no mere pan


def test_it_scales_with_its_reach_and_is_the_keys_own():
    key = jax.random.key(3)
    one, two = (random_motion(key, 10, 12, reach) for reach in (1.0, 2.0))
    np.testing.assert_allclose(2 * one, two, rtol=1e-5, atol=1e-6)
    assert not jnp.allclose(one, random_motion(jax.random.key(4), 10, 12, 1.0))
    assert not random_motion(key, 10, 12, 0.0).any()
