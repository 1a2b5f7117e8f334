"""`jaxstyle models`: trained style networks, shown and converted."""

from __future__ import annotations

import argparse
import dataclasses

from jaxstyle.cli.options import DIRECTION, keep_compiled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the actions `show` and `convert`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="what a model is, and the styles that it knows")
    show.add_argument("model", metavar="MODEL", help="a model's folder or file, or the workdir of its training")
    show.add_argument("--direction", default="", metavar="a|b", help=DIRECTION)
    convert = actions.add_parser("convert", help="make a model of a training's workdir, or of published weights")
    what = (
        "a workdir, a folder of magenta's image stylization weights or of pytorch-AdaIN's two .pth, a .pth of "
        "pytorch/examples' fast_neural_style, gordicaleksa's or a generator of pytorch-CycleGAN-and-pix2pix, or a "
        ".ckpt of fast-style-transfer"
    )
    convert.add_argument("source", metavar="IN", help=what)
    convert.add_argument("target", metavar="OUT", help="a new folder for the model, or a .safetensors file")
    convert.add_argument("--direction", default="", metavar="a|b", help=DIRECTION)
    convert.add_argument("--names", metavar="A,B,…", help="names of all styles, in their order")
    note = "note to keep with the model, such as licence=MIT; repeat for several"
    convert.add_argument("--note", action="append", default=[], metavar="NAME=TEXT", help=note)


def run(args: argparse.Namespace) -> int:
    """Runs the action that `args` name; 0 when all is well."""
    return {"show": _show, "convert": _convert}[args.action](args)


def _show(args: argparse.Namespace) -> int:
    from jaxstyle.inference.style_model import (
        described,  # late: flax takes a moment to import
        load_model,
    )

    model = described(load_model(args.model, args.direction))
    network = ", ".join(f"{name}={value}" for name, value in model["network"].items())
    print(f"{model['kind']}: {network}")
    for name, text in model["notes"].items():
        print(f"{name}: {text}")
    for number, style in enumerate(model["styles"]):
        print(f"{number:3}  {style}")
    return 0


def _convert(args: argparse.Namespace) -> int:
    from jaxstyle.inference import (
        apply,  # late, as above
        converters,
        style_model,
    )

    style_model.check_folder(args.target)
    converted = converters.convert(args.source, args.direction)
    if args.names:
        converted = dataclasses.replace(converted, styles=tuple(name.strip() for name in args.names.split(",")))
        converted.check()
    notes = dict(note.partition("=")[::2] for note in args.note)
    converted = dataclasses.replace(converted, notes={**converted.notes, **notes})
    keep_compiled()
    preview = None if args.target.endswith(style_model.FILE_SUFFIX) else apply.preview(converted)
    style_model.save_model(args.target, converted, preview)
    styles = "any style" if converted.any_style else f"{len(converted.styles)} style(s)"
    print(f"{args.target}: {styles} of {args.source}")
    return 0
