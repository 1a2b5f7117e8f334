"""Text files appear whole: a write that fails leaves the old one."""

import pathlib

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
