"""A run whose folder of pictures changes after it has begun: what is refused, what is told, by which commands."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny_task import tiny_config

from jaxstyle import cli
from jaxstyle.errors import JaxstyleError
from jaxstyle.training import loop


def paint(folder, count, first=0):
    """Pictures of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.bmp")  # all of one size in bytes


@pytest.fixture
def pets(tmp_path):
    for name in ("cats", "dogs"):
        paint(tmp_path / "pets" / name, 12)
    return tmp_path / "pets"


def pets_config(pets, **changes):
    settings = {"data__folder": str(pets), "devices": 2, "batch_size": 8, "train_steps": 2, **changes}
    return tiny_config("", **settings)


@pytest.fixture
def workdir(pets, tmp_path):
    loop.run(pets_config(pets), tmp_path / "run")
    return tmp_path / "run"


def contents(workdir):
    return {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}


def rename(pets):
    (pets / "cats").rename(pets / "felines")


def add(pets):
    paint(pets / "owls", 5)


def remove(pets):
    (pets / "dogs").rename(pets.parent / "dogs")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (rename, "the class 'cats' is now called 'felines'"),
        (add, "the class 'owls' is new ("),
        (remove, "the class 'dogs' is gone ("),
    ],
)
def test_other_classes_are_refused_before_anything_is_done(pets, workdir, monkeypatch, capsys, change, sentence):
    change(pets)
    before = contents(workdir)
    with pytest.raises(JaxstyleError) as refused:
        loop.run(pets_config(pets, train_steps=4), workdir)
    assert sentence in str(refused.value) and "began" in str(refused.value)
    for words in (["--split", "train"], [], ["--split", "test[:50%]"]):
        assert cli.main(["evaluate", str(workdir), *words]) == 2
        assert sentence.removesuffix(" (").replace("now called 'felines'", "") in capsys.readouterr().err
    assert contents(workdir) == before


def test_a_workdir_that_knows_no_more_than_its_classes_refuses_too(pets, workdir):
    facts = json.loads((workdir / "setting.json").read_text())
    del facts["data"]  # of an earlier version
    (workdir / "setting.json").write_text(json.dumps(facts))
    rename(pets)
    with pytest.raises(JaxstyleError, match="the class 'cats' is gone; the class 'felines' is new"):
        loop.run(pets_config(pets, train_steps=4), workdir)
    (workdir / "setting.json").write_text("torn")
    assert int(loop.run(pets_config(pets, train_steps=4), workdir).step) == 4  # as before there were fingerprints


def test_other_pictures_in_the_same_classes_are_told(pets, workdir, capsys):
    assert cli.main(["evaluate", str(workdir)]) == 0 and capsys.readouterr().err == ""
    paint(pets / "dogs", 1, first=12)
    known = {split: saved["groups"][1]["count"] for split, saved in facts(workdir).items()}
    loop.run(pets_config(pets, train_steps=3), workdir)
    told = capsys.readouterr().err
    (split,) = (split for split, saved in facts(workdir).items() if saved["groups"][1]["count"] > known[split])
    assert f"jaxstyle: '{split}' has changed since the run in" in told
    assert f"'dogs' has 1 picture more ({known[split] + 1}, it had {known[split]})" in told
    loop.run(pets_config(pets, train_steps=4), workdir)  # it is known now
    assert "has changed" not in capsys.readouterr().err


def facts(workdir):
    return json.loads((workdir / "setting.json").read_text())["data"]
