"""A run whose folder of pictures changes after it has begun: what is refused, what is told, by which commands."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from etils import epath
from PIL import Image
from tiny_task import tiny_config

import jaxstyle
from jaxstyle import cli
from jaxstyle.data.config import DataConfig
from jaxstyle.errors import JaxstyleError
from jaxstyle.training import loop, run_info, same_data
from jaxstyle.training.config_file import moved_data
from jaxstyle.training.durations import Extent


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
    without_fingerprints(workdir)
    rename(pets)
    with pytest.raises(JaxstyleError, match="the class 'cats' is gone; the class 'felines' is new"):
        loop.run(pets_config(pets, train_steps=4), workdir)
    (workdir / "setting.json").write_text("torn")
    assert int(loop.run(pets_config(pets, train_steps=4), workdir).step) == 4  # as before there were fingerprints


def test_other_pictures_in_the_same_classes_are_told(pets, workdir, capsys):
    assert cli.main(["evaluate", str(workdir)]) == 0 and "has changed" not in capsys.readouterr().err
    paint(pets / "dogs", 1, first=12)
    known = {split: saved["groups"][1]["count"] for split, saved in facts(workdir).items()}
    loop.run(pets_config(pets, train_steps=3), workdir)
    told = capsys.readouterr().err
    (split,) = (split for split, saved in facts(workdir).items() if saved["groups"][1]["count"] > known[split])
    assert f"jaxstyle: '{split}' has changed since the run in" in told
    assert f"'dogs' has 1 picture more ({known[split] + 1}, it had {known[split]})" in told
    loop.run(pets_config(pets, train_steps=4), workdir)  # it is known now
    assert "has changed" not in capsys.readouterr().err


def test_other_convolutions_are_told(tmp_path, capsys):
    (tmp_path / "config.json").write_text('{"data": {}}')
    spec = {"image": jax.ShapeDtypeStruct((8, 8, 3), np.uint8)}
    run = run_info.RunInfo(Extent(8, 4), 10, spec, by_onednn=True)
    run_info.save(epath.Path(tmp_path), run)
    config = SimpleNamespace(data=DataConfig())
    same_data.check_going_on(epath.Path(tmp_path), config, run)
    assert not capsys.readouterr().err
    same_data.check_going_on(epath.Path(tmp_path), config, dataclasses.replace(run, by_onednn=False))
    assert "computed with JAXSTYLE_ONEDNN=1, and goes on with JAXSTYLE_ONEDNN=0" in capsys.readouterr().err


def without_fingerprints(workdir):
    """Makes the workdir one of an earlier version."""
    facts = json.loads((workdir / "setting.json").read_text())
    del facts["data"]
    (workdir / "setting.json").write_text(json.dumps(facts))


def test_a_folder_with_the_same_contents_may_lie_elsewhere(pets, workdir, tmp_path, capsys):
    score = jaxstyle.evaluate(workdir).own["loss"]
    moved = pets.rename(tmp_path / "animals")
    assert cli.main(["evaluate", str(workdir)]) == 2
    assert f"the pictures are no longer in '{pets}'; name their place by --data" in capsys.readouterr().err
    assert cli.main(["evaluate", str(workdir), "--data", str(moved), "--json"]) == 0
    assert (
        json.loads(capsys.readouterr().out)["own"]["loss"]
        == jaxstyle.evaluate(workdir, data=moved).own["loss"]
        == score
    )
    assert int(loop.run(pets_config(moved, train_steps=4), workdir).step) == 4
    assert jaxstyle.evaluate(workdir).step == 4  # where the run found them last
    assert "has changed" not in capsys.readouterr().err


def test_a_folder_elsewhere_with_other_contents_is_refused_to_go_on_and_told_to_score(pets, workdir, tmp_path, capsys):
    moved = pets.rename(tmp_path / "animals")
    paint(moved / "dogs", 5, first=12)
    before = contents(workdir)
    with pytest.raises(JaxstyleError, match=r"'dogs' has \d pictures? more .* A folder elsewhere must have the same"):
        loop.run(pets_config(moved, train_steps=4), workdir)
    assert contents(workdir) == before
    assert cli.main(["evaluate", str(workdir), "--data", str(moved), "--split", "train"]) == 0
    assert "jaxstyle: 'train' has changed since the run" in capsys.readouterr().err
    assert cli.main(["evaluate", str(workdir), "--data", "nowhere"]) == 2
    assert "there is no folder 'nowhere', which --data names" in capsys.readouterr().err
    rename(moved)
    assert cli.main(["evaluate", str(workdir), "--data", str(moved)]) == 2


def test_a_folder_elsewhere_is_refused_where_no_fingerprint_is_known(pets, workdir, tmp_path):
    moved = pets.rename(tmp_path / "animals")
    without_fingerprints(workdir)
    with pytest.raises(JaxstyleError, match=r"data.folder was '.*pets', and no fingerprint in '.*run' tells whether"):
        loop.run(pets_config(moved, train_steps=4), workdir)


@pytest.mark.parametrize("place", ["pictures/masks", "masks"])
def test_masks_move_with_their_pictures(tmp_path, place):
    data = DataConfig(
        folder=str(tmp_path / "a" / "pictures"), masks=str(tmp_path / "a" / place), mask_classes=("0", "1")
    )
    (tmp_path / "a" / "pictures").mkdir(parents=True)
    assert moved_data(data, None) == data
    (tmp_path / "b" / place).mkdir(parents=True)
    (tmp_path / "b" / "pictures").mkdir(exist_ok=True)
    moved = moved_data(data, tmp_path / "b" / "pictures")
    assert (moved.folder, moved.masks) == (str(tmp_path / "b" / "pictures"), str(tmp_path / "b" / place))
    (tmp_path / "b" / place).rmdir()
    assert moved_data(data, tmp_path / "b" / "pictures").masks == data.masks  # they stayed


def test_a_second_domain_moves_with_the_first(tmp_path):
    data = DataConfig(folder=str(tmp_path / "a" / "horses"), folder_b=str(tmp_path / "a" / "zebras"))
    for name in ("horses", "zebras"):
        (tmp_path / "b" / name).mkdir(parents=True)
    moved = moved_data(data, tmp_path / "b" / "horses")
    assert (moved.folder, moved.folder_b) == (str(tmp_path / "b" / "horses"), str(tmp_path / "b" / "zebras"))


def test_prepared_datasets_may_lie_elsewhere_too(tiny_run, shapes_dir, tmp_path):
    shutil.copytree(shapes_dir, tmp_path / "moved")
    assert jaxstyle.evaluate(tiny_run, data=tmp_path / "moved") == jaxstyle.evaluate(tiny_run)


def facts(workdir):
    return json.loads((workdir / "setting.json").read_text())["data"]
