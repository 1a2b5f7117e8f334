"""Modulated convolution: equal to a convolution by every example's own kernel, with gradients of any order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxstyle.ops.modulation import EqualDense, ModulatedConv, modulated_convolution

RNG = np.random.default_rng(0)
X, KERNEL = RNG.standard_normal((3, 5, 4, 2)).astype(np.float32), RNG.standard_normal((3, 3, 2, 6)).astype(np.float32)
STYLES = RNG.standard_normal((3, 2)).astype(np.float32)


def own_kernels(demodulate):
    """`[N, h, w, C, D]` float64, by the paper's equations 1 and 3."""
    kernels = np.float64(STYLES)[:, None, None, :, None] * np.float64(KERNEL)[None]
    return kernels / np.sqrt((kernels**2).sum((1, 2, 3), keepdims=True) + 1e-8) if demodulate else kernels


@pytest.mark.parametrize("demodulate", [True, False])
def test_it_is_a_convolution_by_every_examples_own_kernel(demodulate):
    padded, expected = np.pad(np.float64(X), ((0, 0), (1, 1), (1, 1), (0, 0))), np.zeros((3, 5, 4, 6))
    for n, kernel in enumerate(own_kernels(demodulate)):
        for i in range(3):
            for j in range(3):
                expected[n] += padded[n, i : i + 5, j : j + 4] @ kernel[i, j]
    found = modulated_convolution(X, KERNEL, STYLES, demodulate=demodulate)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)  # 18 float32 products each


def as_groups(x, kernel, styles):
    """The published form: all examples as groups of one grouped convolution."""
    count, height, width, channels = x.shape
    kernels = styles[:, None, None, :, None] * kernel[None]
    kernels = kernels * lax.rsqrt(jnp.sum(kernels**2, (1, 2, 3), keepdims=True) + 1e-8)
    wide = x.transpose(1, 2, 0, 3).reshape(1, height, width, count * channels)
    flat = kernels.transpose(1, 2, 3, 0, 4).reshape(3, 3, channels, -1)
    layout = ("NHWC", "HWIO", "NHWC")
    y = lax.conv_general_dilated(wide, flat, (1, 1), "SAME", dimension_numbers=layout, feature_group_count=count)
    return y.reshape(height, width, count, -1).transpose(2, 0, 1, 3)


def test_the_gradient_of_a_gradient_is_that_of_the_grouped_form():
    def penalty(function):
        def loss(kernel, styles):
            slopes = jax.grad(lambda x: jnp.sum(jnp.tanh(function(x, kernel, styles))))(jnp.asarray(X))
            return jnp.sum(slopes**2)

        return jax.jit(jax.grad(loss, (0, 1)))(KERNEL, STYLES)

    for found, expected in zip(penalty(modulated_convolution), penalty(as_groups), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_style_of_zeros_has_finite_gradients_of_second_order():
    def slope(styles):
        return jnp.sum(jax.grad(lambda s: jnp.sum(modulated_convolution(X, KERNEL, s) ** 2))(styles) ** 2)

    assert np.all(np.isfinite(jax.jit(jax.grad(slope))(jnp.zeros_like(STYLES))))


def test_an_equalized_layer_learns_at_its_rate():
    """Outputs have unit variance whatever the rate, and a step of the parameters moves them `rate` times as far."""
    x = RNG.standard_normal((2000, 64)).astype(np.float32)
    for rate in (1.0, 0.01):
        layer = EqualDense(8, rate)
        variables = layer.init(jax.random.key(0), x)
        assert np.std(variables["params"]["kernel"]) == pytest.approx(1 / rate, rel=0.1)
        assert np.std(layer.apply(variables, x)) == pytest.approx(1, rel=0.1)
        moved = jax.tree.map(lambda leaf: leaf + 1.0, variables)
        way = layer.apply(moved, x[:1]) - layer.apply(variables, x[:1])
        np.testing.assert_allclose(way, np.full((1, 8), rate * (x[0].sum() / 8 + 1)), rtol=1e-2, atol=1e-4)


def test_noise_counts_by_its_strength():
    layer, w, maps = ModulatedConv(6), jnp.ones((3, 7)), jnp.asarray(RNG.standard_normal((3, 5, 4, 1)), jnp.float32)
    variables = layer.init(jax.random.key(0), X, w, maps)
    plain = layer.apply(variables, X, w, maps)
    params = {**variables["params"], "strength": jnp.float32(0.5)}
    difference = layer.apply({"params": params}, X, w, maps) - plain
    np.testing.assert_allclose(difference, np.broadcast_to(0.5 * maps, plain.shape), atol=1e-5)
