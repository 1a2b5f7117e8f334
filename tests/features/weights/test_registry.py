"""Names, paths and the cache they lead to."""

import hashlib
import pathlib
import re

import platformdirs
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.weights import layouts, registry
from jaxstyle.runtime import download
from jaxstyle.runtime.caching import cache_folder

CONTENT = b"the weights"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXSTYLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture
def downloads(monkeypatch):
    """Replaces the network: each download writes CONTENT."""
    calls = []

    def fetch(url, target, *, size, hash, progress=True):
        calls.append((url, size, hash, progress))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(CONTENT)

    monkeypatch.setattr(download, "fetch", fetch)
    return calls


@pytest.mark.parametrize("name", registry.ENTRIES)
def test_entries_are_well_formed(name):
    entry = registry.ENTRIES[name]
    assert re.fullmatch(r"md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64}|sha256-prefix:[0-9a-f]{8}", entry.hash)
    assert entry.url.startswith(("https://", registry.CAFFE, registry.PACKAGE))
    assert entry.licence
    assert entry.layout in {layout.name for layout in layouts.LAYOUTS}
    if entry.hash.startswith("sha256-prefix:"):  # torchvision publishes the sum as part of the name
        assert entry.url.endswith(f"-{entry.hash.partition(':')[2]}.pth")
    assert not registry._looks_like_path(name)


def test_the_cache_is_where_the_environment_says_else_where_the_platform_does(cache, monkeypatch):
    assert cache_folder("features") == cache
    monkeypatch.setenv("JAXSTYLE_CACHE", "~/weights")
    assert cache_folder("features") == pathlib.Path.home() / "weights" / "features"
    monkeypatch.delenv("JAXSTYLE_CACHE")
    assert cache_folder("features") == platformdirs.user_cache_path("jaxstyle") / "features"


def test_a_name_is_fetched_once(cache, downloads):
    entry = registry.ENTRIES["squeezenet1_1"]
    for _ in range(2):
        assert registry.resolve("squeezenet1_1", progress=False) == cache / entry.file_name
    assert downloads == [(entry.url, None, entry.hash, False)]


def test_an_unknown_name_gets_the_nearest(cache, downloads):
    with pytest.raises(JaxstyleError, match="unknown features 'vgg91'; did you mean 'vgg19'"):
        registry.resolve("vgg91")
    assert downloads == []


@pytest.mark.parametrize("text", ["absent.npz", "./vgg19", "some/where", "mine.PTH", "/abs"])
def test_what_looks_like_a_path_is_one_even_if_absent(cache, downloads, text):
    assert registry.resolve(text) == pathlib.Path(text)
    assert downloads == []


def test_existing_files_win_over_names_but_folders_do_not(cache, downloads, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("vgg16", "squeezenet1_0"):
        (tmp_path / name).mkdir()
    (tmp_path / "squeezenet1_1").write_bytes(b"mine")
    (tmp_path / "weights").mkdir()
    assert registry.resolve("squeezenet1_1") == pathlib.Path("squeezenet1_1")
    assert registry.resolve("squeezenet1_0").parent == cache
    assert registry.resolve("weights") == pathlib.Path("weights")  # the reader says that it is a folder
    assert registry.resolve(pathlib.Path("vgg16")) == pathlib.Path("vgg16")


def test_a_cached_file_of_the_wrong_size_is_an_error(cache, downloads):
    with pytest.raises(JaxstyleError, match="has 11 bytes, not 80134624; delete it and"):
        registry.resolve("vgg19")


def test_the_hash_of_an_entry_is_checked_for_real(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    good = hashlib.md5(CONTENT).hexdigest()
    assert download.matches(path, f"md5:{good}")
    assert not download.matches(path, f"md5:{good[:8]}")  # only a prefix declared as one is enough
    assert not download.matches(path, registry.ENTRIES["vgg19"].hash)
