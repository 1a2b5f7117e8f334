"""The one exception a user sees for a mistake they can mend, and the hint that names the nearest spelling."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class JaxstyleError(ValueError):
    """A mistake the user can mend, told in one sentence that names the thing and the way out.

    The command line prints the sentence and exits with status 2; Python callers see a `ValueError`.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an "unknown …" sentence: the nearest known name, or all of them when none is near.

    Args:
      name: What the user wrote.
      known: The names that would have been accepted.

    Returns:
      A clause such as `"did you mean 'relu4_1'?"` or `"known: 'max', 'average'"`.
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return "known: " + ", ".join(repr(k) for k in known)
