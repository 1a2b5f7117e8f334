"""Convolutions with reflection padding against NumPy in float64, and their gradients against the plain form's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from style_reference import convolved, enlarged

from jaxstyle.ops import reflected
from jaxstyle.ops.functional import convolution


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


FORMS = {
    "convolve": lambda x, kernel: convolved(x, kernel),
    "convolve_half": lambda x, kernel: convolved(x, kernel, 2),
    "convolve_double": lambda x, kernel: convolved(enlarged(x), kernel),
}


@pytest.mark.parametrize(
    ("form", "size"), [("convolve", 3), ("convolve", 9), ("convolve_half", 3), ("convolve_double", 3)]
)
def test_each_equals_the_plain_form_borders_included(form, size):
    x, kernel = normal(0, 2, 6, 8, 3), normal(1, size, size, 3, 4)
    expected = np.stack([FORMS[form](picture, kernel) for picture in x])
    np.testing.assert_allclose(getattr(reflected, form)(x, kernel), expected, rtol=1e-4, atol=1e-4)


def plain(form):
    def run(x, kernel):
        x = jnp.repeat(jnp.repeat(x, 2, 1), 2, 2) if form == "convolve_double" else x
        x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
        return convolution(x, kernel, stride=2 if form == "convolve_half" else 1, padding="VALID")

    return run


@pytest.mark.parametrize("form", FORMS)
def test_gradients(form):
    x, kernel = normal(0, 1, 4, 6, 2), normal(1, 3, 3, 2, 2)
    grads = [
        jax.jit(jax.grad(lambda *args, f=f: jnp.sum(jnp.sin(f(*args))), (0, 1)))(x, kernel)
        for f in (getattr(reflected, form), plain(form))
    ]
    for ours, expected in zip(*grads, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def test_pad_to_multiple_mirrors_below_and_to_the_right():
    x = np.arange(10, dtype=np.float32).reshape(1, 5, 2, 1)
    made = np.asarray(reflected.pad_to_multiple(jnp.asarray(x), 4))[0, ..., 0]
    np.testing.assert_array_equal(made, np.pad(x[0, ..., 0], ((0, 3), (0, 2)), mode="reflect"))
