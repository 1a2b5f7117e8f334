"""`convolve` against float64 SciPy and against what JAX derives for its own convolution."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.signal import correlate

from jaxstyle.ops.convolution import PART, Conv, GroupedConv, convolve, convolve_groups, cpu_barrier
from jaxstyle.runtime import compiling

LAYOUT = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}


def arrays(count, side=6, channels=3, features=4):
    rng = np.random.default_rng(0)
    shapes = (count, side, side, channels), (3, 3, channels, features)
    return tuple(jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes)


def plain(x, kernel, *geometry):
    return lax.conv_general_dilated(x, kernel, *geometry, **LAYOUT)


def test_convolve_is_the_cross_correlation():
    x, kernel = arrays(2)
    y = convolve(x, kernel, (1, 1), "VALID", **LAYOUT)
    a, b = np.float64(x), np.float64(kernel)

    def map_of(n, d):
        return sum(correlate(a[n, ..., c], b[..., c, d], "valid") for c in range(3))

    expected = [[map_of(n, d) for d in range(4)] for n in range(2)]
    np.testing.assert_allclose(y, np.moveaxis(expected, 1, -1), rtol=1e-5, atol=1e-5)  # 27 float32 products each


@pytest.mark.parametrize("count", [1, PART, 2 * PART + 5], ids=["one", "a_part", "parts_and_a_rest"])
@pytest.mark.parametrize("geometry", [((1, 1), "SAME"), ((2, 2), "VALID")], ids=["same", "strided"])
def test_gradients_are_those_of_jax(count, geometry):
    x, kernel = arrays(count)

    def loss(function, x, kernel):
        return jnp.sum(jnp.sin(function(x, kernel)))

    ours = jax.grad(lambda *a: loss(lambda x, k: convolve(x, k, *geometry, **LAYOUT), *a), (0, 1))(x, kernel)
    theirs = jax.grad(lambda *a: loss(lambda x, k: plain(x, k, *geometry), *a), (0, 1))(x, kernel)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)  # a kernel's sums over up to 1,332 float32 terms


def test_gradients_of_gradients_are_those_of_jax():
    x, kernel = arrays(PART + 1)

    def penalty(function):
        slope = jax.grad(lambda x, k: jnp.sum(jnp.tanh(function(x, k, (1, 1), "SAME", **LAYOUT))))
        return jax.grad(lambda k: jnp.sum(slope(x, k) ** 2))(kernel)

    np.testing.assert_allclose(penalty(convolve), penalty(lax.conv_general_dilated), rtol=1e-4, atol=1e-3)


def grouped(function, x, kernel):
    return function(x, kernel, (1, 1), "SAME", feature_group_count=2, **LAYOUT)


def test_groups_are_convolved_apart_with_gradients_of_any_order():
    """Against SciPy a group, and JAX's grouped convolution: the gradient of a gradient penalty, as GANs take it."""
    x, kernel = arrays(3, channels=4, features=6)
    kernel = kernel[:, :, :2]  # of two groups of two channels to three
    a, b, y = np.float64(x), np.float64(kernel), grouped(convolve_groups, x, kernel)
    for d, group in ((1, 0), (4, 2)):
        own = sum(correlate(a[1, ..., group + c], b[..., c, d], "same") for c in range(2))
        np.testing.assert_allclose(y[1, ..., d], own, rtol=1e-5, atol=1e-5)  # 18 float32 products each

    def penalty(function):
        def loss(kernel):
            slopes = jax.grad(lambda x: jnp.sum(jnp.tanh(grouped(function, x, kernel))))(x)
            return jnp.sum(slopes**2)

        return jax.jit(jax.grad(loss))(kernel)

    np.testing.assert_allclose(penalty(convolve_groups), penalty(lax.conv_general_dilated), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_groups_are_one_operation_on_accelerators(platform):
    x, kernel = arrays(1, channels=4, features=6)
    traced = jax.jit(lambda x, k: grouped(convolve_groups, x, k)).trace(x, kernel[:, :, :2])
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert text.count("stablehlo.convolution") == (2 if platform == "cpu" else 1)


def test_a_grouped_layer_has_flaxs_parameters_and_values():
    x, _ = arrays(2, channels=4)
    ours, theirs = (layer(6, (3, 3), feature_group_count=2) for layer in (GroupedConv, nn.Conv))
    variables = theirs.init(jax.random.key(0), x)
    assert jax.tree.structure(variables) == jax.tree.structure(ours.init(jax.random.key(0), x))
    np.testing.assert_allclose(ours.apply(variables, x), theirs.apply(variables, x), rtol=1e-5, atol=1e-5)


def test_a_layer_has_flaxs_parameters_and_values():
    x, _ = arrays(2)
    ours, theirs = Conv(5, (3, 3), strides=2), nn.Conv(5, (3, 3), strides=2)
    variables = theirs.init(jax.random.key(0), x)
    assert jax.tree.structure(variables) == jax.tree.structure(ours.init(jax.random.key(0), x))
    np.testing.assert_array_equal(ours.apply(variables, x), theirs.apply(variables, x))


def test_behind_a_barrier_chains_are_computed_once():
    """A chain of six products, each with a second user, has 6 products, not 1 + 2 + … + 6."""

    def chain(x, scales, keep):
        y, total = x, 0.0
        for scale in scales:
            y = keep(jnp.maximum(y * scale + x, 0))
            total += y @ jnp.ones((8, 8))
        return total

    x, scales = jnp.ones((64, 8)), [jnp.full((), 1.0 + i) for i in range(6)]
    compiled = compiling.jit(lambda x, *scales: chain(x, scales, cpu_barrier)).lower(x, *scales).compile()
    if "xla_disable_hlo_passes" in compiling.options("cpu"):
        assert compiled.as_text().count(" multiply(") == 6
    np.testing.assert_array_equal(compiled(x, *scales), chain(x, scales, lambda y: y))


def test_gradients_pass_a_barrier():
    tree = {"a": jnp.arange(3.0), "b": (jnp.ones((2, 2)),)}
    gradients = jax.grad(lambda tree: sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(cpu_barrier(tree))))(tree)
    jax.tree.map(np.testing.assert_array_equal, gradients, jax.tree.map(lambda leaf: 2 * leaf, tree))
