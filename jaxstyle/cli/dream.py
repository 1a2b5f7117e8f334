"""`jaxstyle dream`: DeepDream, a picture or a film that zooms into it."""

from __future__ import annotations

import argparse

from jaxstyle.cli.options import add_run_options, add_settings, carry_out, read_run_options, read_settings, show_layers
from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs.dream import dream_files
from jaxstyle.jobs.files import Files
from jaxstyle.pixels.dream_config import DreamConfig

HELP = "dream on a picture: more of what a network sees in it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files by hand, settings from the fields of `DreamConfig`."""
    parser.usage = "jaxstyle dream IMAGE -o OUT [options]"
    parser.add_argument("picture", nargs="?", metavar="IMAGE", help="the photo; may be left out with --init noise")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="PNG, JPEG, WebP or TIFF; of a film .gif, .mp4 or a folder for its frames"
    )
    parser.add_argument("--list-layers", action="store_true", help="print the network's layers and their widths, only")
    add_run_options(parser)
    add_settings(parser, DreamConfig)


def run(args: argparse.Namespace) -> int:
    """Dreams; 0 when the picture or film is written, 130 when it was interrupted.

    Raises:
      JaxstyleError: Bad input.
    """
    config = read_settings(args, DreamConfig)
    if args.list_layers:
        return show_layers(config.features)
    if args.output is None:
        raise JaxstyleError("no output: name it with -o")
    contents = [] if args.picture is None else [args.picture]
    files = Files(contents=contents, styles=(), output=args.output, **read_run_options(args))
    return carry_out(lambda: [dream_files(files, config)])
