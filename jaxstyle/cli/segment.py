"""`jaxstyle segment`: masks and overlays of pictures, from a trained segmentation."""

from __future__ import annotations

import argparse
import pathlib

import numpy as np

from jaxstyle.jobs import bad_pictures
from jaxstyle.jobs.files import make_folder, stems_of, tell_folders
from jaxstyle.media.image_writing import write_mask, write_picture
from jaxstyle.media.paths import list_pictures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments: the workdir, the pictures, and where results go."""
    parser.add_argument("workdir", metavar="WORKDIR", help="workdir of a training, finished or still running")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="pictures, or folders of them")
    target = "folder for masks/NAME.png (class numbers; of two classes 0 and 255) and overlays/NAME.png"
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help=target)
    tile = "side of the squares a large picture is looked at in, with overlap (default: by the picture's size)"
    parser.add_argument("--tile", type=int, default=0, metavar="PIXELS", help=tile)
    parser.add_argument("--bad-pictures", default="stop", metavar="stop|skip", help=bad_pictures.HELP)
    which = "checkpoint of the training (default: newest)"
    parser.add_argument("--checkpoint", default="newest", metavar="newest|best|STEP", help=which)


def run(args: argparse.Namespace) -> int:
    """Segments; 0 when all masks and overlays are written."""
    from tqdm import tqdm

    from jaxstyle.inference import segment  # late: stylising does not need what training imports
    from jaxstyle.inference.run import open_run

    named = list_pictures(args.images)
    segmenter = segment.Segmenter(open_run(args.workdir, args.checkpoint))
    good = bad_pictures.readable(named, args.bad_pictures, lambda path: segmenter.read(path).shape)
    sources = [path for path in named if path in good]
    tell_folders(args.images)
    masks, overlays = pathlib.Path(args.output) / "masks", pathlib.Path(args.output) / "overlays"
    for folder in (masks, overlays):
        make_folder(folder)
    bar = tqdm(sources, unit="picture", disable=None, leave=False)
    for source, name in zip(bar, stems_of(sources), strict=True):
        pixels = segmenter.read(source)
        mask = segmenter.mask(pixels, args.tile, progress=None)
        write_mask(masks / f"{name}.png", mask * np.uint8(255) if len(segmenter.classes) == 2 else mask)
        write_picture(overlays / f"{name}.png", segmenter.overlay(pixels, mask))
    print(args.output)
    return 0
