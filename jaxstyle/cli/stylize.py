"""`jaxstyle stylize`: paint photos in the style of paintings."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence

import jax

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import registry
from jaxstyle.pixels.config import StyleTransferConfig, option, parse
from jaxstyle.pixels.files import Files
from jaxstyle.pixels.job import Interrupted, stylize_files

HELP = "paint photos in the style of paintings"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files by hand, settings from the fields of `StyleTransferConfig`."""
    parser.usage = "jaxstyle stylize CONTENT STYLE [STYLE …] -o OUT [options]"
    parser.add_argument(
        "pictures", nargs="+", metavar="CONTENT STYLE", help="a photo (or a folder of photos), then styles"
    )
    parser.add_argument(
        "--content",
        nargs="+",
        default=[],
        metavar="PATH",
        help="photos or folders; then all of CONTENT STYLE are styles",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="PNG, JPEG, WebP or TIFF; a folder for several results"
    )
    parser.add_argument(
        "--content-mask",
        action="append",
        default=[],
        metavar="PATH",
        help="white where in the photo the i-th style goes; repeat, one a style",
    )
    parser.add_argument(
        "--style-mask",
        action="append",
        default=[],
        metavar="PATH",
        help="white where the i-th style counts; repeat, one a style",
    )
    parser.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="NAME=A,B,C",
        help="make the picture with each value; repeat for a grid",
    )
    parser.add_argument("--bits", type=int, choices=(8, 16), default=8, help="bits a channel; 16 for PNG and TIFF")
    parser.add_argument("--save-every", type=int, default=0, metavar="N", help="keep the picture of every N-th step")
    parser.add_argument("--trace", metavar="FILE", help="write every step's losses as JSON lines")
    parser.add_argument(
        "--resume", action="store_true", help="go on where an interrupted run of the same command stopped"
    )
    settings = parser.add_argument_group("settings")
    for field in dataclasses.fields(StyleTransferConfig):
        settings.add_argument(f"--{option(field.name)}", metavar=metavar(field), help=described(field))


def metavar(field: dataclasses.Field) -> str:
    """What stands for a setting's value in the help."""
    return "|".join(field.metadata["choices"]) or {"int": "N", "int | None": "N"}.get(str(field.type), "X")


def described(field: dataclasses.Field) -> str:
    """A setting's help with its default."""
    default = field.default
    if default is None or default == ():
        return field.metadata["help"]
    shown = (
        ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in default)
        if isinstance(default, tuple)
        else default
    )
    return f"{field.metadata['help']} (default: {shown})"


def run(args: argparse.Namespace) -> int:
    """Stylises; 0 when all pictures are written, 130 when it was interrupted.

    Raises:
      JaxstyleError: Bad input.
    """
    config = StyleTransferConfig(
        **{
            field.name: parse(field.name, text)
            for field in dataclasses.fields(StyleTransferConfig)
            if (text := getattr(args, field.name)) is not None
        }
    )
    contents, styles = (args.content, args.pictures) if args.content else (args.pictures[:1], args.pictures[1:])
    if not styles:
        raise JaxstyleError("no style: name a painting after the photo")
    if args.save_every < 0:
        raise JaxstyleError(f"--save-every is {args.save_every}; it must be at least 0")
    files = Files(
        contents=contents,
        styles=styles,
        output=args.output,
        content_masks=args.content_mask,
        style_masks=args.style_mask,
        sweep=parse_sweeps(args.sweep),
        bits=args.bits,
        save_every=args.save_every,
        trace=args.trace,
        resume=args.resume,
    )
    keep_compiled()
    try:
        for path in stylize_files(files, config):
            print(path)
    except Interrupted as stopped:
        print(f"jaxstyle: {stopped}", file=sys.stderr)
        return 130
    return 0


def parse_sweeps(texts: Sequence[str]) -> dict[str, list[float]]:
    """All sweeps by name.

    Raises:
      JaxstyleError: One is malformed, or of the same setting as another.
    """
    sweeps: dict[str, list[float]] = {}
    for name, values in map(parse_sweep, texts):
        if name in sweeps:
            raise JaxstyleError(f"--sweep {name} is given twice; write all its values into one")
        sweeps[name] = values
    return sweeps


def parse_sweep(text: str) -> tuple[str, list[float]]:
    """`content_weight=1,10,100` (or with a hyphen) as a name and its values."""
    name, equals, values = text.partition("=")
    try:
        if equals:
            return name.strip().replace("-", "_"), [float(value) for value in values.split(",") if value.strip()]
    except ValueError:
        pass
    raise JaxstyleError(f"--sweep {text!r} is not of the form content_weight=1,10,100")


def keep_compiled() -> None:
    """Keeps compiled programs in the cache folder, so that the next run of the same size starts at once."""
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(registry.cache_folder().parent / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
