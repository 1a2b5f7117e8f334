"""`train.py`: flags in, the recipe's function called with (config, workdir); run as users run it, in processes."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from jaxstyle.media.image_reading import read_settings

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECIPE = "configs/style_transfer.py"


@pytest.fixture
def train(tmp_path, tiny_features):
    """Runs the `:test` recipe on small pictures; gives the finished process."""

    def run(*words, recipe=f"{RECIPE}:test"):
        flags = ["--config", recipe, "--workdir", tmp_path / "run", f"--config.features={tiny_features}", *words]
        command = [sys.executable, "train.py", *map(str, flags)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)

    return run


def test_a_recipe_runs_and_goes_on(train, tmp_path):
    words = (
        *("--config.size=34", "--config.min_size=34", "--config.initial_iterations=2", "--config.style_loss=mean-std"),
        *(
            "--config.style_layers=('relu1_1',)",
            "--config.layer_weights=(1.0,)",
            "--config.content_layers=('relu1_1',)",
        ),
        *("--config.learning_rate=0.05", "--config.devices=2", "--config.sweep.content_weight=(0.1, 1.0)"),
    )
    first = train(*words)
    assert (first.returncode, first.stderr) == (0, "")
    folder = tmp_path / "run"
    results = ["landscape-content_weight=0.1.png", "landscape-content_weight=1.png"]
    assert sorted(os.listdir(folder)) == ["config.json", "contact_sheet.png", *results, "trace.jsonl"]
    assert read_settings(folder / results[0])["content_weight"] == 0.1
    config = json.loads((folder / "config.json").read_text())
    assert config["learning_rate"] == 0.05 and config["sweep"] == {"content_weight": [0.1, 1.0]}
    assert config["contents"] == ["example:landscape"] and config["style_size"] is None
    rows = (folder / "trace.jsonl").read_text()
    assert len(rows.splitlines()) == 2
    before = [(folder / name).stat().st_mtime_ns for name in results]
    second = train(*words)
    assert (second.returncode, second.stderr) == (0, "")
    assert [(folder / name).stat().st_mtime_ns for name in results] == before
    assert (folder / "trace.jsonl").read_text() == rows


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--config.siez=34", "unknown setting 'siez'.*\"size\""),
        ("--config.sweep.content_wight=(1.0,)", "unknown setting 'content_wight'.*\"content_weight\""),
        ("--config.sweeep.content_weight=(1.0,)", "unknown setting 'sweeep'.*\"sweep\""),
        ("--processes=2", "processes that train together each need --coordinator HOST:PORT"),
        ("--coordinator=cluster", "no cluster is found here"),
        ("--config.content_weight=-1", "--config.content_weight is -1; it must be at least 0"),
        ("--config.contents=nowhere.png", "picture 'nowhere.png' does not exist"),
    ],
)
def test_what_cannot_be_is_one_sentence(train, tmp_path, word, message):
    done = train(word)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert re.match(f"train.py: {message}", done.stderr), done.stderr
    assert not list(tmp_path.glob("run/*.png"))


def test_a_variant_that_changes_nothing_is_told(train):
    done = train(recipe=f"{RECIPE}:tset")
    assert done.returncode == 2 and done.stderr.startswith(f"train.py: {RECIPE} has no variant 'tset'"), done.stderr


def test_a_missing_flag_or_a_stray_word_is_told(train):
    assert "unexpected argument 'stray'" in train("stray").stderr
    bare = subprocess.run([sys.executable, "train.py"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert bare.returncode != 0 and "--config" in bare.stderr and "Traceback" not in bare.stderr
