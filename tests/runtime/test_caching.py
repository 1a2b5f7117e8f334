"""Compiled programs that are torn go, whole ones stay and are read once."""

import os
import zlib

import pytest
from jax._src import compilation_cache

from jaxstyle.runtime import caching


@pytest.mark.parametrize("torn", [b"", zlib.compress(bytes(999))[:-1], b"no program"])
def test_torn_programs_are_removed(tmp_path, monkeypatch, torn):
    monkeypatch.setattr(compilation_cache, "decompress_executable", zlib.decompress)  # whatever is installed
    (tmp_path / "a-cache").write_bytes(zlib.compress(b"a program"))
    (tmp_path / "b-cache").write_bytes(torn)
    (tmp_path / "other").write_bytes(torn)
    caching.remove_torn_programs(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".checked", "a-cache", "other"]
    (tmp_path / "c-cache").write_bytes(torn)
    os.utime(tmp_path / "c-cache", (1, 1))
    caching.remove_torn_programs(tmp_path)
    assert (tmp_path / "c-cache").exists()
    caching.remove_torn_programs(tmp_path / "nowhere")
