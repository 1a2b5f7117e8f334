"""`jaxstyle segment`: masks and overlays of pictures, from a trained segmentation."""

from __future__ import annotations

import argparse
import os
import pathlib

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs.files import distinct, list_contents
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_writing import write_mask, write_picture

HELP = "mark what a trained segmentation finds in pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to look at, and where results go."""
    parser.add_argument("workdir", metavar="WORKDIR", help="of a training, finished or still running")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="pictures, or folders of them")
    target = "folder for masks/NAME.png (class numbers; of two classes 0 and 255) and overlays/NAME.png"
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help=target)
    tile = "side of the squares a large picture is looked at in, with overlap (default: by the picture's size)"
    parser.add_argument("--tile", type=int, default=0, metavar="PIXELS", help=tile)
    which = "which state to use (default: newest)"
    parser.add_argument("--checkpoint", default="newest", metavar="newest|best|STEP", help=which)


def run(args: argparse.Namespace) -> int:
    """Segments; 0 when all masks and overlays are written.

    Raises:
      JaxstyleError: Bad input, told before anything is written.
    """
    from tqdm import tqdm

    from jaxstyle.inference import segment  # late: stylising does not need what training imports
    from jaxstyle.inference.run import open_run

    sources = list_contents(args.images)
    for source in sources:
        read_picture(source)  # a bad one is told before the first is written
    segmenter = segment.Segmenter(open_run(args.workdir, args.checkpoint))
    masks, overlays = make_folders(args.output)
    names = distinct([pathlib.Path(source.removeprefix("example:")).stem for source in sources])
    for source, name in zip(tqdm(sources, unit="picture", disable=None, leave=False), names, strict=True):
        rgb = read_picture(source).rgb
        mask = segmenter.mask(rgb, args.tile, progress=None)
        write_mask(masks / f"{name}.png", mask * np.uint8(255) if len(segmenter.classes) == 2 else mask)
        write_picture(overlays / f"{name}.png", segmenter.overlay(rgb, mask))
    print(args.output)
    return 0


def make_folders(output: str) -> tuple[pathlib.Path, pathlib.Path]:
    """The folders of masks and overlays.

    Raises:
      JaxstyleError: They cannot be made.
    """
    folders = pathlib.Path(output) / "masks", pathlib.Path(output) / "overlays"
    try:
        for folder in folders:
            os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise JaxstyleError(f"{output!r} cannot be a folder ({error.strerror}); name another") from None
    return folders
