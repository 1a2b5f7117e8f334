"""Where what can be fetched or made again is kept between runs."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import platformdirs


def cache_folder(part: str) -> Path:
    """The folder of one kind of file, such as `features`: in `JAXSTYLE_CACHE`, or else in the platform's cache."""
    root = os.environ.get("JAXSTYLE_CACHE")
    return (Path(root).expanduser() if root else platformdirs.user_cache_path("jaxstyle")) / part


def remove_torn_programs(folder: Path) -> None:
    """Removes compiled programs that a killed run or a full disk left torn: JAX would warn of them in every later run.

    Args:
      folder: JAX's compilation cache. What was there already at the last call is not read again.
    """
    stamp, now = folder / ".checked", time.time()
    with contextlib.suppress(OSError):  # another run removes, too
        last = stamp.stat().st_mtime if stamp.exists() else 0
        for path in folder.glob("*-cache"):
            if path.stat().st_mtime >= last and not _is_whole(path):
                path.unlink()
        stamp.touch()
        os.utime(stamp, (now, now))


def _is_whole(path: Path) -> bool:
    try:
        from jax._src.compilation_cache import decompress_executable
    except ImportError:  # a version of JAX that has it elsewhere; its warnings are all that is lost
        return True
    try:
        decompress_executable(path.read_bytes())
    except Exception:  # of zlib or zstandard, whichever JAX has packed with
        return False
    return True
