"""Folders in buckets (`gs://…`), where files appear whole and nothing can be added to one."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

from etils import epath

from jaxstyle.errors import JaxstyleError


def in_bucket(path: Any) -> bool:
    """Whether a path is a bucket's, as `gs://…`."""
    return "://" in str(path)


def check(what: str, folder: str | os.PathLike) -> None:
    """Looks whether a folder in a bucket can be read, and written as far as that can be told.

    Args:
      what: It is, for the sentence.
      folder: Need not exist.

    Raises:
      JaxstyleError: What buckets are read with is not installed, or there is no way to the bucket, or no bucket.
    """
    try:
        place = epath.Path(folder)
        place.exists()
        place.mkdir(parents=True, exist_ok=True)  # of which nothing is seen in a bucket
    except ImportError as error:
        raise JaxstyleError(f"{what} in a bucket needs more: pip install 'jaxstyle[gcs]' ({error})") from error
    except Exception as error:  # of the network, the account or the bucket's name, by whatever library
        problem = f"{error} ({type(error).__name__})".splitlines()[0]
        raise JaxstyleError(f"{what} {os.fspath(folder)!r} cannot be reached: {problem}") from error


@contextlib.contextmanager
def on_disk(path: epath.Path) -> Iterator[pathlib.Path]:
    """Where to write a file that is to be at a path: there, or, for a bucket, on this disk, and on leaving it is sent.

    Args:
      path: In a folder that exists.
    """
    if not in_bucket(path):
        yield pathlib.Path(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        local = pathlib.Path(folder) / path.name
        yield local
        path.write_bytes(local.read_bytes())
