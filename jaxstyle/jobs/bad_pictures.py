"""Pictures that cannot be read: all of them named before work starts, or named and left out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from tqdm import tqdm

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.media.image_reading import read_picture

BAD_PICTURES = ("stop", "skip")
TOLD = 10  # pictures, at most, whose errors a sentence lists
HELP = "where a picture cannot be read: do not start, or name it and go on without (default: stop)"


def try_reading(path: str) -> None:
    """Reads a picture, and keeps nothing of it.

    Raises:
      JaxstyleError: It cannot be read.
    """
    read_picture(path)


def readable(
    paths: Sequence[str], bad_pictures: str = "stop", look: Callable[[str], Any] = try_reading
) -> dict[str, Any]:
    """Reads pictures, each once, to see whether they can be read.

    Args:
      paths: Of pictures.
      bad_pictures: `"stop"` refuses to go on where one cannot be read, and names all that cannot; `"skip"` names them
        on stderr, and leaves them out.
      look: Reads a picture, and returns what is kept of it.

    Returns:
      Path -> what `look` returned, of those that can be read.

    Raises:
      JaxstyleError: One cannot be read, or none can.
    """
    if bad_pictures not in BAD_PICTURES:
        raise JaxstyleError(f"--bad-pictures {bad_pictures!r} is unknown; {did_you_mean(bad_pictures, BAD_PICTURES)}")
    good, bad = {}, []
    for path in paths:
        try:
            good[path] = look(path)
        except JaxstyleError as error:
            bad.append(str(error))
    if bad and (bad_pictures == "stop" or not good):
        raise JaxstyleError(sentence(bad, len(paths)))
    for problem in bad:
        skipped(problem)
    return good


def sentence(bad: Sequence[str], count: int) -> str:
    """Says which of so many pictures cannot be read, and why."""
    if len(bad) == count == 1:
        return bad[0]
    told = "; ".join(bad[:TOLD]) + (f"; and {len(bad) - TOLD} more" if len(bad) > TOLD else "")
    if len(bad) == count:
        return f"none of the {count} pictures can be read: {told}"
    some = f"{len(bad)} of the {count} pictures cannot be read: " if len(bad) > 1 else ""
    return f"{some}{told}; --bad-pictures skip goes on without"


def skipped(problem: str) -> None:
    """Names what is left out, above the progress bar."""
    tqdm.write(f"jaxstyle: {problem}; skipped", file=sys.stderr)
