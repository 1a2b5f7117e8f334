"""`jaxstyle train` as the command line runs it: recipes by name and by file, and bad input."""

import json
import os
import re
import shutil

import pytest
import tiny
from conftest import ROOT

from jaxstyle.cli import main
from jaxstyle.cli.train import run_flags, shipped_recipes
from jaxstyle.media.image_reading import read_picture, read_settings

pytestmark = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # which ml_collections calls
RECIPE = ROOT / "configs" / "style_transfer.py"


@pytest.fixture
def train(tmp_path, tiny_features, pictures):
    """Runs a recipe of stylisation on small pictures, with the settings that other tests have compiled already."""
    settings = {**tiny.SMALL, "size": 34, "features": str(tiny_features), "devices": 2}
    sources = {"contents": (str(pictures / "photo.png"),), "styles": (str(pictures / "painting.png"),)}
    flags = [f"--config.{name}={value}" for name, value in {**settings, **sources}.items()]
    return lambda recipe, *words: main(["train", recipe, "--workdir", str(tmp_path / "run"), *flags, *words])


@pytest.mark.parametrize("recipe", ["style_transfer:test", f"{RECIPE}:test", f"{RECIPE}", "mine.py", "mine.py:test"])
def test_a_recipe_by_name_or_by_file(train, tmp_path, monkeypatch, capsys, recipe):
    monkeypatch.chdir(tmp_path)
    shutil.copy(RECIPE, "mine.py")
    assert train(recipe, "--config.content_weight=0.5") == 0
    assert [line for line in capsys.readouterr().err.splitlines() if "% done" not in line] == []
    assert sorted(os.listdir("run")) == ["config.json", "photo.png", "trace.jsonl"]
    assert read_picture("run/photo.png").rgb.shape == (26, 34, 3)
    assert read_settings("run/photo.png")["content_weight"] == 0.5
    assert json.loads((tmp_path / "run" / "config.json").read_text())["job"] == "stylize"
    before = os.stat("run/photo.png").st_mtime_ns
    assert train(recipe, "--config.content_weight=0.5") == 0 and os.stat("run/photo.png").st_mtime_ns == before


def test_recipes_have_names():
    assert shipped_recipes() == {path.stem: path for path in (ROOT / "configs").glob("[!_]*.py")}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("style_transfr",), "jaxstyle: there is no recipe 'style_transfr'; did you mean 'style_transfer'"),
        (("texure:test",), "jaxstyle: there is no recipe 'texure'; did you mean 'texture'"),
        (("no/texture.py",), "jaxstyle: there is no recipe 'no/texture.py'; did you mean 'texture'"),
        (("style_transfer:tset",), ".*style_transfer.py has no variant 'tset'"),
        (("style_transfer:test", "--config.siez=34"), "unknown setting 'siez' Did you mean \"size\""),
        (("style_transfer:test", "--config.sweep.content_wight=(1,)"), "unknown setting 'content_wight'"),
        (("style_transfer:test", "--wrkdir=run"), "Unknown command line flag 'wrkdir'. Did you mean: workdir"),
        (("style_transfer:test", "stray"), "unexpected argument 'stray'; settings are written --config.NAME=VALUE"),
        (("style_transfer:test", "--config.content_weight=-1"), "--config.content_weight is -1; it must be at least 0"),
        (("style_transfer:test", "--config.size=big"), ".*big"),
        (("style_transfer:test", "--config.contents=nowhere.png"), "picture 'nowhere.png' does not exist"),
        (("style_transfer:test", "--config.job=styliz"), "unknown job 'styliz'; did you mean 'stylize'?"),
        (("texture:test", "--config.styles=()"), "texture needs one of styles at least"),
        (("vae_mnist:test", "--config.optimizer.learning_rat=1"), '.*Did you mean "learning_rate"'),
        ((), "jaxstyle: the following arguments are required: RECIPE"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    try:
        status = main(["train", *words, "--workdir=run"])
    except SystemExit as left:
        status = left.code
    told = capsys.readouterr().err
    expected = message if message.startswith("jaxstyle") else f"jaxstyle train: {message}"
    assert status == 2 and told.count("\n") == 1 and re.match(expected, told), told
    assert not list(tmp_path.glob("run/*.png"))


def test_a_recipe_that_is_no_file_is_told_by_train_py_too(capsys):
    assert run_flags(["train.py", "--config=configs/texure.py", "--workdir=run"]) == 2
    assert capsys.readouterr().err.startswith(
        "train.py: there is no recipe 'configs/texure.py'; did you mean 'texture'"
    )


def test_a_missing_workdir_is_told(capsys):
    assert main(["train", "style_transfer:test"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("jaxstyle train: no workdir: name a folder") and told.count("\n") == 1
    assert run_flags(["train.py", "--workdir=run"]) == 2
    assert capsys.readouterr().err == "train.py: no recipe: name one by --config configs/NAME.py\n"


def test_words_stand_in_any_order(tmp_path, capsys):
    assert main(["train", "--workdir", str(tmp_path / "run"), "style_transfer:test", "--config.siez=3"]) == 2
    assert "unknown setting 'siez'" in capsys.readouterr().err
