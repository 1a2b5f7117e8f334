"""`jaxstyle sample`: draw pictures from a trained generator."""

from __future__ import annotations

import argparse
import itertools
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.film_writing import check_film, film_writer
from jaxstyle.media.image_writing import check_writable, write_picture, write_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments: the workdir, what to draw, and the file to write."""
    parser.add_argument("workdir", metavar="WORKDIR", help="workdir of a training, finished or still running")
    parser.add_argument("-n", "--count", type=int, default=64, metavar="N", help="number of pictures (default: 64)")
    parser.add_argument("-o", "--output", metavar="GRID", help="file to write all pictures to, as a grid")
    film = "-o is a film of -n pictures that each go from one latent to the next and return; of GANs and VAEs"
    parser.add_argument("--interpolate", action="store_true", help=film)
    parser.add_argument("--frames", type=int, default=120, metavar="N", help="frames of the film (default: 120)")
    parser.add_argument("--fps", type=int, default=24, metavar="N", help="frames a second of the film (default: 24)")
    parser.add_argument(
        "--space", choices=("z", "w"), default="z", help="path of the film: in latents z, or in StyleGAN 2's styles w"
    )
    parser.add_argument("--seeds", metavar="7|3,5|0:10", help="one picture a seed; the film goes through them")
    read = "latents or styles to draw: of --save-latents, of jaxstyle project, or your own"
    parser.add_argument("--latents", metavar="FILE.npz", help=read)
    mix = "pictures of seeds A, a row each, with styles of seeds B, a column each, in some layers; for StyleGAN 2"
    parser.add_argument("--style-mix", nargs=2, metavar=("A", "B"), help=mix)
    parser.add_argument(
        "--layers", metavar="4|4,5|4:8", help="layers of --style-mix, from 0, the coarsest (default: finer half)"
    )
    parser.add_argument("--save-latents", metavar="FILE.npz", help="write the latents of --seeds, or mixed styles")
    share = "distance to the mean picture, 0 to 1: lower is more typical, less various; for StyleGAN 2 (default: 1)"
    parser.add_argument("--truncation", type=float, default=1.0, metavar="SHARE", help=share)
    parser.add_argument("--separate", metavar="DIR", help="folder to write each picture to, as a PNG")
    classes = "classes to draw in turn, by number or name; even: all (default: by their shares in the evaluation split)"
    parser.add_argument("--label", "--labels", dest="labels", metavar="even|7|3,5|0:10", help=classes)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random latents (default: 0)")
    which = "checkpoint to sample from (default: newest)"
    parser.add_argument("--checkpoint", default="newest", metavar="newest|best|STEP", help=which)


def run(args: argparse.Namespace) -> int:
    """Draws; 0 when all pictures are written."""
    from jaxstyle.inference import interpolation, latents, sample  # late: stylising does not need what training imports
    from jaxstyle.inference.labels import parse_labels
    from jaxstyle.inference.run import open_run
    from jaxstyle.training import writers

    check_targets(args)
    if args.count < 1:
        raise JaxstyleError(f"-n is {args.count}; it must be at least 1")
    opened = sample.truncated(open_run(args.workdir, args.checkpoint), args.truncation)
    turn = parse_labels(args.labels, opened.info.classes) if args.labels else []
    points, columns = chosen(args, opened, turn)
    labels = np.resize(turn, args.count).tolist() if turn else None
    if args.save_latents and points:
        points.write(args.save_latents)
    if args.interpolate:
        more = {"labels": labels, "seed": args.seed, "through": points, "space": args.space}
        return write_film(args, interpolation.films(opened, args.count, args.frames, **more))
    shown: list[np.ndarray] = []
    several = sample.chunks(opened, args.count, labels=labels, seed=args.seed)
    for drawn in latents.pictures(opened, points) if points else several:
        if args.separate:
            write_each(pathlib.Path(args.separate), drawn, sum(len(before) for before in shown))
        shown.append(drawn)
    if args.output:
        write_picture(args.output, writers.grid(np.concatenate(shown), columns=columns))
    print(args.output or args.separate or args.save_latents)
    return 0


def chosen(args: argparse.Namespace, opened: Any, turn: list[int]) -> tuple[Any, int]:
    """The latents that options choose, or None, and columns of the grid; 0 leaves them open."""
    from jaxstyle.inference import latents  # late, as above

    numbers = latents.numbers
    seeds = numbers(args.seeds, "--seeds") if args.seeds else []
    mix = [numbers(text, "--style-mix") for text in args.style_mix or ()]
    layers = numbers(args.layers, "--layers") if args.layers else None
    pair = (mix[0], mix[1]) if mix else None
    points = latents.chosen(opened, seeds, args.latents, pair, layers, turn or None)
    if args.save_latents and points is None:
        raise JaxstyleError("--save-latents needs --seeds or --style-mix, which say of which pictures")
    return points, len(mix[1]) if mix else len(turn) if len(turn) > 1 else 0


def write_film(args: argparse.Namespace, frames: Iterator[np.ndarray]) -> int:
    """Writes a film of grids of pictures `[N, H, W, C]`; 0 when it is whole."""
    from jaxstyle.training import writers  # late, as above

    grids = map(writers.grid, frames)
    first = next(grids)
    with film_writer(pathlib.Path(args.output), first.shape[:2], args.fps) as add:
        for image in itertools.chain([first], grids):
            add(image)
    print(args.output)
    return 0


def check_targets(args: argparse.Namespace) -> None:
    """Finds out before anything is drawn whether it can be written.

    Raises:
      JaxstyleError: It cannot, or there is no place named.
    """
    if not args.output and not args.separate and not args.save_latents:
        raise JaxstyleError("name a place for the pictures: -o grid.png, or --separate DIR")
    if args.interpolate:
        if not args.output or args.separate:
            raise JaxstyleError("--interpolate makes one film: name it by -o, such as -o film.mp4, without --separate")
        if args.fps < 1:
            raise JaxstyleError(f"--fps is {args.fps}; it must be at least 1")
        check_film(pathlib.Path(args.output))
    elif args.output:
        check_writable(args.output)
    if args.save_latents:
        write_whole(pathlib.Path(args.save_latents), None)
    if args.separate:
        try:
            os.makedirs(args.separate, exist_ok=True)
        except OSError as error:
            raise JaxstyleError(f"{args.separate!r} cannot be a folder ({error.strerror}); name another") from None


def write_each(folder: pathlib.Path, pictures: np.ndarray, first: int) -> None:
    """Pictures `[N, H, W, C]` as PNG files, numbered from `first`."""
    for number, picture in enumerate(pictures, first):
        write_picture(folder / f"{number:06d}.png", np.broadcast_to(picture, (*picture.shape[:2], 3)))
