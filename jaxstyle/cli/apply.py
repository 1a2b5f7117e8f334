"""`jaxstyle apply`: stylise pictures and films at once, by the network that comes with jaxstyle or another one."""

from __future__ import annotations

import argparse
from typing import Any

from jaxstyle.cli.options import DIRECTION, keep_compiled
from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs import bad_pictures
from jaxstyle.media.image_reading import read_mask


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files, the style, and what the network is to leave alone."""
    what = (
        "photos, folders of photos or of numbered frames, animations, films where ffmpeg is installed; '-' is a film "
        "through a pipe, as y4m or Motion JPEG"
    )
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help=what)
    target = (
        "a folder; for one photo also PNG, JPEG, WebP or TIFF; for one film also .mp4, .gif or frames/%%04d.png; '-' "
        "writes y4m, from '-' alone"
    )
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help=target)
    parser.add_argument("--direction", default="", metavar="a|b", help=DIRECTION)
    which = "a painting; for a model that has learnt its styles, one's name or number; repeat for equal parts"
    parser.add_argument("--style", action="append", default=[], metavar="STYLE", help=which)
    other = "a style model, or the workdir of its training (default: the network of any style in the package)"
    parser.add_argument("--model", metavar="MODEL", help=other)
    parser.add_argument("--interpolate", metavar="A:0.3,B:0.7", help="a blend of styles, with their weights")
    some = "share of the style, from 0 (the photo) to 1; for models of any style (default: 1)"
    parser.add_argument("--strength", type=float, default=1.0, metavar="X", help=some)
    where = "picture, white where the i-th style goes; repeat, one a style; for models of any style"
    parser.add_argument("--mask", action="append", default=[], metavar="PATH", help=where)
    parser.add_argument(
        "--preserve-color",
        default="none",
        metavar="none|luminance|histogram",
        help="keep the photo's colours: its chroma, or their mean and covariance (default: none)",
    )
    parser.add_argument("--size", type=int, metavar="N", help="longer side of the results (default: the photo's)")
    seen = "longer side at which paintings are seen (default: that of the result, 512 at most)"
    parser.add_argument("--style-size", type=int, metavar="N", help=seen)
    tile = "rows of the strips in which pictures are computed, with equal results (default: by the memory there is)"
    parser.add_argument("--tile-size", type=int, metavar="N", help=tile)
    rate = "frames a second of a film (default: its own; 25 for a folder of frames)"
    parser.add_argument("--fps", type=float, metavar="X", help=rate)
    parser.add_argument("--bad-pictures", default="stop", metavar="stop|skip", help=bad_pictures.HELP)
    bad = "the same, for frames of films"
    parser.add_argument("--bad-frames", default="stop", metavar="stop|skip", help=bad)
    parser.add_argument("--bits", type=int, choices=(8, 16), default=8, help="bits a channel; 16 for PNG and TIFF")
    parser.add_argument("--devices", type=int, metavar="N", help="devices that share the pictures (default: all)")


def run(args: argparse.Namespace) -> int:
    """Stylises; 0 when all pictures are written."""
    from jaxstyle.inference.apply import StyleOptions
    from jaxstyle.inference.styles import parse_blend
    from jaxstyle.jobs.apply import apply_files
    from jaxstyle.jobs.files import Files

    if args.interpolate is not None and args.style:
        raise JaxstyleError("--style and --interpolate both say which style; give one of them")
    keep_compiled()
    style: Any = parse_blend(args.interpolate) if args.interpolate is not None else args.style
    options = StyleOptions(
        style,
        args.strength,
        [read_mask(mask) for mask in args.mask],
        args.preserve_color,
        args.style_size,
        args.tile_size,
        args.devices,
    )
    paintings = [name for name, _ in parse_blend(args.interpolate)] if args.interpolate is not None else args.style
    sources = {"contents": args.pictures, "styles": paintings, "masks": args.mask}
    files = Files(sources, args.output, bits=args.bits)
    treatment = {"bad_frames": args.bad_frames, "bad_pictures": args.bad_pictures}
    taken = {"size": args.size, "fps": args.fps, "direction": args.direction, **treatment}
    for path in apply_files(args.model, files, options, **taken):
        print(path)
    return 0
