"""Options that the commands of the pixel loop share: their settings, and what to keep of a run."""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax

from jaxstyle.errors import Interrupted, JaxstyleError
from jaxstyle.features import load
from jaxstyle.runtime.caching import cache_folder
from jaxstyle.runtime.settings import Settings

Chosen = TypeVar("Chosen", bound=Settings)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """What to keep of a run, and whether to go on with one."""
    parser.add_argument("--bits", type=int, choices=(8, 16), default=8, help="bits a channel; 16 for PNG and TIFF")
    parser.add_argument("--save-every", type=int, default=0, metavar="N", help="keep the picture of every N-th step")
    parser.add_argument("--trace", metavar="FILE", help="write every step's losses as JSON lines")
    parser.add_argument(
        "--resume", action="store_true", help="go on where an interrupted run of the same command stopped"
    )


def read_run_options(args: argparse.Namespace) -> dict[str, Any]:
    """What `add_run_options` added, by the names that jobs call it.

    Raises:
      JaxstyleError: A negative `--save-every`.
    """
    if args.save_every < 0:
        raise JaxstyleError(f"--save-every is {args.save_every}; it must be at least 0")
    return {name: getattr(args, name) for name in ("bits", "save_every", "trace", "resume")}


def add_settings(parser: argparse.ArgumentParser, settings: type[Settings]) -> None:
    """An option for every field of a job's settings."""
    group = parser.add_argument_group("settings")
    for field in dataclasses.fields(settings):
        name, text = "--" + field.name.replace("_", "-"), described(field)
        if settings.declared(field.name)[0] is bool:
            group.add_argument(name, action="store_const", const="true", help=text)
        else:
            group.add_argument(name, metavar=metavar(field), help=text)


def metavar(field: dataclasses.Field) -> str:
    """What stands for a setting's value in the help."""
    return "|".join(field.metadata["choices"]) or {"int": "N", "int | None": "N"}.get(str(field.type), "X")


def described(field: dataclasses.Field) -> str:
    """A setting's help with its default."""
    default = field.default
    if default is None or default is False or default == ():
        return field.metadata["help"]
    shown = (
        ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in default)
        if isinstance(default, tuple)
        else default
    )
    return f"{field.metadata['help']} (default: {shown})"


def read_settings(args: argparse.Namespace, settings: type[Chosen]) -> Chosen:
    """The settings given, and the defaults of the others.

    Raises:
      JaxstyleError: A value of the wrong type.
    """
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(settings)}
    return settings(**{name: settings.parse(name, text) for name, text in given.items() if text is not None})


def carry_out(job: Callable[[], Sequence[pathlib.Path]]) -> int:
    """Runs a job and prints the paths it wrote; 0 when it is done, 130 when it was interrupted."""
    keep_compiled()
    try:
        for path in job():
            print(path)
    except Interrupted as stopped:
        print(f"jaxstyle: {stopped}", file=sys.stderr)
        return 130
    return 0


def show_layers(features: str) -> int:
    """Prints one line a layer of a network, shallow to deep: its name and its number of channels.

    Raises:
      JaxstyleError: No such network.
    """
    network = load(features)
    shapes = network.shapes(network.network.taps)
    width = max(map(len, shapes))
    for name, shape in shapes.items():
        print(f"{name:{width}}  {shape[-1]}")
    return 0


def keep_compiled() -> None:
    """Keeps compiled programs in the cache folder, so that the next run of the same size starts at once."""
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache_folder("compiled")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
