"""`jaxstyle export`: a style model, or another trained network, as one file that runs without jaxstyle."""

from __future__ import annotations

import argparse
from typing import Any

from jaxstyle.cli.options import DIRECTION
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.settings import parse_size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the file, and the style that goes into it."""
    parser.add_argument("model", metavar="MODEL", help="a style model's folder, or the workdir of a training")
    target = (
        "a .stablehlo (any size, CPU, CUDA and TPU; `jax.export.deserialize` reads it), an .onnx, or a .safetensors"
    )
    target += " of a training's parameters, with a card beside it"
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help=target)
    parser.add_argument("--direction", default="", metavar="a|b", help=DIRECTION)
    which = "as for `apply`, built in; repeat for equal parts (default: an argument of the exported function)"
    parser.add_argument("--style", action="append", default=[], metavar="STYLE", help=which)
    parser.add_argument("--interpolate", metavar="A:0.3,B:0.7", help="a blend of styles, built in")
    some = "of a chosen painting, from 0 (the photo) to 1 (default: 1)"
    parser.add_argument("--strength", type=float, default=1.0, metavar="X", help=some)
    seen = "longer side at which chosen paintings are seen (default: 512)"
    parser.add_argument("--style-size", type=int, metavar="N", help=seen)
    size = "of the pictures that an .onnx takes, where they may have any (default: 512x512)"
    parser.add_argument("--size", metavar="WIDTHxHEIGHT", help=size)
    part = "of a training with several networks: encoder or decoder, forecaster or classifier"
    parser.add_argument("--part", default="", metavar="PART", help=part)
    which = "checkpoint of the training (default: newest)"
    parser.add_argument("--checkpoint", default="newest", metavar="newest|best|STEP", help=which)


def run(args: argparse.Namespace) -> int:
    """Exports and tells what the file takes and gives; 0 when it is written."""
    from jaxstyle.inference.export_networks import open_network  # late: only this command needs what it imports

    if args.output.lower().endswith(".safetensors"):
        return export_parameters(args)
    opened = open_network(args.model, args.checkpoint)
    what = export_style(args) if opened is None else export_trained(args, opened)
    taken = ", ".join(
        f"{name} [{', '.join(map(str, shape))}]" for name, shape in zip(what.names, what.shapes, strict=True)
    )
    print(f"{args.output}: takes {taken}")
    if opened is not None and what.output == "probabilities":
        print(f"gives probabilities of {', '.join(opened.config.data.mask_classes or opened.info.classes)}")
    return 0


def export_parameters(args: argparse.Namespace) -> int:
    """Writes the parameters of a training, and their card."""
    from jaxstyle.inference.export_weights import export_weights
    from jaxstyle.inference.run import open_run

    if options := other_options(args, {"--part": args.part, "--size": args.size}):
        raise JaxstyleError(f"{options[0]} is of networks that run without jaxstyle; a .safetensors has all parameters")
    card = export_weights(open_run(args.model, args.checkpoint), args.output)
    scores = ", ".join(f"{name} {value:.4g}" for name, value in card["scores"].items())
    print(f"{args.output}: parameters after step {card['step']}; {scores or 'not evaluated'}")
    return 0


def other_options(args: argparse.Namespace, more: dict[str, Any]) -> list[str]:
    """Options that are given, of style models and of those besides."""
    given = {"--direction": args.direction, "--style": args.style, "--interpolate": args.interpolate}
    given |= {"--strength": args.strength != 1, "--style-size": args.style_size, **more}
    return [name for name, value in given.items() if value]


def export_style(args: argparse.Namespace) -> Any:
    """Exports a style model."""
    from jaxstyle.inference.export import export_model
    from jaxstyle.inference.style_model import load_model
    from jaxstyle.inference.styles import parse_blend

    if args.part or args.checkpoint != "newest":
        raise JaxstyleError("--part and --checkpoint are of trainings of other networks than style models")
    if args.interpolate is not None and args.style:
        raise JaxstyleError("--style and --interpolate both say which style; give one of them")
    style: Any = parse_blend(args.interpolate) if args.interpolate is not None else args.style
    model, size = load_model(args.model, args.direction), None if args.size is None else parse_size(args.size, "--size")
    return export_model(model, args.output, style, strength=args.strength, style_size=args.style_size, size=size)


def export_trained(args: argparse.Namespace, opened: Any) -> Any:
    """Exports another network of a training."""
    from jaxstyle.inference.export_networks import export_network

    if options := other_options(args, {}):
        raise JaxstyleError(f"{options[0]} is of style models, and {args.model!r} is the training of another network")
    return export_network(
        opened, args.output, args.part, None if args.size is None else parse_size(args.size, "--size")
    )
