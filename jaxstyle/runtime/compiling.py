"""Options with which XLA compiles programs that run long: those measured to be faster, and refused by no version.

Measured on two cores with jaxlib 0.10.2. XLA hands convolutions on a CPU to YNNPACK, which runs them on one core; kept
away from it, they run on all, 1.6 to 2 times as fast from 32 channels on. And it drops `lax.optimization_barrier`
before it fuses, so that whatever is cheap is computed again by each of its users, at the end of a chain over and over:
a ConvLSTM's backward pass repeated all of time at every step of it. With the barriers left in until then (see
`models.convolution`), that network compiles in half the time, and its step takes three quarters.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax

CPU = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
    "xla_disable_hlo_passes": "cse_barrier_expander",
}
"""Compiler options for CPUs: products go to YNNPACK, each by itself; barriers stay until operations are fused.

Fused with what is around it, a product by a constant matrix whose values are all equal, such as zeros, is garbage."""

QUICK = {"xla_backend_optimization_level": "0"}
"""Compiler options for CPUs, of programs that run a few times: machine code as LLVM first makes it.

Measured on two cores, the network of `jaxstyle apply` at 512 px: 4.0 -> 2.0 s of processor time to compile it, and
.26 -> .48 s for a picture."""


@functools.cache
def options(platform: str, quick: bool = False) -> dict[str, str]:
    """Compiler options for a platform, `cpu`, `gpu` or `tpu`: those of them that this version of XLA has."""
    wanted = CPU | (QUICK if quick else {})
    return {name: value for name, value in wanted.items() if known(name, value)} if platform == "cpu" else {}


@functools.cache
def known(name: str, value: str) -> bool:
    """Whether this version of XLA takes a compiler option."""
    try:
        jax.jit(lambda: 0).lower().compile(compiler_options={name: value})
    except jax.errors.JaxRuntimeError:
        return False
    return True


def jit(function: Callable[..., Any], *, quick: bool = False, **settings: Any) -> Any:
    """`jax.jit`, compiled with the options of the default backend."""
    return jax.jit(function, compiler_options=options(jax.default_backend(), quick), **settings)


def pmap(
    function: Callable[..., Any], *, devices: Sequence[jax.Device] | None = None, quick: bool = False, **settings: Any
) -> Program:
    """`jax.pmap`, compiled with the options of its devices, or of the default backend."""
    platform = devices[0].platform if devices else jax.default_backend()
    return Program(jax.pmap(function, devices=devices, **settings), options(platform, quick))


class Program:
    """A `jax.pmap`, which takes no compiler options, compiled with them: once for each shape of its arguments.

    Args:
      mapped: What `jax.pmap` returns.
      compiler_options: See `options`.
    """

    def __init__(self, mapped: Any, compiler_options: dict[str, str]):
        self.mapped, self.compiler_options = mapped, compiler_options
        self.lower = mapped.lower
        self.compiled: dict[Any, Any] = {}

    def entry(self, *arguments: Any) -> tuple[Any, Any]:
        """The compiled program for arguments of such shapes, and the shapes of its result."""
        leaves, structure = jax.tree.flatten(arguments)
        key = (structure, *((leaf.shape, leaf.dtype) for leaf in leaves))
        if key not in self.compiled:
            lowered = self.lower(*arguments)
            self.compiled[key] = lowered.compile(compiler_options=self.compiler_options), lowered.out_info
        return self.compiled[key]

    def compile(self, *arguments: Any) -> Any:
        """The compiled program for arguments of such shapes."""
        return self.entry(*arguments)[0]

    def prepare(self, *arguments: Any) -> Any:
        """Compiles it for arguments of such shapes before they are at hand; returns the shapes of the result."""
        several = jax.process_count() > 1  # what is compiled here would not be called
        return jax.eval_shape(self.mapped, *arguments) if several else self.entry(*arguments)[1]

    def __call__(self, *arguments: Any) -> Any:
        """Calls it; with several processes as it is, since `jax.pmap` alone joins what each of them holds."""
        return (self.mapped if jax.process_count() > 1 else self.compile(*arguments))(*arguments)
