"""The exceptions a user sees, and the hint that names the nearest spelling."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class JaxstyleError(ValueError):
    """A mistake the user can mend, told in one sentence that names the thing and the way out.

    The command line prints the sentence and exits with status 2; Python callers see a `ValueError`. What cannot be
    printed is escaped: names of files and of what is in them may hold line breaks, and commands to the terminal.
    """

    def __init__(self, message: str):
        escaped = (c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in message)
        super().__init__("".join(escaped))


class Diverged(JaxstyleError):
    """A loss, gradient or update is no longer finite; what was good until then is kept.

    Attributes:
      pictures: The last good pictures `[N, H, W, 3]` of a pixel job; None of a training, which has its checkpoints.
    """

    def __init__(self, message: str, pictures: Any = None):
        super().__init__(message)
        self.pictures = pictures


class Interrupted(JaxstyleError):
    """A run was asked to stop (Ctrl-C, SIGTERM); its results so far and what it takes to go on are saved."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an "unknown …" sentence: the nearest known name, or all of them when none is near.

    Args:
      name: The word that the user wrote.
      known: The names that would have been accepted.

    Returns:
      A clause such as `"did you mean 'relu4_1'?"` or `"known: 'max', 'average'"`.
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return "known: " + ", ".join(repr(k) for k in known)
