"""`jaxstyle sample`: draw pictures from a trained generator."""

from __future__ import annotations

import argparse
import os
import pathlib

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_writing import check_writable, write_picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to draw, and where to."""
    parser.add_argument("workdir", metavar="WORKDIR", help="of a training, finished or still running")
    parser.add_argument("-n", "--count", type=int, default=64, metavar="N", help="how many (default: 64)")
    parser.add_argument("-o", "--output", metavar="GRID", help="the file for one picture of them all")
    parser.add_argument("--separate", metavar="DIR", help="a folder for a PNG each")
    classes = "classes to draw in turn, by number or name; even: all (default: by their shares in the evaluation split)"
    parser.add_argument("--label", "--labels", dest="labels", metavar="even|7|3,5|0:10", help=classes)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the randomness (default: 0)")
    which = "which state to draw with (default: newest)"
    parser.add_argument("--checkpoint", default="newest", metavar="newest|best|STEP", help=which)


def run(args: argparse.Namespace) -> int:
    """Draws; 0 when all pictures are written."""
    from jaxstyle.inference import sample  # late: stylising does not need what training imports
    from jaxstyle.inference.run import open_run
    from jaxstyle.training import writers

    check_targets(args)
    if args.count < 1:
        raise JaxstyleError(f"-n is {args.count}; it must be at least 1")
    opened = open_run(args.workdir, args.checkpoint)
    turn = sample.parse_labels(args.labels, opened.info.classes) if args.labels else []
    labels = np.resize(turn, args.count).tolist() if turn else None
    shown: list[np.ndarray] = []
    for drawn in sample.chunks(opened, args.count, labels=labels, seed=args.seed):
        if args.separate:
            write_each(pathlib.Path(args.separate), drawn, sum(len(before) for before in shown))
        shown.append(drawn)
    if args.output:
        write_picture(args.output, writers.grid(np.concatenate(shown), columns=len(turn) if len(turn) > 1 else 0))
    print(args.output or args.separate)
    return 0


def check_targets(args: argparse.Namespace) -> None:
    """Finds out before anything is drawn whether it can be written.

    Raises:
      JaxstyleError: It cannot, or there is no place named.
    """
    if not args.output and not args.separate:
        raise JaxstyleError("name a place for the pictures: -o grid.png, or --separate DIR")
    if args.output:
        check_writable(args.output)
    if args.separate:
        try:
            os.makedirs(args.separate, exist_ok=True)
        except OSError as error:
            raise JaxstyleError(f"{args.separate!r} cannot be a folder ({error.strerror}); name another") from None


def write_each(folder: pathlib.Path, pictures: np.ndarray, first: int) -> None:
    """Pictures `[N, H, W, C]` as PNG files, numbered from `first`."""
    for number, picture in enumerate(pictures, first):
        write_picture(folder / f"{number:06d}.png", np.broadcast_to(picture, (*picture.shape[:2], 3)))
