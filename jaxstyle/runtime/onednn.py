"""Convolutions by oneDNN, which jaxlib's x86 wheels carry and XLA does not call: `JAXSTYLE_ONEDNN=1` asks for them.

A convolution that is lowered for a CPU then becomes XLA's custom call of oneDNN, if it `fits`. So do gradients by a
convolution's input, of any order and under any transformation, as JAX writes them as convolutions. Everything else is
lowered as ever: kernels' gradients, programs for other platforms, exported ones.

The form of the call's settings is private to XLA, and a mistake in it ends the process. So the call is tried first, in
a process of its own, where values are compared with XLA's; the verdict is kept for this jaxlib and this processor.
Programs with the call cannot be kept: each process compiles them anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import pathlib
import platform
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
from jax import lax
from jax.experimental.compilation_cache import compilation_cache
from jax.extend.core.primitives import conv_general_dilated_p
from jax.interpreters import mlir

from jaxstyle._version import __version__
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime import atomic
from jaxstyle.runtime.caching import cache_folder

VARIABLE = "JAXSTYLE_ONEDNN"
TARGET = "__onednn$convolution"
SECONDS = 120  # in which a trial must end
PICTURES, KERNELS = (0, 3, 1, 2), ((3, 2, 0, 1), (2, 3, 0, 1))  # dimensions: NHWC, and HWIO or, in gradients, HWOI
TRIALS: tuple[tuple[tuple[int, ...], tuple[int, ...], Any, Any, Any], ...] = (
    ((2, 17, 20, 16), (3, 3, 16, 32), (1, 1), "SAME", (1, 1)),
    ((3, 9, 8, 3), (4, 4, 3, 5), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    ((1, 12, 7, 7), (5, 2, 7, 19), (1, 1), ((4, 0), (1, 1)), (1, 1)),
    ((2, 16, 16, 33), (3, 3, 33, 1), (1, 1), "SAME", (2, 2)),
    ((5, 6, 6, 8), (1, 1, 8, 64), (2, 2), "VALID", (1, 1)),
    ((1, 24, 24, 64), (9, 9, 64, 3), (1, 1), "VALID", (1, 1)),
)
"""Shapes of pictures and kernels, strides, padding and dilation of the kernel."""


def wanted() -> bool:
    """Whether the environment asks for oneDNN; raises `JaxstyleError` where it says neither 0 nor 1."""
    value = os.environ.get(VARIABLE, "")
    if value not in ("", "0", "1"):
        raise JaxstyleError(f"{VARIABLE} is {value!r}; set it to 1 for oneDNN's convolutions on CPUs, or to 0")
    return value == "1"


def use_on_request() -> None:
    """Has JAX lower convolutions for CPUs by oneDNN, if the environment says anything but 0; for `jaxstyle.ops`.

    A version of JAX that keeps its rules elsewhere goes on by them: there the trial fails, which is told.
    """
    if os.environ.get(VARIABLE, "") not in ("", "0"):
        with contextlib.suppress(AttributeError, KeyError):
            register(lambda kernel, y, how: pays(kernel, y, how) and available())


def register(chosen: Callable[[Any, Any, Any], bool]) -> None:
    """Registers the rule by which JAX lowers convolutions for CPUs: to the call, where one `fits` and is chosen."""
    by_xla = mlir._lowerings[conv_general_dilated_p].rule

    def lower(ctx: mlir.LoweringRuleContext, x: Any, kernel: Any, **geometry: Any) -> Any:
        (before, weights), (after,), how = ctx.avals_in, ctx.avals_out, SimpleNamespace(**geometry)
        if may_call(ctx.module_context) and fits(before, weights, after, how) and chosen(weights, after, how):
            return jax.ffi.ffi_lowering(TARGET, api_version=2, backend_config=settings(how))(ctx, x, kernel)
        return by_xla(ctx, x, kernel, **geometry)

    mlir.register_lowering(conv_general_dilated_p, lower, platform="cpu")


def may_call(module: mlir.ModuleContext) -> bool:
    """Whether a program is for this process alone, and no partitioner will split its convolutions over devices."""
    axes: Any = module.axis_context
    whole = axes.manual_axes == {*axes.mesh.axis_names} if hasattr(axes, "manual_axes") else axes.num_devices == 1
    return whole and tuple(module.platforms) == ("cpu",) and not module.lowering_parameters.for_export


def fits(x: Any, kernel: Any, y: Any, how: Any) -> bool:
    """Whether the call can compute a convolution from shapes `x` and `kernel` to `y`, with JAX's parameters `how`."""
    pictures, kernels, results = how.dimension_numbers
    if {x.dtype, kernel.dtype, y.dtype} != {jnp.dtype("float32")} or (pictures, results) != (PICTURES, PICTURES):
        return False
    if kernels not in KERNELS or {how.feature_group_count, how.batch_group_count, *how.lhs_dilation} != {1}:
        return False
    if not all(isinstance(side, int) and side for side in (*x.shape, *kernel.shape, *y.shape)):
        return False
    reach = [(kernel.shape[axis] - 1) * step for axis, step in zip(kernels[2:], how.rhs_dilation, strict=True)]
    return all(0 <= side <= most for sides, most in zip(how.padding, reach, strict=True) for side in sides)


def pays(kernel: Any, y: Any, how: Any) -> bool:
    """Whether oneDNN was measured to be faster than XLA.

    Two cores, times by those of XLA, forward (and by the input), kernels 3×3, C to C channels: 16 .6, 32 .77, 64 .65 to
    .8, 128 .8 to .9, 256 and 512 .7 to .93; 3 to 64 .14 (.48), 1 to 32 .3 (.8); 4×4 with stride 2, 64 to 128, .8; 1×1,
    64 channels, .89. To one channel it gains nothing, and below 256 results a call costs what it saves.
    """
    return kernel.shape[how.dimension_numbers.rhs_spec[0]] > 1 and math.prod(y.shape[:3]) >= 256


def settings(how: Any) -> str:
    """XLA's `BackendConfig` of a convolution (`onednn_config.proto`) as JSON."""
    outputs, inputs, *sides = how.dimension_numbers.rhs_spec
    pictures = {"data": {"batch_dim": 0, "feature_dim": 3, "spatial_dims": [1, 2]}}
    kernel = {"filter": {"input_feature_dim": inputs, "output_feature_dim": outputs, "spatial_dims": sides}}
    before, after = zip(*how.padding, strict=True)
    window = {"pad_left": before, "pad_right": after, "strides": how.window_strides}
    layout = {"dims": 4, "input": pictures, "kernel": kernel, "output": pictures, "feature_groups": 1}
    return json.dumps({"onednn_conv_config": {**layout, "window": {**window, "window_dilations": how.rhs_dilation}}})


def used() -> bool:
    """Whether this process, on a CPU, computes by oneDNN what it can."""
    return available() and jax.default_backend() == "cpu"


@cache
def available() -> bool:
    """Whether oneDNN's convolutions are wanted, there and right; a line on stderr says why, where they are not."""
    if not wanted():
        return False
    if reason := why_not():
        print(f"jaxstyle: {VARIABLE}=1 changes nothing here: {reason}", file=sys.stderr)
        return False
    # To write a program with the call, XLA would take it for another kind of call, and read what is not there.
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    return True


def why_not() -> str:
    """Why oneDNN cannot be used here; "" where it can. The verdict of a trial is kept in the cache folder."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "jaxlib has oneDNN on x86-64 Linux only"
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    processor = sorted({line for line in lines if line.startswith(("model name", "flags"))})
    identity = repr((__version__, jax.__version__, jaxlib.__version__, processor)).encode()
    path = cache_folder("onednn") / f"{hashlib.sha256(identity).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(path.read_text())["why_not"])
    try:
        reason = "" if passes() else f"jaxlib {jaxlib.__version__} has none that computes as XLA does"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"its trial did not end ({type(error).__name__})"
    with contextlib.suppress(OSError):  # it is tried again next time
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(path, json.dumps({"why_not": reason}))
    return reason


def passes() -> bool:
    """Whether a process that does what `trial` does comes to its end."""
    path = os.pathsep.join(filter(None, (str(pathlib.Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path, VARIABLE: "0"}
    environment["JAX_ENABLE_COMPILATION_CACHE"] = "0"
    command = [sys.executable, "-c", "from jaxstyle.runtime import onednn; onednn.trial()"]
    return not subprocess.run(command, env=environment, capture_output=True, timeout=SECONDS, check=False).returncode


def trial() -> None:
    """Compares the call's values and gradients with XLA's; raises where they differ, if the process lives on."""
    by_xla, calls = trial_values(), []

    def chosen(*call: Any) -> bool:
        calls.append(call)
        return True

    register(chosen)
    jax.clear_caches()
    for right, found in zip(by_xla, trial_values(), strict=True):
        np.testing.assert_allclose(found, right, rtol=0, atol=1e-5 * np.abs(right).max())
    assert len(calls) > len(TRIALS), "gradients make calls, too"


def trial_values() -> list[np.ndarray]:
    """Values of `TRIALS`, and gradients by the input."""
    values: list[np.ndarray] = []
    draw = np.random.default_rng(0).standard_normal
    for shape, kernel_shape, strides, padding, dilation in TRIALS:
        convolve = partial(lax.conv_general_dilated, window_strides=strides, padding=padding, rhs_dilation=dilation)

        def energy(x: jax.Array, kernel: jax.Array, convolve: Any = convolve) -> tuple[jax.Array, jax.Array]:
            y = convolve(x, kernel, dimension_numbers=("NHWC", "HWIO", "NHWC"))
            return jnp.sum(jnp.square(y)), y

        arrays = (jnp.asarray(draw(each), jnp.float32) for each in (shape, kernel_shape))
        values += map(np.asarray, jax.jit(jax.grad(energy, has_aux=True))(*arrays))
    return values
