"""Every training recipe's `:test` variant, and one of them as a user runs it."""

import json
import os
import subprocess
import sys
from importlib import util

import pytest
from conftest import ROOT

from jaxstyle.training import loop

RECIPES = [path for path in sorted((ROOT / "configs").glob("*.py")) if not path.stem.startswith(("__init__", "common"))]


def get_config(path, variant=""):
    spec = util.spec_from_file_location(path.stem, path)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(variant)


TRAINING = [path for path in RECIPES if get_config(path).run == "jaxstyle.training.loop:run"]


def train(path, workdir, *more):
    arguments = [sys.executable, "train.py", "--config", f"{path}:test", "--workdir", str(workdir), *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TFDS_DATA_DIR": str(workdir / "unused")}
    return subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


def check_run(workdir):
    """Both kinds of rows are written, and nothing outside of the workdir."""
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert {row["kind"] for row in rows} == {"train", "eval"}
    assert [path.name for path in workdir.parent.iterdir()] == [workdir.name]


QUICK = ("gan_mnist",)
"""One of two networks; `test_train.py` runs one that needs nothing, and the tasks' own tests run the others."""


def recipes():
    """All recipes; those but `QUICK` are slow."""
    return [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] * (p.stem not in QUICK)) for p in TRAINING]


@pytest.mark.parametrize("path", recipes())
def test_recipe_runs(path, tmp_path, monkeypatch, shapes_dir):
    """In this process, and with shapes that are drawn already: both would take longer than most of them."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "run" / "unused"))
    config = get_config(path, "test")
    config.update(progress="off", devices=1)
    if config.data.name == "jaxstyle_shapes/tiny":
        config.data.data_dir = shapes_dir
    state = loop.run(config, tmp_path / "run")
    assert int(state.step) == config.train_steps
    check_run(tmp_path / "run")


@pytest.mark.slow
def test_recipe_runs_from_the_command_line(tmp_path):
    done = train(ROOT / "configs" / "classify_shapes.py", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    check_run(tmp_path / "run")


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_recipe_states_its_length_in_epochs(path):
    """Steps count before epochs, so `--config.train_steps=100` must not meet a recipe that is in steps already."""
    config = get_config(path)
    assert config.train_epochs > 0 and not config.train_steps and not config.train_examples


def test_misspelt_setting_is_told_in_a_sentence(tmp_path):
    done = train(TRAINING[0], tmp_path / "run", "--config.optimizer.learning_rat=1")
    assert done.returncode == 2
    assert 'Did you mean "learning_rate"' in done.stderr and "Traceback" not in done.stderr
