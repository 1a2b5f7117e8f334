"""Halving and doubling against loops in float64, and their derivatives of first and second order against JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.ops.strided import (
    Double,
    Halve,
    by_blocks,
    by_phases,
    dilated,
    double,
    doubled_kernel,
    halve,
    overlap,
    strided,
)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def halved_by_hand(x, kernel):
    n, h, w, _ = x.shape
    padded = np.pad(np.float64(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.zeros((n, h // 2, w // 2, kernel.shape[3]))
    for i, j in np.ndindex(h // 2, w // 2):
        out[:, i, j] = np.einsum("nhwc,hwcd->nd", padded[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4], kernel)
    return out


def doubled_by_hand(y, kernel):
    n, h, w, _ = y.shape
    painted = np.zeros((n, 2 * h + 2, 2 * w + 2, kernel.shape[2]))
    for i, j in np.ndindex(h, w):
        painted[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum("nd,hwcd->nhwc", np.float64(y[:, i, j]), kernel)
    return painted[:, 1:-1, 1:-1]


def test_both_equal_loops_over_patches():
    x, y, kernel = normal(0, 2, 6, 4, 3), normal(1, 2, 3, 2, 5), normal(2, 4, 4, 3, 5)
    np.testing.assert_allclose(halve(x, kernel), halved_by_hand(x, kernel), rtol=1e-4, atol=1e-4)
    for form in (double, by_phases, by_blocks, dilated):
        np.testing.assert_allclose(form(y, kernel), doubled_by_hand(y, kernel), rtol=1e-4, atol=1e-4)


def test_the_three_are_one_form():
    x, y, kernel = normal(0, 2, 6, 4, 3), normal(1, 2, 3, 2, 5), normal(2, 4, 4, 3, 5)
    form = np.sum(y * halved_by_hand(x, kernel))
    for value in (np.vdot(x, double(y, kernel)), np.vdot(kernel, overlap(x, y)), np.vdot(y, halve(x, kernel))):
        np.testing.assert_allclose(value, form, rtol=1e-4)


def penalized(layers, kernels, x):
    """A penalty on the slope of two layers, so that every second derivative is taken."""
    first, second = layers

    def score(x):
        return jnp.sum(jnp.sin(second(jnp.tanh(first(x, kernels[0])), kernels[1])))

    return jnp.sum(jnp.square(jax.grad(score)(x))) + score(x)


@pytest.mark.parametrize("which", ["halve", "double"])
def test_second_derivatives_equal_those_of_the_plain_convolution(which):
    def transposed(y, kernel):
        large = jax.ShapeDtypeStruct((y.shape[0], 2 * y.shape[1], 2 * y.shape[2], kernel.shape[2]), y.dtype)
        return jax.linear_transpose(lambda x: strided(x, kernel), large)(y)[0]

    ours, plain = {"halve": (halve, strided), "double": (double, transposed)}[which]
    x = normal(0, 2, 8, 4, 3) if which == "halve" else normal(0, 2, 2, 3, 4)
    shapes = [(4, 4, 3, 2), (4, 4, 2, 3)] if which == "halve" else [(4, 4, 3, 4), (4, 4, 2, 3)]
    kernels = [0.3 * normal(i, *shape) for i, shape in enumerate(shapes)]
    found, expected = (
        jax.jit(jax.grad(lambda ks, x, op=op: penalized((op, op), ks, x), (0, 1)))(kernels, x) for op in (ours, plain)
    )
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max())


def test_overlap_has_derivatives_too():
    x, y, kernel = normal(0, 2, 4, 4, 3), normal(1, 2, 2, 2, 5), normal(2, 4, 4, 3, 5)
    by_x, by_y = jax.grad(lambda x, y: jnp.vdot(kernel, overlap(x, y)), (0, 1))(x, y)
    np.testing.assert_allclose(by_x, double(y, kernel), rtol=1e-5)
    np.testing.assert_allclose(by_y, halve(x, kernel), rtol=1e-5)


def three_by_three(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def test_fused_forms_are_pooling_and_upsampling_around_a_convolution():
    x, kernel = normal(0, 2, 6, 4, 3), normal(1, 3, 3, 3, 5)
    convolved = np.asarray(three_by_three(x, kernel))
    pooled = convolved.reshape(2, 3, 2, 2, 2, 5).mean((2, 4))
    module = Halve(5, pooled=True, bias=False)
    np.testing.assert_allclose(module.apply({"params": {"kernel": kernel}}, x), pooled, rtol=1e-4, atol=1e-5)
    upsampled = three_by_three(x.repeat(2, 1).repeat(2, 2), kernel)
    module = Double(5, nearest=True, bias=False)
    np.testing.assert_allclose(module.apply({"params": {"kernel": kernel}}, x), upsampled, rtol=1e-4, atol=1e-5)
    assert doubled_kernel(kernel).shape == (4, 4, 3, 5)


@pytest.mark.parametrize("module", [Halve(5), Double(5), Halve(5, pooled=True), Double(5, nearest=True)])
def test_layers_add_a_bias_and_compute_in_their_dtype(module):
    module = module.clone(dtype=jnp.bfloat16)
    variables = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((2, 6, 4, 3), jnp.float32))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(variables)} == {"float32"}
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), variables["params"])
    params["bias"] = jnp.arange(5, dtype=jnp.float32)
    out = module.apply({"params": params}, jnp.ones((2, 6, 4, 3), jnp.float32))
    assert out.dtype == jnp.bfloat16
    np.testing.assert_array_equal(out[1, 2, 1].astype(jnp.float32), np.arange(5))


def test_odd_sides_are_refused():
    with pytest.raises(JaxstyleError, match="7x6 pixels cannot be halved"):
        halve(jnp.zeros((1, 6, 7, 3)), jnp.zeros((4, 4, 3, 5)))


@pytest.mark.parity
def test_they_are_torchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxstyle[parity]'")
    x, y, kernel = normal(0, 2, 6, 4, 3), normal(1, 2, 3, 2, 5), normal(2, 4, 4, 3, 5)
    channels_first = (0, 3, 1, 2)
    weights = torch.tensor(kernel.transpose(3, 2, 0, 1))
    small = torch.nn.functional.conv2d(torch.tensor(x.transpose(channels_first)), weights, stride=2, padding=1)
    large = torch.nn.functional.conv_transpose2d(
        torch.tensor(y.transpose(channels_first)), weights, stride=2, padding=1
    )
    np.testing.assert_allclose(halve(x, kernel), small.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(double(y, kernel), large.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
