"""`jaxstyle predict`: tell what pictures or clips show."""

from __future__ import annotations

import argparse
import json

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs import bad_pictures
from jaxstyle.jobs.files import tell_folders
from jaxstyle.media.channels import read_channels
from jaxstyle.media.paths import list_pictures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments: the workdir, the pictures, and how many classes to tell."""
    parser.add_argument("workdir", metavar="WORKDIR", help="workdir of a training, finished or still running")
    parser.add_argument("pictures", metavar="IMAGE", nargs="+", help="pictures, or folders of them; or clips")
    parser.add_argument("--top", type=int, default=3, metavar="N", help="classes told of each picture (default: 3)")
    parser.add_argument("--bad-pictures", default="stop", metavar="stop|skip", help=bad_pictures.HELP)
    which = "checkpoint of the training (default: newest)"
    parser.add_argument("--checkpoint", default="newest", metavar="newest|best|STEP", help=which)
    parser.add_argument("--json", action="store_true", help="one JSON list, with the probabilities of all classes")


def run(args: argparse.Namespace) -> int:
    """Looks and prints a line a picture; 0 when all is done."""
    from jaxstyle.inference.predict import open_classifier, predict_by, takes_clips  # late: a second of imports

    if args.top < 1:
        raise JaxstyleError(f"--top is {args.top}; it must be at least 1")
    opened = open_classifier(args.workdir, args.checkpoint)
    paths = args.pictures
    if not takes_clips(opened):
        paths = list_pictures(args.pictures)
        data, channels = opened.config.data, opened.info.spec["image"].shape[-1]
        read = lambda path: read_channels(path, channels, data.white).shape  # noqa: E731
        good = bad_pictures.readable(paths, args.bad_pictures, read)
        paths = [path for path in paths if path in good]
        tell_folders(args.pictures)
    seen = predict_by(opened, paths)
    if args.json:
        print(
            json.dumps([described(*one, seen.classes) for one in zip(paths, seen.probabilities, strict=True)], indent=2)
        )
        return 0
    for path, probabilities in zip(paths, seen.probabilities, strict=True):
        best = np.argsort(-probabilities, kind="stable")[: args.top]
        print("  ".join([path, *(f"{seen.classes[i]} {probabilities[i]:.3f}" for i in best)]))
    return 0


def described(path: str, probabilities: np.ndarray, classes: tuple[str, ...]) -> dict:
    """A picture's likeliest class and all probabilities."""
    return {
        "picture": path,
        "label": classes[int(np.argmax(probabilities))],
        "probabilities": dict(zip(classes, map(float, probabilities), strict=True)),
    }
