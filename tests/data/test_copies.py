"""Datasets copied out of a bucket and into it: here both are folders."""

import os
import pathlib

import pytest

from jaxstyle.data import copies
from jaxstyle.errors import JaxstyleError


@pytest.fixture
def dataset(tmp_path):
    """Of two files, as TFDS leaves them."""
    folder = tmp_path / "bucket" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "train.array_record").write_bytes(os.urandom(100))
    (folder / copies.LAST).write_text("{}")
    return folder


def contents(folder: pathlib.Path):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_copy_is_whole(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "PIECE", 7)
    assert copies.fetch(dataset, tmp_path / "disk" / "1.0.0")
    assert contents(tmp_path / "disk" / "1.0.0") == contents(dataset)
    copies.send(tmp_path / "disk" / "1.0.0", tmp_path / "other")
    assert contents(tmp_path / "other") == contents(dataset)


def test_what_is_there_is_left_and_what_is_nowhere_is_told(dataset, tmp_path):
    local = tmp_path / "1.0.0"
    local.mkdir()
    assert copies.fetch(dataset, local) and not contents(local)
    (dataset / copies.LAST).unlink()  # it is being sent
    assert not copies.fetch(dataset, tmp_path / "2.0.0") and not (tmp_path / "2.0.0").exists()


def test_a_copy_that_breaks_off_leaves_nothing_and_is_told(dataset, tmp_path, monkeypatch):
    (dataset / "folder").mkdir()  # which cannot be read as a file
    with pytest.raises(JaxstyleError, match=r"bucket/1.0.0' cannot be copied to this machine: IsADirectoryError"):
        copies.fetch(dataset, tmp_path / "disk" / "1.0.0")
    assert list((tmp_path / "disk").iterdir()) == []
    with pytest.raises(JaxstyleError, match="the dataset cannot be copied to"):
        copies.send(dataset, tmp_path / "other")
    assert not (tmp_path / "other" / copies.LAST).exists()
