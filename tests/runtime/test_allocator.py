"""glibc's allocator: who is told what, and that a process that was started anew is the same one with its arguments."""

import os
import subprocess
import sys

import pytest

from jaxstyle.runtime import allocator

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="wants Linux")
BOTH = "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1"


@linux
@pytest.mark.parametrize(
    ("library", "able"),
    [("glibc 2.36", True), ("glibc 2.35", True), ("glibc 2.31", False), ("musl", False), (None, False)],
)
def test_only_a_library_that_takes_the_settings_is_told(library, able, monkeypatch):
    monkeypatch.setattr(os, "confstr", lambda name: library)
    assert allocator.glibc() == able


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("", BOTH),
        ("glibc.malloc.perturb=1", BOTH),
        ("glibc.malloc.hugetlb=0", "glibc.malloc.arena_max=1"),
        (BOTH, ""),
    ],
)
def test_what_somebody_has_said_stays(said, missing, monkeypatch):
    monkeypatch.setenv(allocator.TUNABLES, said)
    assert allocator.tunables() == missing


@linux
def test_the_process_is_started_anew_once_with_its_arguments():
    program = (
        "import os, sys; from jaxstyle.runtime import allocator; "
        "allocator.glibc = lambda: True; allocator.restart(); "
        "print(os.getpid(), os.environ['GLIBC_TUNABLES'], sys.argv[1:], 'jax' in sys.modules)"
    )
    environment = {**os.environ, allocator.TUNABLES: "glibc.malloc.perturb=0"}
    child = subprocess.Popen(
        [sys.executable, "-c", program, "a b", "-c"], env=environment, stdout=subprocess.PIPE, text=True
    )
    said, _ = child.communicate(timeout=120)
    assert said == f"{child.pid} glibc.malloc.perturb=0:{BOTH} ['a b', '-c'] False\n"  # JAX would be imported twice
