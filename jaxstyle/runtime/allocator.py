"""glibc's allocator, told before a process begins to suit programs of few and large arrays.

Every step of a program takes and gives back its temporary arrays. In pages of 4 KiB, each of which the system clears
when it is first touched, that was a quarter of all time on a CPU (a picture of 512 px: 47 s, 40 s in huge pages, which
some systems give to those alone who ask). And glibc keeps what each of several threads has freed for that thread: with
one arena for all of them the same picture takes 1.11 GiB at most, where it took 1.44.
"""

from __future__ import annotations

import os
import sys

TUNABLES = "GLIBC_TUNABLES"
WANTED = {"glibc.malloc.hugetlb": "1", "glibc.malloc.arena_max": "1"}
SINCE = (2, 35)  # the version of glibc that has both


def restart() -> None:
    """Replaces this process by itself with glibc told so, where that is not done yet and does something."""
    if glibc() and sys.executable and (missing := tunables()):
        told = ":".join(filter(None, (os.environ.get(TUNABLES), missing)))
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, TUNABLES: told})


def tunables() -> str:
    """The settings of `WANTED` about which nobody has said anything yet, as the variable has them."""
    said = os.environ.get(TUNABLES, "")
    return ":".join(f"{name}={value}" for name, value in WANTED.items() if name not in said)


def glibc() -> bool:
    """Whether the C library is one that takes these settings."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        library, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        return library == "glibc" and tuple(map(int, version.split(".")[:2])) >= SINCE
    except (OSError, ValueError):
        return False
