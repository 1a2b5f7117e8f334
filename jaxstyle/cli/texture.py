"""`jaxstyle texture`: textures of any size out of pictures."""

from __future__ import annotations

import argparse

from jaxstyle.cli.options import add_run_options, add_settings, carry_out, read_run_options, read_settings
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.texture import texture_files
from jaxstyle.pixels.config import TextureConfig

HELP = "synthesise a texture that looks like a picture, or like a mixture of several"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files by hand, settings from the fields of `TextureConfig`."""
    parser.usage = "jaxstyle texture STYLE [STYLE …] -o OUT [options]"
    parser.add_argument("styles", nargs="+", metavar="STYLE", help="pictures whose texture it takes")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="PNG, JPEG, WebP or TIFF, or a folder")
    add_run_options(parser)
    add_settings(parser, TextureConfig)


def run(args: argparse.Namespace) -> int:
    """Synthesises; 0 when the texture is written, 130 when it was interrupted.

    Raises:
      JaxstyleError: Bad input.
    """
    config = read_settings(args, TextureConfig)
    files = Files(contents=(), styles=args.styles, output=args.output, **read_run_options(args))
    return carry_out(lambda: [texture_files(files, config)])
