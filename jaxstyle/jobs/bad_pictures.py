"""Pictures that cannot be read: all of them named before work starts, or named and left out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from tqdm import tqdm

from jaxstyle.data.bad_pictures import unreadable_text
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.media.image_reading import read_picture

BAD_PICTURES = ("stop", "skip")
HELP = "where a picture cannot be read: do not start, or name it and go on without (default: stop)"


def try_reading(path: str) -> None:
    """Reads a picture, and keeps nothing of it; raises `JaxstyleError` where it cannot be read."""
    read_picture(path)


def readable(
    paths: Sequence[str], bad_pictures: str = "stop", read: Callable[[str], Any] = try_reading
) -> dict[str, Any]:
    """Reads pictures, each once: path -> what `read` keeps of it, of those that can be read.

    Where some cannot be read, `"stop"` raises `JaxstyleError`, which names all of them, and `"skip"` names them on
    stderr and leaves them out, if there are others.
    """
    if bad_pictures not in BAD_PICTURES:
        raise JaxstyleError(f"--bad-pictures {bad_pictures!r} is unknown; {did_you_mean(bad_pictures, BAD_PICTURES)}")
    good, bad = {}, []
    for path in paths:
        try:
            good[path] = read(path)
        except JaxstyleError as error:
            bad.append(str(error))
    if bad and (bad_pictures == "stop" or not good):
        way_out = "; --bad-pictures skip goes on without"
        raise JaxstyleError(unreadable_text(bad, f"{len(paths)} pictures", len(paths), way_out))
    for problem in bad:
        skipped(problem)
    return good


def skipped(problem: str) -> None:
    """Names what is left out, above the progress bar."""
    tqdm.write(f"jaxstyle: {problem}; skipped", file=sys.stderr)
