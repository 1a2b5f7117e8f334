"""Downloads of files over HTTP: resumed, verified by hash, and in place only when whole."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.regular import looks_like_html

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

ATTEMPTS = 4
PAUSE = 0.5  # seconds before the second attempt, doubled before each further one
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 18
TEMPORARY_STATUS = {408, 425, 429, 500, 502, 503, 504}


class _BrokeOff(Exception):
    """The connection ended early; the received part is kept for another attempt."""


class _WrongAnswer(Exception):
    """The server's response is not the file; a part received before is kept."""


class _WrongContent(_WrongAnswer):
    """The received bytes are not the file's; they are deleted."""


def fetch(url: str, target: str | os.PathLike[str], *, size: int | None, hash: str, progress: bool = True) -> None:
    """Downloads `url` to `target`, unless `target` exists.

    The download goes to `target.part` until it is whole and verified; a later call continues it by an HTTP range
    request. Of several processes that fetch the same file, one downloads and the others wait.

    Args:
      url: An http or https address.
      target: Path of the file; its folder is created if necessary.
      size: The file's size in bytes, None if unknown.
      hash: `"md5:HEX"`, `"sha1:HEX"`, `"sha256:HEX"` or `"sha256-prefix:HEX"` (the beginning of the hash).
      progress: Whether to draw a progress bar on stderr.

    Raises:
      JaxstyleError: There is no network, the server fails, or the file is not the expected one. `target` is unchanged;
        `target.part` is kept if the connection ended early, and deleted if its content is wrong.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target) as part:
            if not target.exists():
                _fetch(url, part, size, hash, progress)
                os.replace(part, target)
    except _WrongAnswer as error:
        raise JaxstyleError(f"{url}: {error}; {_by_hand(target, hash)}") from error
    except (OSError, _BrokeOff, http.client.HTTPException) as error:
        raise JaxstyleError(f"{url} cannot be fetched ({_reason(error)}); {_by_hand(target, hash)}") from error


def matches(path: str | os.PathLike[str], hash: str) -> bool:
    """Whether the file has the hash `hash`, in the format of `fetch`."""
    kind, _, expected = hash.partition(":")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, kind.removesuffix("-prefix")).hexdigest()
    return digest.startswith(expected) if kind.endswith("-prefix") else digest == expected


def _by_hand(target: Path, hash: str) -> str:
    return f"try again later, or put the file ({hash}) into {target.parent} as {target.name} yourself"


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError):
        return f"no connection: {error.reason.strerror or error.reason}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[Path]:
    """Locks the partial file for this process and yields its path.

    The lock is on a file of its own, which stays: a lock on the partial file would be lost when that is renamed.
    """
    if fcntl is None:  # without locks a partial file a process, never resumed
        yield target.with_name(f"{target.name}.{os.getpid()}.part")
        return
    with open(target.with_name(f"{target.name}.lock"), "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{target.name}: waiting for another process that fetches it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield target.with_name(f"{target.name}.part")


def _fetch(url: str, part: Path, size: int | None, hash: str, progress: bool) -> None:
    """Downloads `part` in a few attempts, each of which continues the last, and verifies it."""
    try:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _attempt(url, part, size, progress)
                break
            except (OSError, _BrokeOff, http.client.HTTPException) as error:
                if attempt == ATTEMPTS or not _is_temporary(error):
                    raise
                time.sleep(PAUSE * 2 ** (attempt - 1))
        if not matches(part, hash):
            raise _WrongContent("what arrives is another file than expected, its hash is wrong")
    except _WrongContent:
        part.unlink(missing_ok=True)
        raise


def _is_temporary(error: BaseException) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code in TEMPORARY_STATUS
    if isinstance(error, urllib.error.URLError):
        # Without name resolution there is no network, and another attempt is useless.
        return not isinstance(error.reason, socket.gaierror)
    return isinstance(error, (_BrokeOff, ConnectionError, TimeoutError, http.client.HTTPException))


def _attempt(url: str, part: Path, size: int | None, progress: bool) -> None:
    """Requests the rest of `part` once."""
    have = part.stat().st_size if part.exists() else 0
    if have == size:
        return
    request = urllib.request.Request(url, headers={"User-Agent": "jaxstyle"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        # There is nothing after `have` bytes: `part` is the whole file, or too long and useless.
        if _range(error.headers.get("Content-Range"))[1] != have or size is not None:
            part.unlink(missing_ok=True)
            raise _BrokeOff("the server has no such part") from error
        return
    with response:
        have, total = _agreed(response, have, size)
        with open(part, "ab") as file:
            file.truncate(have)
            _copy(response, file, have, total, part.name.removesuffix(".part"), progress)


def _range(header: str | None) -> tuple[int | None, int | None]:
    """Parses first byte and total size of `bytes 10-99/100` or `bytes */100`."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", header or "")
    first, total = found.groups() if found else (None, None)
    return (int(first) if first else None, int(total) if total and total != "*" else None)


def _agreed(response: Any, have: int, size: int | None) -> tuple[int, int | None]:
    """The first byte that the server sends, which may ignore the range asked for, and the total size."""
    if response.headers.get_content_type() == "text/html":
        raise _WrongAnswer("the server sends a web page, not the file (a login page, a proxy?)")
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    if response.status == http.client.PARTIAL_CONTENT:
        first, total = _range(response.headers.get("Content-Range"))
        if first != have:
            raise _WrongAnswer("the server sends another part than the one asked for")
    else:
        have = 0
    if None not in (size, total) and total != size:
        raise _WrongAnswer(f"the server's file has {total} bytes, not {size}")
    return have, size if total is None else total


def _copy(response: Any, file: IO[bytes], have: int, total: int | None, name: str, progress: bool) -> None:
    """Appends the response to `file`; fails if it ends before `total` bytes."""
    bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=name, file=sys.stderr, disable=not progress)
    with bar:
        while chunk := response.read(CHUNK):
            if have == 0 and looks_like_html(chunk[:512]):
                raise _WrongContent("the server sends a web page, not the file (a login page, a proxy?)")
            file.write(chunk)
            have += len(chunk)
            bar.update(len(chunk))
            if total is not None and have > total:
                raise _WrongContent(f"the server sends more than {total} bytes")
    if total is not None and have < total:
        raise _BrokeOff(f"the connection ended after {have} of {total} bytes")
