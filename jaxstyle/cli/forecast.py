"""`jaxstyle forecast`: go on with a film."""

from __future__ import annotations

import argparse
import pathlib

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.film_writing import check_film, write_frames


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments: the workdir, the clip to continue, and the file to write."""
    parser.add_argument("workdir", metavar="WORKDIR", help="workdir of a training, finished or still running")
    parser.add_argument(
        "clip", metavar="CLIP", help="a GIF, a folder of frames, .npy, or .mp4 where ffmpeg is installed"
    )
    target = "a .gif, .mp4 or folder for the frames given, then those predicted"
    parser.add_argument("-o", "--output", required=True, metavar="FILM", help=target)
    count = "number of frames to predict (default: as many as in the training)"
    parser.add_argument("-n", "--frames", type=int, default=0, metavar="N", help=count)
    parser.add_argument("--fps", type=int, default=8, metavar="N", help="frames a second (default: 8)")
    which = "checkpoint of the training (default: newest)"
    parser.add_argument("--checkpoint", default="newest", metavar="newest|best|STEP", help=which)


def run(args: argparse.Namespace) -> int:
    """Foresees and writes; 0 when the film is written."""
    from jaxstyle.inference import forecast  # late: stylising does not need what training imports

    output = pathlib.Path(args.output)
    if args.fps < 1:
        raise JaxstyleError(f"--fps is {args.fps}; it must be at least 1")
    if output.suffix:
        check_film(output)
    elif not output.parent.is_dir():
        raise JaxstyleError(f"output folder {str(output.parent)!r} does not exist: make it first, or name another")
    opened = forecast.open_forecaster(args.workdir, args.checkpoint)
    seen = forecast.input_frames(opened, args.clip)
    foreseen = forecast.forecast_frames(opened, seen, args.frames)
    write_frames(output, np.concatenate([seen, foreseen]), args.fps)
    print(output)
    return 0
