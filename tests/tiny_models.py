"""Style models of a few channels."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.inference.style_model import StyleModel
from jaxstyle.models.adain import AdaIN, Styles
from jaxstyle.models.style_network import StyleNetwork
from jaxstyle.models.transport_network import TransportNetwork
from jaxstyle.ops.moments import Moments


def known_model():
    """Of two styles, one of which is red and the other blue."""
    network = StyleNetwork(2, 4, 0)
    params = jax.jit(network.init)(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32), np.zeros((1, 2), np.float32))[
        "params"
    ]
    params = jax.device_get(params)
    params["expand3"]["beta"] = np.array([[2, 0, 0], [0, 0, 2]], np.float32)
    return StyleModel(network, params, ("red", "blue"))


def transport_model():
    """Of any style, by optimal transport."""
    network = TransportNetwork(((4,), (5,), (6,)), 2, 1, window=3)
    init = functools.partial(network.init, method="reconstruct")
    params = jax.jit(init)(jax.random.key(0), np.zeros((1, 16, 16, 3), np.float32))["params"]
    return StyleModel(network, jax.device_get(params))


def any_model():
    """Of any style, by AdaIN."""
    network = AdaIN(((4,), (6,)))
    pictures = np.zeros((1, 8, 8, 3), np.float32)
    style = Styles(Moments(jnp.ones((1, 1)), jnp.zeros((1, 1, 6)), jnp.zeros((1, 1, 6, 6))), jnp.ones(1))
    params = jax.jit(network.init)(jax.random.key(0), pictures, pictures[..., :1], style)["params"]
    return StyleModel(network, jax.device_get(params))
