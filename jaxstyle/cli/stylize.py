"""`jaxstyle stylize`: paint photos and films in the style of paintings."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from jaxstyle.cli import options
from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.film_paths import part_films
from jaxstyle.jobs.films import FilmFiles, stylize_film
from jaxstyle.jobs.stylize import stylize_files
from jaxstyle.pixels.config import StyleTransferConfig
from jaxstyle.pixels.film import FilmConfig
from jaxstyle.runtime.settings import named

HELP = "paint photos and films in the style of paintings"

FILM_OPTIONS = ("fps", "flow", "bad_frames", "temporal_weight", "frame_iterations")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files by hand, settings from the fields of `StyleTransferConfig`."""
    parser.usage = "jaxstyle stylize CONTENT STYLE [STYLE …] -o OUT [options]"
    parser.add_argument(
        "pictures", nargs="+", metavar="CONTENT STYLE", help="a photo, a folder of photos or a film, then styles"
    )
    parser.add_argument(
        "--content",
        nargs="+",
        default=[],
        metavar="PATH",
        help="photos or folders; then all of CONTENT STYLE are styles",
    )
    target = "PNG, JPEG, WebP or TIFF; a folder for several results; of a film .mp4, .gif or frames/%%04d.png"
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help=target)
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
    rate = "of films: frames a second (default: the film's own; 25 for a folder of frames)"
    parser.add_argument("--fps", type=float, metavar="X", help=rate)
    flow = "of films: a folder of backward_2_1.flo, forward_1_2.flo and so on, or .npy (default: OpenCV finds the flow)"
    parser.add_argument("--flow", metavar="DIR", help=flow)
    bad = "of films: where a frame cannot be read, do not start, or name it and go on without (default: stop)"
    parser.add_argument("--bad-frames", metavar="stop|skip", help=bad)
    options.add_run_options(parser)
    options.add_settings(parser, FilmConfig)


def run(args: argparse.Namespace) -> int:
    """Stylises; 0 when all pictures are written, 130 when it was interrupted.

    Raises:
      JaxstyleError: Bad input.
    """
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
    if part_films(contents, args.output)[0]:
        film_config = options.read_settings(args, FilmConfig)
        more = FilmFiles(args.flow, args.fps, args.bad_frames or "stop")
        return options.carry_out(lambda: stylize_film(files, more, film_config))
    for name in FILM_OPTIONS:
        if getattr(args, name) is not None:
            raise JaxstyleError(f"{named(name)} is for films, and {contents[0]!r} is none")
    config = options.read_settings(args, StyleTransferConfig)
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
