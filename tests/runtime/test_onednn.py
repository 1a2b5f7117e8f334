"""Convolutions by oneDNN: programs' text tells which are lowered to it; values come from processes that may die."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.extend.core.primitives import conv_general_dilated_p
from jax.interpreters import mlir

from jaxstyle.errors import JaxstyleError
from jaxstyle.ops.convolution import Conv, convolve
from jaxstyle.ops.strided import halve
from jaxstyle.runtime import onednn

X, KERNEL = jnp.zeros((4, 16, 16, 8)), jnp.zeros((3, 3, 8, 8))


@pytest.fixture
def lowering():
    """JAX's lowering as it is where oneDNN passed its trial; nothing is compiled."""
    onednn.register(onednn.pays)
    jax.clear_caches()
    yield
    del mlir._platform_specific_lowerings["cpu"][conv_general_dilated_p]
    jax.clear_caches()


def convolution(x, kernel, strides=(1, 1), padding="SAME", **more):
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"), **more)


def calls(function, *arguments, platform="cpu"):
    """The number of oneDNN's convolutions, and of XLA's, in a program."""
    text = jax.jit(function).trace(*arguments).lower(lowering_platforms=(platform,)).as_text()
    return text.count(onednn.TARGET), text.count("stablehlo.convolution(")


@pytest.mark.parametrize("value,expected", [("", False), ("0", False), ("1", True)])
def test_environment_asks_for_it(monkeypatch, value, expected):
    monkeypatch.setenv(onednn.VARIABLE, value)
    assert onednn.wanted() is expected


def test_another_value_is_told(monkeypatch):
    monkeypatch.setenv(onednn.VARIABLE, "yes")
    with pytest.raises(JaxstyleError, match=r"JAXSTYLE_ONEDNN is 'yes'; set it to 1 .* or to 0"):
        onednn.wanted()


def test_programs_are_unchanged_unless_it_is_asked_for():
    assert calls(convolution, X, KERNEL) == (0, 1)


@pytest.mark.usefixtures("lowering")
class TestLowering:
    def test_forward_and_by_the_input_but_not_by_the_kernel(self):
        def energy(x, kernel):
            return jnp.sum(jnp.square(convolve(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))))

        assert calls(energy, X, KERNEL) == (1, 0)
        assert calls(jax.grad(energy), X, KERNEL) == (2, 0)
        assert calls(jax.grad(energy, 1), X, KERNEL) == (1, 1)

    def test_under_vmap_and_pmap(self):
        x = jnp.stack([X, X])
        assert calls(jax.vmap(convolution, (0, None)), x, KERNEL) == (1, 0)
        mapped = jax.pmap(convolution, in_axes=(0, None), devices=jax.devices()[:2])
        assert onednn.TARGET in mapped.lower(x, KERNEL).as_text()
        assert calls(jax.vmap(convolution), x, jnp.stack([KERNEL, KERNEL])) == (0, 1)  # one grouped convolution

    def test_what_it_cannot_or_what_does_not_pay_is_left_to_xla(self):
        left = [
            calls(convolution, X.astype(jnp.bfloat16), KERNEL.astype(jnp.bfloat16)),
            calls(lambda x, k: convolution(x, k, feature_group_count=2), X, KERNEL[:, :, :4]),
            calls(lambda x, k: convolution(x, k, padding=((1, 1), (1, 1)), lhs_dilation=(2, 2)), X, KERNEL),
            calls(lambda x, k: convolution(x, k, padding=((3, 3), (3, 3))), X, KERNEL),
            calls(lambda x, k: convolution(x, k, padding=((-1, 1), (1, 1))), X, KERNEL),
            calls(convolution, X, KERNEL[..., :1]),
            calls(convolution, X[:, :4, :4], KERNEL),
            calls(convolution, X[:0], KERNEL),
        ]
        assert left == [(0, 1)] * len(left)

    def test_strides_and_dilated_kernels(self):
        assert calls(lambda x, k: convolution(x, k, strides=(2, 2)), jnp.concatenate([X] * 4), KERNEL) == (1, 0)
        assert calls(lambda x, k: convolution(x, k, rhs_dilation=(2, 2)), X, KERNEL) == (1, 0)

    @pytest.mark.parametrize("platform", ["cuda", "tpu"])
    def test_never_on_other_platforms(self, platform):
        assert calls(convolution, X, KERNEL, platform=platform) == (0, 1)

    def test_never_in_exported_programs(self):
        for platforms in (("cpu",), ("cpu", "cuda", "tpu")):
            module = export.export(jax.jit(convolution), platforms=platforms)(X, KERNEL).mlir_module()
            assert onednn.TARGET not in module
            assert "stablehlo.convolution" in module

    def test_never_where_a_partitioner_would_have_to_split_it(self):
        mesh = jax.make_mesh((2,), ("n",), devices=jax.devices()[:2])
        spread = jax.device_put(X, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("n")))
        assert onednn.TARGET not in jax.jit(convolution).lower(spread, KERNEL).as_text()

    def test_layers_make_calls(self):
        layer = Conv(8, (3, 3))
        params = jax.eval_shape(layer.init, jax.random.key(0), X)
        assert calls(layer.apply, params, X) == (1, 0)
        assert calls(halve, jnp.zeros((4, 32, 32, 8)), jnp.zeros((4, 4, 8, 8))) == (1, 0)


@pytest.fixture
def trial(monkeypatch, tmp_path):
    """The results of trials, taken one by one."""
    results = []
    monkeypatch.setenv("JAXSTYLE_CACHE", str(tmp_path))
    monkeypatch.setattr(onednn, "passes", lambda: results.pop(0)())
    monkeypatch.setattr(onednn.sys, "platform", "linux")
    monkeypatch.setattr(onednn.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(onednn.pathlib.Path, "read_text", read_processor)
    return results


def read_processor(path, read=onednn.pathlib.Path.read_text):
    return "model name: any\nflags: avx2\n" if str(path) == "/proc/cpuinfo" else read(path)


@pytest.mark.parametrize("passes", [True, False])
def test_verdict_is_kept(trial, tmp_path, passes):
    trial.append(lambda: passes)
    reason = onednn.why_not()
    assert (reason == "") == passes
    assert onednn.why_not() == reason  # a second trial would find no result
    (kept,) = (tmp_path / "onednn").iterdir()
    assert json.loads(kept.read_text()) == {"why_not": reason}


def test_trial_without_an_end_is_repeated(trial):
    def late():
        raise subprocess.TimeoutExpired("python", 1)

    trial += [late, lambda: True]
    assert onednn.why_not() == "its trial did not end (TimeoutExpired)"
    assert onednn.why_not() == ""


def test_jax_that_keeps_its_rules_elsewhere_keeps_them(monkeypatch):
    monkeypatch.setenv(onednn.VARIABLE, "1")
    monkeypatch.delattr(mlir, "_lowerings")
    with pytest.raises(AttributeError):  # so that the trial fails
        onednn.register(onednn.pays)
    onednn.use_on_request()
    assert conv_general_dilated_p not in mlir._platform_specific_lowerings["cpu"]


def test_failure_is_told_once_and_xla_computes(trial, monkeypatch, capsys):
    monkeypatch.setenv(onednn.VARIABLE, "1")
    onednn.available.cache_clear()
    trial.append(lambda: False)
    try:
        assert not onednn.used()
        assert not onednn.available()
    finally:
        onednn.available.cache_clear()
    assert capsys.readouterr().err.count("JAXSTYLE_ONEDNN=1 changes nothing here: jaxlib") == 1


VALUES = """
import jax, numpy as np
from jax import numpy as jnp
from jaxstyle.ops.convolution import convolve
from jaxstyle.ops.functional import convolution
from jaxstyle.runtime import compiling, onednn

rng = np.random.default_rng(0)
x, a, b = (rng.standard_normal(shape).astype("float32") for shape in ((6, 18, 17, 5), (3, 3, 5, 9), (4, 4, 9, 3)))

def network(x, a, b):
    y = jnp.tanh(convolve(x, a, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")))
    return convolution(y, b, stride=2, padding=((1, 1), (1, 2)))

def penalty(x, a, b):
    return jnp.sum(jnp.square(jax.grad(lambda x: jnp.sum(jnp.sin(network(x, a, b))))(x)))

def results():
    yield from (compiling.jit(network)(x, a, b), *compiling.jit(jax.grad(penalty, (0, 1, 2)))(x, a, b))
    yield compiling.jit(jax.vmap(network, (0, None, None)))(np.stack([x, 2 * x]), a, b)
    yield compiling.pmap(network, in_axes=(0, None, None))(np.stack([x] * len(jax.devices())), a, b)
    loop = lambda x: jax.lax.map(lambda one: network(one[None], a, b), x)
    yield compiling.jit(loop)(np.concatenate([x] * 4))

text = jax.jit(network).lower(x, a, b).as_text()
padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))).astype(float)
shifts = [(i, j) for i in range(3) for j in range(3)]
by_numpy = sum(np.tensordot(padded[:, i:i + 18, j:j + 17], a[i, j].astype(float), 1) for i, j in shifts)
single = compiling.jit(lambda x: convolution(x, a))
first = [np.asarray(each) for each in results()]
again = [np.asarray(each) for each in results()]
assert all(np.array_equal(one, other) for one, other in zip(first, again)), "not deterministic"
np.testing.assert_allclose(single(x), by_numpy, atol=2e-5)  # float32 sums of 45 products
print(text.count(onednn.TARGET), onednn.used())
np.savez(__import__("sys").argv[1], *first)
"""


@pytest.mark.slow
def test_values_are_those_of_xla(tmp_path):
    """In whole programs; R1's gradient is of second order. No program is written to JAX's compilation cache."""
    done = {}
    for value in ("0", "1"):
        kept = tmp_path / f"compiled{value}"
        own = {"JAXSTYLE_CACHE": str(tmp_path), onednn.VARIABLE: value, "JAX_COMPILATION_CACHE_DIR": str(kept)}
        command = [sys.executable, "-W", "error", "-c", VALUES, str(tmp_path / f"{value}.npz")]
        environment = {**os.environ, **own, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        done[value] = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done[value].returncode == 0, done[value].stderr
    if "changes nothing here" in done["1"].stderr:
        pytest.skip(done["1"].stderr.strip())
    assert (done["0"].stdout, done["1"].stdout) == ("0 False\n", "2 True\n")
    assert any((tmp_path / "compiled0").iterdir())
    assert not list((tmp_path / "compiled1").glob("*-cache"))
    xla, by_onednn = (np.load(tmp_path / f"{value}.npz") for value in ("0", "1"))
    for name in xla.files:
        largest = np.abs(xla[name]).max()
        np.testing.assert_allclose(by_onednn[name], xla[name], rtol=0, atol=2e-5 * largest)  # float32's rounding
