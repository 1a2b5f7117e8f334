"""Finished style models taken away: one file that stylises pictures without jaxstyle, as StableHLO or ONNX."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import export, lax

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.apply import StyleOptions
from jaxstyle.inference.style_model import StyleModel
from jaxstyle.inference.styles import blend_of, encode_styles, known_weights, read_paintings, usual_size
from jaxstyle.media.image_resizing import MIN_SIDE
from jaxstyle.media.image_writing import write_whole
from jaxstyle.models.adain import Styles

SUFFIXES = (".stablehlo", ".onnx")
PLATFORMS = ("cpu", "cuda", "tpu")
ONNX_SIZE = (512, 512)  # height and width by default


class Signature(NamedTuple):
    """A function to be exported.

    Attributes:
      function: Of a style model, pictures `[n, h, w, 3]` in [0, 1] and further arguments -> pictures likewise; see
        `jaxstyle.inference.export_networks` for others.
      names: Of its arguments.
      shapes: Of its arguments, float32 (`labels` int32): numbers, and letters, or multiples of them such as `4*h`, for
        sides that may be any.
      output: Name of its result.
    """

    function: Callable[..., jax.Array]
    names: tuple[str, ...]
    shapes: tuple[tuple[int | str, ...], ...]
    output: str = "stylised"

    def arguments(self, shapes: Sequence[Any]) -> list[jax.ShapeDtypeStruct]:
        """Shapes with their dtypes."""
        kinds = [jnp.int32 if name == "labels" else jnp.float32 for name in self.names]
        return [jax.ShapeDtypeStruct(shape, kind) for shape, kind in zip(shapes, kinds, strict=True)]


def signature(
    model: StyleModel, style: Any = None, *, strength: float = 1.0, style_size: int | None = None
) -> Signature:
    """A model as a pure function, its parameters within.

    Args:
      model: Of which.
      style: As `jaxstyle.apply_style` takes it: it is then within, too. None leaves it an argument: `weights [n, S]` of
        a model of S styles (of sum 1), or `paintings [n, a, b, 3]` of a model of any style; a model of one style has
        no such argument.
      strength: Of a model of any style, from 0 to 1, where a style is chosen.
      style_size: Longer side at which chosen paintings are seen, in pixels; None is 512, where they are not smaller.

    Raises:
      JaxstyleError: The model has no such style, or a painting cannot be read.
    """
    network, params, blend = model.network, model.params, blend_of(style)
    pictures: tuple[int | str, ...] = ("n", "h", "w", 3)

    def apply(pictures: jax.Array, *rest: Any) -> jax.Array:
        made: Any = network.apply({"params": params}, pictures, *rest)
        return jnp.clip(made, 0, 1)

    if model.any_style and not blend:

        def of_paintings(pictures: jax.Array, paintings: jax.Array) -> jax.Array:
            encoded = network.apply({"params": params}, paintings, method="style_of")
            return apply(pictures, *anywhere(pictures, jax.tree.map(lambda leaf: leaf[:, None], encoded), 1.0, None))

        return Signature(of_paintings, ("pictures", "paintings"), (pictures, ("n", "a", "b", 3)))
    if model.any_style:
        paintings = read_paintings([each for each, _ in blend])
        encoded = encode_styles(model, paintings, style_size or usual_size(paintings), strength).encoding
        parts = [share for _, share in blend]
        return Signature(lambda x: apply(x, *anywhere(x, encoded, strength, parts)), ("pictures",), (pictures,))
    if not blend and len(model.styles) > 1:
        return Signature(apply, ("pictures", "weights"), (pictures, ("n", len(model.styles))))
    weights = known_weights(model, blend)
    return Signature(
        lambda x: apply(x, jnp.broadcast_to(weights, (x.shape[0], weights.shape[1]))), ("pictures",), (pictures,)
    )


def anywhere(
    pictures: jax.Array, encoded: Any, strength: float, parts: Sequence[float] | None
) -> tuple[jax.Array, Styles]:
    """The arguments of a network of any style beside pictures: the same blend everywhere, the styles of every picture.

    Args:
      pictures: `[n, h, w, 3]`.
      encoded: The paintings, `[n or 1, S, …]`.
      strength: From 0 to 1.
      parts: `[S]`, the blend; None is one style.
    """
    count, *sides, _ = pictures.shape
    shares = jnp.asarray([1.0] if parts is None else parts, jnp.float32)
    styles = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape[1:])), encoded)
    shared = jnp.broadcast_to(shares.reshape(1, 1, 1, -1), (count, *sides, len(shares)))
    return shared, Styles(styles, jnp.full(count, strength, jnp.float32))


def to_stablehlo(exported: Signature) -> bytes:
    """A function for pictures of any size and number, on any device; `jax.export.deserialize` reads it.

    Args:
      exported: The function.

    Returns:
      The serialisation of `jax.export`: StableHLO with the parameters in it, for CPU, CUDA and TPU. JAX promises
      to read it for six months.

    Raises:
      JaxstyleError: flatbuffers is not installed, with which JAX writes it.
    """
    try:
        import flatbuffers  # noqa: F401  # which JAX imports only at the end
    except ImportError:
        raise JaxstyleError(
            "exporting needs flatbuffers, which is not installed: pip install 'jaxstyle[export]'"
        ) from None
    sides = sorted({side for shape in exported.shapes for side in shape[1:-1] if isinstance(side, str)})
    scope = export.SymbolicScope([f"{side} >= {MIN_SIDE}" for side in sides])
    shapes = [export.symbolic_shape(", ".join(map(str, shape)), scope=scope) for shape in exported.shapes]
    lowered = export.export(jax.jit(exported.function), platforms=PLATFORMS)
    return bytes(lowered(*exported.arguments(shapes)).serialize())


def to_onnx(exported: Signature) -> bytes:
    """A function for one picture of one size, by jax2onnx, which for these networks needs numbers (tried: 0.17.1).

    Args:
      exported: The function, all of its shapes numbers (`fixed`).

    Raises:
      JaxstyleError: jax2onnx is not installed, or cannot convert it.
    """
    try:
        from jax2onnx import to_onnx as convert
    except ImportError:
        raise JaxstyleError(
            "ONNX needs jax2onnx, which is not installed: pip install 'jaxstyle[onnx]', or name a .stablehlo"
        ) from None
    names = {"input_names": exported.names, "output_names": (exported.output,)}
    try:
        with as_on_cpu(), jax.numpy_rank_promotion("allow"):  # in which its own code promotes
            made = convert(exported.function, exported.arguments(exported.shapes), model_name="jaxstyle", **names)
    except Exception as error:  # it raises whatever its many plugins meet
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise JaxstyleError(f"jax2onnx cannot convert the model ({reason}); name a .stablehlo instead") from error
    return made.SerializeToString()


@contextlib.contextmanager
def as_on_cpu() -> Iterator[None]:
    """Traces what is for CPUs, plain convolutions, wherever there is a choice by platform, which jax2onnx lacks."""
    choose = lax.platform_dependent
    lax.platform_dependent = lambda *arguments, default, cpu=None, **_: (cpu or default)(*arguments)
    try:
        yield
    finally:
        lax.platform_dependent = choose


def fixed(exported: Signature, height: int, width: int) -> Signature:
    """A function for one picture of a size, and one painting of that size."""
    sides = {"n": 1, "h": height, "w": width, "a": height, "b": width}

    def number(side: int | str) -> int:
        return side if isinstance(side, int) else sides[side.rpartition("*")[2]]

    return exported._replace(shapes=tuple(tuple(map(number, shape)) for shape in exported.shapes))


def export_model(
    model: StyleModel,
    path: str | os.PathLike,
    style: Any = None,
    *,
    strength: float = 1.0,
    style_size: int | None = None,
    size: tuple[int, int] | None = None,
) -> Signature:
    """Writes a model as one file; it appears only when whole.

    Args:
      model: Which.
      path: Ends in .stablehlo or .onnx.
      style: See `signature`.
      strength: See `signature`.
      style_size: See `signature`.
      size: Height and width of the pictures that an ONNX file takes, in pixels; a .stablehlo takes any.

    Returns:
      What was written.

    Raises:
      JaxstyleError: Bad input, or something is not installed.
    """
    target = pathlib.Path(path)
    check_target(target, size)
    StyleOptions(style, strength, style_size=style_size).check(model)
    if not blend_of(style) and (strength != 1 or style_size is not None):
        raise JaxstyleError("strength and style-size are of paintings that are built in: choose a style")
    exported = signature(model, style, strength=strength, style_size=style_size)
    if target.suffix.lower() == ".onnx":
        exported = fixed(exported, *(size or ONNX_SIZE))
        write_whole(target, to_onnx(exported))
    else:
        write_whole(target, to_stablehlo(exported))
    return exported


def check_target(target: pathlib.Path, size: tuple[int, int] | None) -> None:
    """Raises `JaxstyleError` for a file that cannot be, or a size that it has not."""
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise JaxstyleError(f"a model is exported as .stablehlo or .onnx, not {target.name!r}")
    if size is not None and suffix == ".stablehlo":
        raise JaxstyleError("--size is for .onnx; a .stablehlo takes pictures of any size")
    if size is not None and min(size) < MIN_SIDE:
        raise JaxstyleError(f"--size is {size[1]}x{size[0]}; each side must be at least {MIN_SIDE}")
    write_whole(target, None)
