"""Regular files: no pipe is waited for, no device read without end, no archive unpacked beyond measure, no web page."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from typing import Any

from jaxstyle.runtime.buckets import in_bucket

EXPANSION = 16  # times that numbers are compressed at most: those that claim more are forged, or all the same
SMALL = 2**26  # bytes that may be unpacked from whatever


def check_regular(path: str | os.PathLike[str]) -> None:
    """Raises `OSError` for what is there and is no file: folders, pipes and devices, of which some have no end."""
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "it is a pipe or a device", os.fspath(path))


def read_json(path: Any) -> Any:
    """Reads a JSON file, a `pathlib.Path` or `epath.Path`.

    Raises:
      OSError: There is none, or it cannot be read.
      ValueError: It holds something else, or is nested too deep.
    """
    if not in_bucket(path):
        check_regular(path)
    try:
        return json.loads(path.read_text())
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def check_unpacked(size: int, path: str | os.PathLike[str]) -> None:
    """Raises `ValueError` where a file claims to unpack to more bytes than numbers could be compressed from."""
    if size > max(SMALL, EXPANSION * os.path.getsize(path)):
        raise ValueError(f"it claims to unpack to {size} bytes")


def check_archive(path: str | os.PathLike[str]) -> None:
    """Raises `ValueError` for a zip archive, such as an npz, of which this is so; as `zipfile` for no such archive."""
    with zipfile.ZipFile(path) as archive:
        check_unpacked(sum(info.file_size for info in archive.infolist()), path)


def looks_like_html(head: bytes) -> bool:
    """Whether a file begins like a web page, such as a login or an error page saved in a file's place."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<?xml", b"<!--"))
