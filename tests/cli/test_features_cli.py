"""`jaxstyle features` as the command line runs it, without a network."""

import argparse
import hashlib

import numpy as np
import pytest

from jaxstyle.cli import features
from jaxstyle.errors import JaxstyleError
from jaxstyle.features.weights import registry
from jaxstyle.features.weights.files import read_weights
from jaxstyle.runtime import download

# torchvision's indices of the first three convolutions of VGG.
WIDTHS = {"features.0": (3, 4), "features.2": (4, 5), "features.5": (5, 6)}


@pytest.fixture
def run():
    parser = argparse.ArgumentParser()
    features.add_arguments(parser)
    return lambda *words: features.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "mine.npz"
    rng = np.random.default_rng(0)
    tensors = {f"{name}.weight": rng.standard_normal((out, into, 3, 3)) for name, (into, out) in WIDTHS.items()}
    np.savez(path, **tensors, **{f"{name}.bias": np.ones(out) for name, (_, out) in WIDTHS.items()})
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch, weights):
    """A cache of its own, in which `tiny` can be fetched: a copy of `weights`."""
    content = weights.read_bytes()
    md5 = hashlib.md5(content).hexdigest()
    tiny = registry.Entry("https://weights.invalid/tiny.npz", len(content), f"md5:{md5}", "torchvision", "CC0", "")
    monkeypatch.setattr(registry, "ENTRIES", {"tiny": tiny})
    monkeypatch.setenv("JAXSTYLE_CACHE", str(tmp_path / "cache"))

    def fetch(url, target, *, size, hash, progress=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    monkeypatch.setattr(download, "fetch", fetch)
    return tmp_path / "cache" / "features"


def test_list_tells_what_there_is_and_what_is_cached(run, capsys, cache):
    assert run("list") == 0
    before = capsys.readouterr().out
    row = next(line for line in before.splitlines() if line.startswith("tiny"))
    assert row.split() == ["tiny", "0.0", "MB", "CC0", "no", "https://weights.invalid/tiny.npz"]
    assert str(cache) in before
    run("fetch", "tiny")
    capsys.readouterr()
    run("list")
    assert "yes" in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("tiny")).split()


def test_the_real_table_is_printed(run, capsys, monkeypatch):
    monkeypatch.undo()
    run("list")
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[1 : 1 + len(registry.ENTRIES)]] == list(registry.ENTRIES)
    columns = {row.index(entry.url) for row, entry in zip(rows[1:], registry.ENTRIES.values(), strict=False)}
    assert len(columns) == 1  # they line up


def test_fetch_prints_the_path_and_looks_at_all_names_first(run, capsys, cache):
    with pytest.raises(JaxstyleError, match="unknown features 'tinny'; did you mean 'tiny'"):
        run("fetch", "tiny", "tinny")
    assert not cache.exists()
    assert run("fetch", "tiny") == 0
    assert capsys.readouterr().out == f"tiny: {cache / 'tiny.npz'}\n"


def test_verify_describes_a_path_and_a_cached_name(run, capsys, weights):
    run("fetch", "tiny")
    capsys.readouterr()
    assert run("verify", weights, "tiny") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{weights}: ok, vgg19 to conv2_1 (torchvision layout)"
    assert second.startswith("tiny: ok, vgg19 to conv2_1 (torchvision layout), md5:")
    assert run("verify") == 0  # everything cached
    assert capsys.readouterr().out.splitlines() == [second]


def test_verify_says_which_failed_and_goes_on(run, capsys, cache, weights):
    run("fetch", "tiny")
    damaged = bytearray((cache / "tiny.npz").read_bytes())
    damaged[200] ^= 1
    (cache / "tiny.npz").write_bytes(damaged)
    capsys.readouterr()
    with pytest.raises(JaxstyleError, match="1 of 2 did not pass: tiny"):
        run("verify", "tiny", weights)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("tiny: BAD, ")
    assert "is not the published file (md5:" in first
    assert second.startswith(f"{weights}: ok")


def test_verify_fetches_nothing(run, capsys, cache):
    assert run("verify") == 0
    assert str(cache) in capsys.readouterr().out
    with pytest.raises(JaxstyleError):
        run("verify", "tiny")
    assert "not in the cache" in capsys.readouterr().out
    assert not cache.exists()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_convert_writes_what_can_be_read_back(run, capsys, tmp_path, weights, dtype):
    out = tmp_path / "own.safetensors"
    assert run("convert", weights, out, "--dtype", dtype, "--preprocessing", "caffe") == 0
    assert capsys.readouterr().out == f"{out}: vgg19 to conv2_1 (torchvision layout), {dtype}\n"
    found, expected = read_weights(out), read_weights(weights, preprocessing="caffe")
    assert found.metadata == expected.metadata
    assert found.tensors["preprocess/bias"][0] == np.float32(-103.939)
    for name, tensor in expected.tensors.items():
        np.testing.assert_allclose(found.tensors[name], tensor, rtol=1e-3 if dtype == "float16" else 0)


def test_convert_by_name_notes_source_and_licence(run, tmp_path):
    run("convert", "tiny", tmp_path / "own.safetensors")
    metadata = read_weights(tmp_path / "own.safetensors").metadata
    assert (metadata["licence"], metadata["source"]) == ("CC0", "https://weights.invalid/tiny.npz")


def test_convert_of_a_wrong_file_leaves_nothing(run, tmp_path, weights):
    weights.write_bytes(weights.read_bytes()[:300])
    with pytest.raises(JaxstyleError, match=r"mine\.npz"):
        run("convert", weights, tmp_path / "own.safetensors")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.npz"]


@pytest.mark.parametrize("words", [[], ["convert", "a"], ["fetch"], ["convert", "a", "b", "--dtype", "int8"]])
def test_incomplete_commands_are_refused_by_the_parser(run, words, capsys):
    with pytest.raises(SystemExit):
        run(*words)
    assert "usage:" in capsys.readouterr().err
