"""Files that are there whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from jaxstyle.runtime.buckets import in_bucket

LEFTOVER = re.compile(r"\..+\.(\d{1,9})\.(tmp|part)(\.[^.]+)?")
"""Names of temporary files, with the numbers of the processes that write them."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """A temporary path beside a file's own; on leaving, what was written there becomes the file.

    A kill at any moment leaves the new contents or the old ones; after an exception the old ones stay. A link stays a
    link, to the new contents.

    Args:
      path: Of the file, in a folder that exists on this disk.

    Yields:
      The path to write to, with the same ending.

    Raises:
      OSError: As `open` and `os.replace` do.
    """
    whole = pathlib.Path(os.path.realpath(path))
    temporary = whole.with_name(f".{whole.stem}.{os.getpid()}.tmp{whole.suffix}")
    try:
        yield temporary
        os.replace(temporary, whole)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file whole or not at all; see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Any, text: str) -> None:
    """Writes a text file whole or not at all; in a bucket files appear whole by themselves.

    Args:
      path: A `pathlib.Path` or `epath.Path`, in a folder that exists.
      text: The new contents.
    """
    if in_bucket(path):
        path.write_text(text)
    else:
        write_bytes(path, text.encode())


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Removes temporary files from a folder, those of processes that were killed as they wrote them."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = LEFTOVER.fullmatch(entry.name)
            if found and entry.is_file(follow_symlinks=False) and not is_running(int(found[1])):
                os.unlink(entry.path)


def is_running(process: int) -> bool:
    """Tells whether a process of that number runs, or may run."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
