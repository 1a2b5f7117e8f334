"""The ReLU whose gradient finds a way out of dead layers."""

import jax
import jax.numpy as jnp
import numpy as np
import tiny

from jaxstyle.features.layers import redirected_relu


def slope(x, cotangent):
    return np.asarray(jax.vjp(redirected_relu, jnp.asarray(x))[1](jnp.asarray(cotangent))[0])


def test_where_something_is_alive_it_is_a_relu():
    x = np.array([[-1.0, 2.0, -3.0, 4.0]], np.float32)
    g = np.array([[-5.0, 6.0, 7.0, -8.0]], np.float32)
    np.testing.assert_array_equal(redirected_relu(x), [[0, 2, 0, 4]])
    np.testing.assert_array_equal(slope(x, g), [[0, 6, 0, -8]])


def test_a_dead_picture_is_raised_and_never_lowered_whatever_its_neighbors():
    x = np.array([[-1.0, -2.0, 3.0], [-1.0, -2.0, 3.0]], np.float32)
    g = np.array([[-5.0, 6.0, 0.0], [-5.0, 6.0, 1.0]], np.float32)
    np.testing.assert_array_equal(slope(x, g), [[-5, 0, 0], [0, 0, 1]])


def test_a_dead_channel_of_a_network_comes_to_life():
    features = tiny.features()
    params = jax.tree.map(np.copy, features.params)
    params["conv2_1"]["bias"] -= 40.0
    picture = tiny.picture(0, 16, 16)[None]

    def loss(picture, network):
        return -jnp.mean(network.apply({"params": params}, picture, ("relu2_1",))[1]["relu2_1"][..., 3])

    dead = jax.grad(loss)(picture, features.network)
    alive = jax.grad(loss)(picture, features.network.clone(relu=redirected_relu))
    assert not np.any(dead) and np.any(alive)
