"""`jaxstyle stylize`: paint photos in the style of paintings."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from jaxstyle.cli import options
from jaxstyle.errors import JaxstyleError
from jaxstyle.pixels.config import StyleTransferConfig
from jaxstyle.pixels.files import Files
from jaxstyle.pixels.job import stylize_files

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
    options.add_run_options(parser)
    options.add_settings(parser, StyleTransferConfig)


def run(args: argparse.Namespace) -> int:
    """Stylises; 0 when all pictures are written, 130 when it was interrupted.

    Raises:
      JaxstyleError: Bad input.
    """
    config = options.read_settings(args, StyleTransferConfig)
    contents, styles = (args.content, args.pictures) if args.content else (args.pictures[:1], args.pictures[1:])
    if not styles:
        raise JaxstyleError("no style: name a painting after the photo")
    files = Files(
        contents=contents,
        styles=styles,
        output=args.output,
        content_masks=args.content_mask,
        style_masks=args.style_mask,
        sweep=parse_sweeps(args.sweep),
        **options.read_run_options(args),
    )
    return options.carry_out(lambda: stylize_files(files, config))


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
