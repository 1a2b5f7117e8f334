"""Huge pages for large arrays, on Linux systems that give them to those alone who ask.

Every step of a program takes and gives back its temporary arrays; in pages of 4 KiB, each of which the system clears
when it is first touched, that was a quarter of all time on a CPU (a picture of 512 px: 47 s, 40 s with huge pages).
glibc asks for them, if it is told to before a process begins. (One heap for all threads, `glibc.malloc.arena_max=1`,
would take 1.1 GiB for 1.4 at most, but the studio's first preview, mostly compilation, then takes 13 s for 10.)
"""

from __future__ import annotations

import os
import pathlib
import sys

TUNABLES = "GLIBC_TUNABLES"
ASK = "glibc.malloc.hugetlb"
SETTING = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
SINCE = (2, 35)  # glibc


def restart() -> None:
    """Replaces this process by itself with glibc told to ask for huge pages, where that does something."""
    if wanted():
        tunables = filter(None, (os.environ.get(TUNABLES), f"{ASK}=1"))
        environment = {**os.environ, TUNABLES: ":".join(tunables)}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def wanted() -> bool:
    """Whether huge pages are there for the asking, and nobody has said whether to ask."""
    return ASK not in os.environ.get(TUNABLES, "") and bool(sys.executable) and on_request()


def on_request() -> bool:
    """Whether the kernel gives huge pages to those alone who ask, and the C library is one that can."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        madvise = "[madvise]" in SETTING.read_text()
        library, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        return madvise and library == "glibc" and tuple(map(int, version.split(".")[:2])) >= SINCE
    except (OSError, ValueError):
        return False
