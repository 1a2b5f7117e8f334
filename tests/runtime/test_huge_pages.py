"""Huge pages: who asks for them, and that a process that was started anew is the same one with its arguments."""

import os
import subprocess
import sys

import pytest

from jaxstyle.runtime import huge_pages

glibc = pytest.mark.skipif(
    not sys.platform.startswith("linux") or "glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or ""),
    reason="wants glibc",
)
ON_REQUEST = "always [madvise] never\n"


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """The file in which the kernel says to whom it gives huge pages."""
    monkeypatch.delenv(huge_pages.TUNABLES, raising=False)
    monkeypatch.setattr(huge_pages, "SETTING", tmp_path / "enabled")
    monkeypatch.setattr(os, "confstr", lambda name: "glibc 2.36")
    return tmp_path / "enabled"


@glibc
def test_they_are_asked_for_where_that_does_something(kernel, monkeypatch):
    assert not huge_pages.wanted()  # no such file
    for text, expected in (
        (ON_REQUEST, True),
        ("[always] madvise never\n", False),
        ("always madvise [never]\n", False),
    ):
        kernel.write_text(text)
        assert huge_pages.wanted() == expected
    kernel.write_text(ON_REQUEST)
    for version in ("glibc 2.31", "musl"):
        monkeypatch.setattr(os, "confstr", lambda name, version=version: version)
        assert not huge_pages.wanted()
    monkeypatch.setattr(os, "confstr", lambda name: "glibc 2.35")
    for said, expected in (("glibc.malloc.hugetlb=0", False), ("glibc.malloc.perturb=1", True)):
        monkeypatch.setenv(huge_pages.TUNABLES, said)
        assert huge_pages.wanted() == expected


@glibc
def test_the_process_is_started_anew_with_its_arguments(kernel):
    kernel.write_text(ON_REQUEST)
    program = (
        "import os, pathlib, sys; from jaxstyle.runtime import huge_pages; "
        f"huge_pages.SETTING = pathlib.Path({str(kernel)!r}); huge_pages.SINCE = (2, 0); huge_pages.restart(); "
        "print(os.getpid(), os.environ['GLIBC_TUNABLES'], sys.argv[1:], 'jax' in sys.modules)"
    )
    environment = {**os.environ, huge_pages.TUNABLES: "glibc.malloc.perturb=0"}
    child = subprocess.Popen(
        [sys.executable, "-c", program, "a b", "-c"], env=environment, stdout=subprocess.PIPE, text=True
    )
    said, _ = child.communicate(timeout=120)
    assert (
        said == f"{child.pid} glibc.malloc.perturb=0:glibc.malloc.hugetlb=1 ['a b', '-c'] False\n"
    )  # JAX would be imported twice
