"""Text files appear whole: a write that fails leaves the old one."""

import os
import pathlib
import subprocess
import sys

import pytest
from etils import epath

from jaxstyle.runtime import atomic


@pytest.mark.parametrize("kind", [pathlib.Path, epath.Path])
def test_a_failed_write_leaves_the_old_text(tmp_path, monkeypatch, kind):
    path = kind(tmp_path / "config.json")
    atomic.write_text(path, "old")
    atomic.write_text(path, "new")
    assert path.read_text() == "new" and [entry.name for entry in tmp_path.iterdir()] == ["config.json"]

    def torn(self, data):
        with open(self, "wb") as file:
            file.write(data[:2])
        raise OSError("disk full")

    monkeypatch.setattr(pathlib.Path, "write_bytes", torn)
    with pytest.raises(OSError, match="disk full"):
        atomic.write_text(path, "half")
    assert path.read_text() == "new"


def test_what_killed_processes_left_is_removed(tmp_path):
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    others = {"a.png", ".a.png", f".a.{killed.pid}.png", f".a.{os.getpid()}.tmp.png", ".a.tmp.png", ".a.tmp"}
    for name in {*others, f".a.{killed.pid}.tmp.png", f".a.png.{killed.pid}.tmp", f".a.{killed.pid}.part"}:
        (tmp_path / name).touch()
    atomic.remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == others
    atomic.remove_leftovers(tmp_path / "nowhere")
