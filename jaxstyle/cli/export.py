"""`jaxstyle export`: a style model as one file that runs without jaxstyle."""

from __future__ import annotations

import argparse
import re
from typing import Any

from jaxstyle.cli.options import DIRECTION
from jaxstyle.errors import JaxstyleError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the file, and the style that goes into it."""
    parser.add_argument("model", metavar="MODEL", help="a style model's folder, or the workdir of its training")
    target = "a .stablehlo (any size, CPU, CUDA and TPU; `jax.export.deserialize` reads it) or an .onnx"
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help=target)
    parser.add_argument("--direction", default="", metavar="a|b", help=DIRECTION)
    which = "as for `apply`, built in; repeat for equal parts (default: an argument of the exported function)"
    parser.add_argument("--style", action="append", default=[], metavar="STYLE", help=which)
    parser.add_argument("--interpolate", metavar="A:0.3,B:0.7", help="a blend of styles, built in")
    some = "of a chosen painting, from 0 (the photo) to 1 (default: 1)"
    parser.add_argument("--strength", type=float, default=1.0, metavar="X", help=some)
    seen = "longer side at which chosen paintings are seen (default: 512)"
    parser.add_argument("--style-size", type=int, metavar="N", help=seen)
    size = "of the pictures that an .onnx takes (default: 512x512)"
    parser.add_argument("--size", metavar="WIDTHxHEIGHT", help=size)


def run(args: argparse.Namespace) -> int:
    """Exports and tells what the file takes; 0 when it is written."""
    from jaxstyle.inference.export import export_model  # late: the other commands do not need what these import
    from jaxstyle.inference.style_model import load_model
    from jaxstyle.inference.styles import parse_blend

    if args.interpolate is not None and args.style:
        raise JaxstyleError("--style and --interpolate both say which style; give one of them")
    style: Any = parse_blend(args.interpolate) if args.interpolate is not None else args.style
    model, size = load_model(args.model, args.direction), None if args.size is None else parse_size(args.size)
    options = {"strength": args.strength, "style_size": args.style_size, "size": size}
    what = export_model(model, args.output, style, **options)
    taken = ", ".join(
        f"{name} [{', '.join(map(str, shape))}]" for name, shape in zip(what.names, what.shapes, strict=True)
    )
    print(f"{args.output}: takes {taken}")
    return 0


def parse_size(text: str) -> tuple[int, int]:
    """`640x480` as height and width; raises `JaxstyleError` for any other text."""
    found = re.fullmatch(r"(\d+)[x×](\d+)", text.strip())
    if not found:
        raise JaxstyleError(f"--size {text!r} is not WIDTHxHEIGHT, as in 640x480")
    return int(found[2]), int(found[1])
