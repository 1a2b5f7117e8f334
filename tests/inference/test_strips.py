"""Strips give the picture of the whole pass, take its statistics exactly, and hold no more than a strip."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.inference import strips
from jaxstyle.models.adain import AdaIN, Styles
from jaxstyle.models.padded_network import PaddedNetwork
from jaxstyle.models.style_network import StyleNetwork
from jaxstyle.models.transport_network import TransportNetwork
from jaxstyle.ops.moments import moments


def random(*shape):
    return np.random.default_rng(3).random(shape, np.float32)


def style_network(kind=StyleNetwork):
    network, x, weights = kind(2, 4, 1), random(1, 64, 16, 3), np.array([[0.25, 0.75]], np.float32)
    return network, jax.jit(network.init)(jax.random.key(0), x[:, :8, :8], weights)["params"], (x,), weights


def padded_network():
    return style_network(PaddedNetwork)


def any_style(share=1.0):
    shares = random(1, 64, 16, 2) / 2 * np.array([1, share], np.float32)
    network, carry = AdaIN(((4,), (6,))), (random(1, 64, 16, 3), shares)
    seen = jax.vmap(moments)(random(2, 5, 5, 6))
    style = Styles(jax.tree.map(lambda leaf: leaf[None], seen), jnp.array([0.8]))
    return (
        network,
        jax.jit(network.init)(jax.random.key(0), *(leaf[:, :8, :8] for leaf in carry), style)["params"],
        carry,
        style,
    )


def any_style_without_a_share():
    return any_style(0.0)


def transported(share=1.0):
    shares = random(1, 64, 16, 2) / 2 * np.array([1, share], np.float32)
    network, carry = TransportNetwork(((4,), (5,), (6,)), 2, 1, window=5), (random(1, 64, 16, 3), shares)
    init = functools.partial(network.init, method="reconstruct")
    params = jax.jit(init)(jax.random.key(0), carry[0][:, :16])["params"]
    look = functools.partial(network.apply, {"params": params}, method="style_of")
    style = Styles(jax.tree.map(lambda leaf: leaf[None], jax.jit(look)(random(2, 20, 20, 3))), jnp.array([0.8]))
    return network, params, carry, style


def transported_without_a_share():
    return transported(0.0)


MAKERS = [style_network, padded_network, any_style, any_style_without_a_share, transported, transported_without_a_share]


@pytest.mark.parametrize(
    "make", [pytest.param(make, marks=[pytest.mark.slow] * (make is not any_style)) for make in MAKERS]
)
def test_strips_give_the_same_picture(make):
    network, params, carry, style = make()
    whole = jax.jit(lambda params, carry, style: network.apply({"params": params}, *carry, style))(params, carry, style)
    made = strips.run(network, params, carry, style, 21)  # rounded up to 24: two strips of 24 rows, one of 16
    # Statistics summed in another order round otherwise, by some 1e-7 a layer; transport amplifies it.
    np.testing.assert_allclose(made, whole, atol=2e-4 if isinstance(network, TransportNetwork) else 2e-5)
    assert np.std(whole) > 0.05


def test_a_strip_is_given_a_bounded_number_of_rows_whatever_the_picture():
    pieces = StyleNetwork().segments
    for first, end in ((0, 1), (0, 3), (4, 6), (12, 15), (0, len(pieces))):
        small, large = (strips.strips(pieces[first:end], height, 64) for height in (2048, 4096))
        assert {strip.given for strip in small} == {strip.given for strip in large}
        assert [strip.first for strip in large] == list(range(0, large[-1].first + 64, 64))
    assert strips.strips(pieces[:2], 1024, 32)[5].given <= 64 + 2 * (1 + 4) + 2


def test_a_program_needs_memory_for_its_strip_only():
    network, params, _, weights = style_network()

    def temporary(height, rows):
        part, known = (jax.ShapeDtypeStruct((1, height, 512, 3), jnp.float32),), [None]
        program = strips.program().lower(network, 0, 1, rows, params, part, known, weights, 0)
        return program.compile().memory_analysis().temp_size_in_bytes

    assert temporary(72, 64) < temporary(512, 504) / 4
