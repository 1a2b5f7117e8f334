"""One sentence for a workdir that cannot be written any more: a full disk, a quota, a place that is only read."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator

from jaxstyle.errors import JaxstyleError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CODE = re.compile(r"os_error_code='(\d+)'")
"""The system's number for an error, in tensorstore's messages."""


@contextlib.contextmanager
def told(workdir: str | os.PathLike) -> Iterator[None]:
    """Raises `JaxstyleError` in the place of errors of the system on writing into a workdir; others go on."""
    try:
        yield
    except OSError as error:
        place = os.fspath(workdir)
        if not str(error.filename).startswith(place) and error.errno not in (*FULL, errno.EROFS):
            raise
        raise JaxstyleError(sentence(f"the workdir {place!r}", error)) from error


def sentence(what: str, error: Exception) -> str:
    """Says that something cannot be written, why, and the way out."""
    number = code(error)
    reason = os.strerror(number) if number else first_line(error)
    way_out = "make room" if number in FULL else "make it writable"
    return f"{what} cannot be written: {reason}; {way_out}, and the same command goes on from the newest checkpoint"


def code(error: Exception) -> int:
    """Returns the system's number for an error; 0 where it has none."""
    found = CODE.search(str(error))
    return getattr(error, "errno", None) or (int(found[1]) if found else 0)


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message, shortened."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
