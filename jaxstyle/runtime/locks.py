"""Folders that one process at a time writes into."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from jaxstyle.errors import JaxstyleError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def only_run_in(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Locks a folder; the system unlocks it when the process ends, however it ends, and nothing is left in it.

    Who reads the folder is not kept waiting. Where there are no such locks (on Windows, in buckets, on some network
    file systems) nothing is locked.

    Args:
      folder: That is there.

    Raises:
      JaxstyleError: Another run has locked it.
    """
    if fcntl is None or not os.path.isdir(folder):
        yield
        return
    place = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JaxstyleError(
                f"another run writes into the workdir {os.fspath(folder)!r}: wait until it ends, or name another"
            ) from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(place)
