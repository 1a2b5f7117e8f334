"""Memory of the devices, or of the machine where a CPU is the device: how much there is, how much is free, and giving
back what is not used."""

from __future__ import annotations

import ctypes
import functools
import pathlib
from typing import Any

import jax


def capacity() -> float | None:
    """All bytes of a device (on CPU: of the machine), or None where nobody says."""
    if jax.default_backend() != "cpu":
        return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    return system_memory("MemTotal")


def available() -> float | None:
    """Bytes free on a device (on CPU: in the machine, within its control group), or None where nobody says."""
    if jax.default_backend() != "cpu":
        statistics = jax.local_devices()[0].memory_stats() or {}
        limit = statistics.get("bytes_limit")
        return None if limit is None else limit - statistics.get("bytes_in_use", 0)
    rooms = [room for room in (system_memory("MemAvailable"), group_memory()) if room is not None]
    return min(rooms, default=None)


def system_memory(entry: str) -> float | None:
    """An entry of the system's memory table, in bytes: `MemTotal`, or `MemAvailable` without swapping."""
    try:
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    sizes = {line.partition(":")[0]: line.split()[1] for line in lines}
    return float(sizes[entry]) * 1024 if entry in sizes else None


def group_memory() -> float | None:
    """Bytes that the control group (a container's limit) leaves; file pages that can be dropped count as free."""
    group = pathlib.Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except OSError:
        return None
    return None if limit == "max" else float(limit) - float(statistics.get("anon", 0))


def trim() -> None:
    """Gives freed memory back to the system, where the C library can (glibc).

    Compiling a step frees some 600 MiB in pieces, which glibc would keep: the default picture's peak was 1.8 GiB, and
    is 1.5 GiB so.
    """
    if release := malloc_trim():
        release(0)


@functools.cache
def malloc_trim() -> Any:
    """The C library's function of that name, or None."""
    try:
        return getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):
        return None
