"""Local copies of datasets in buckets (`gs://…`), where array records cannot be read."""

from __future__ import annotations

import os
import pathlib
import shutil
from typing import Any

from etils import epath

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.caching import cache_folder

LAST = "dataset_info.json"  # TFDS sees no dataset without it: sent last, it says that the other files are there
PIECE = 2**24  # bytes, copied at once


def folder_of(data_dir: str) -> pathlib.Path:
    """Returns the folder for copies from a bucket: `data/gs/bucket/data` in the cache for `gs://bucket/data`."""
    scheme, _, path = data_dir.partition("://")
    return cache_folder("data") / scheme / path.strip("/")


def fetch(place: epath.Path, local: pathlib.Path) -> bool:
    """Copies a dataset out of a bucket, unless it has been copied before; on disk it is whole or not there at all.

    Returns whether the dataset is on disk now: False where the bucket does not have it either. Raises `JaxstyleError`
    where a file of the dataset cannot be read, or written.
    """
    if local.exists():
        return True
    if not (place / LAST).exists():
        return False
    part = local.with_name(f".{local.name}.{os.getpid()}")
    try:
        part.mkdir(parents=True, exist_ok=True)
        for file in place.iterdir():
            copy(file, part / file.name)
        try:
            part.rename(local)
        except OSError:
            if not local.exists():  # else another process of this machine was faster
                raise
    except Exception as error:  # of the network or the disk, by whatever library
        raise JaxstyleError(f"{str(place)!r} cannot be copied to this machine: {described(error)}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return True


def send(local: pathlib.Path, place: epath.Path) -> None:
    """Copies a dataset from disk into a bucket, see `fetch`.

    Raises:
      JaxstyleError: A file of the dataset cannot be written.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        for file in sorted(local.iterdir(), key=lambda file: file.name == LAST):
            copy(file, place / file.name)
    except Exception as error:
        raise JaxstyleError(f"the dataset cannot be copied to {str(place)!r}: {described(error)}") from error


def copy(source: Any, target: Any) -> None:
    """Copies a file, however large, in pieces."""
    with source.open("rb") as old, target.open("wb") as new:
        shutil.copyfileobj(old, new, PIECE)


def described(error: Exception) -> str:
    """Returns the first line of an error after the name of its class."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
