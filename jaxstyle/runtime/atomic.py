"""Files that are there whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from jaxstyle.runtime.buckets import in_bucket


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
