"""`jaxstyle visualize`: what channels of a network respond to."""

from __future__ import annotations

import argparse

from jaxstyle.cli.options import add_run_options, add_settings, carry_out, read_run_options, read_settings, show_layers
from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.visualize import visualize_files
from jaxstyle.pixels.visualize import VisualizationConfig

HELP = "paint what channels of a network respond to: one picture, or a labelled atlas"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files by hand, settings from the fields of `VisualizationConfig`."""
    parser.usage = "jaxstyle visualize --features NAME --layer LAYER --channels 0:64 -o OUT [options]"
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="PNG, JPEG, WebP or TIFF; a folder for every picture and the atlas"
    )
    parser.add_argument("--list-layers", action="store_true", help="print the network's layers and their widths, only")
    parser.add_argument("--channel", dest="channels", metavar="N", help="the same as --channels")
    add_run_options(parser)
    add_settings(parser, VisualizationConfig)


def run(args: argparse.Namespace) -> int:
    """Visualises; 0 when the pictures are written, 130 when it was interrupted.

    Raises:
      JaxstyleError: Bad input.
    """
    config = read_settings(args, VisualizationConfig)
    if args.list_layers:
        return show_layers(config.features)
    if args.output is None:
        raise JaxstyleError("no output: name it with -o")
    files = Files(contents=(), styles=(), output=args.output, **read_run_options(args))
    return carry_out(lambda: visualize_files(files, config))
