import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxstyle.runtime import compiling


def convolution(x, kernel):
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def text(function, *arguments):
    return function.lower(*arguments).compile().as_text()


def test_options_are_for_cpus_only():
    assert set(compiling.options("cpu")) <= set(compiling.CPU)
    more = {name for name, value in compiling.QUICK.items() if compiling.known(name, value)}
    assert set(compiling.options("cpu", quick=True)) == set(compiling.options("cpu")) | more
    assert compiling.options("gpu") == compiling.options("tpu", quick=True) == {}


def test_an_option_that_xla_does_not_have_is_left_out(monkeypatch):
    monkeypatch.setitem(compiling.CPU, "xla_cpu_no_such_option", "true")
    assert "xla_cpu_no_such_option" not in compiling.options.__wrapped__("cpu")


def test_convolutions_do_not_go_to_the_library_of_one_core():
    arguments = jnp.ones((8, 32, 32, 32)), jnp.ones((3, 3, 32, 32))
    assert "ynn" not in text(compiling.jit(convolution), *arguments)
    assert "convolution" in text(compiling.jit(convolution), *arguments)


@pytest.mark.parametrize("value", [0, 1])
def test_a_product_by_a_constant_matrix_of_equal_values_is_no_garbage(value):
    x, y = jax.random.normal(jax.random.key(0), (2, 64, 256))
    added = compiling.jit(lambda x, y: y + x @ jnp.full((256, 256), value, jnp.float32))(x, y)
    assert jnp.allclose(added, y + value * jnp.sum(x, 1, keepdims=True), atol=1e-4)  # 256 roundings of sums of about 16


@pytest.mark.parametrize("devices", [1, 2])
def test_a_mapped_program_is_compiled_once_for_each_shape(devices):
    program = compiling.pmap(lambda x: 2 * x, devices=jax.devices()[:devices])
    for length in (3, 4, 3, 4, 3):
        x = jnp.arange(devices * length, dtype=jnp.float32).reshape(devices, length)
        assert jnp.array_equal(program(x), 2 * x)
    assert len(program.compiled) == 2
