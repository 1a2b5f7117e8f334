"""A workdir opened by a later command, which has nothing but the workdir."""

import json
import shutil
from contextlib import closing

import jax
import numpy as np
import pytest
from tiny_task import tiny_config

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.run import open_run
from jaxstyle.training import loop
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.config_file import absolute


def test_a_run_is_opened_without_its_data_and_left_as_it_was(tiny_run):
    workdir = tiny_run
    before = sorted((path.relative_to(workdir), path.stat().st_mtime_ns) for path in workdir.rglob("*"))
    run = open_run(workdir)
    training = loop.Training(run.config, absolute(workdir))
    with closing(Checkpoints(absolute(workdir) / "checkpoints")) as checkpoints:
        training.begin(checkpoints)  # as a run goes on
    jax.tree.map(np.testing.assert_array_equal, run.state, jax.device_get(training.state))
    assert (run.config.task, run.info.steps, run.info.extent.examples) == ("tiny_task", 10, 512)
    assert run.info.spec["image"] == jax.ShapeDtypeStruct((32, 32, 3), np.uint8)
    assert run.info.spec["label"] == jax.ShapeDtypeStruct((), np.int32)
    assert run.info.classes[:2] == ("circle", "square")
    assert before == sorted((path.relative_to(workdir), path.stat().st_mtime_ns) for path in workdir.rglob("*"))


def test_the_best_and_any_other_checkpoint(tiny_run):
    workdir = tiny_run
    assert [int(open_run(workdir, which).state.step) for which in ("best", "newest", "5", "10")] == [5, 10, 5, 10]


def test_a_run_still_going_on_is_read(shapes_dir, tmp_path, monkeypatch):
    seen, make = [], loop.Training.batch

    def batch(self, step):
        if step == 7:
            seen.append(int(open_run(tmp_path).state.step))
        return make(self, step)

    monkeypatch.setattr(loop.Training, "batch", batch)
    save = loop.Checkpoints.save
    monkeypatch.setattr(loop.Checkpoints, "save", lambda self, *a: (save(self, *a), self.manager.wait_until_finished()))
    loop.run(tiny_config(shapes_dir, devices=2), tmp_path)
    assert seen == [5]


def test_a_config_of_another_version_is_told(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    del config["keep"], config["data"]["size"], config["model"]["noise"]
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    opened = open_run(tmp_path / "run").config
    assert (opened.keep, opened.data.size, opened.train_steps, opened.model.noise) == (2, 0, 10, 0.1)
    config["model"]["noise"], config["data"]["colour"] = "loud", "gone"  # the latter field is of an older version
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(JaxstyleError, match=r"^model.noise is 'loud'; it must be a number"):
        open_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "contents", "sentence"),
    [
        ("config.json", None, "holds no run: there is no config.json"),
        ("config.json", "{}", "holds no training: its config names no task"),
        ("setting.json", None, "has no setting.json; the training command writes it anew"),
        ("setting.json", '{"extent": 3}', "setting.json' is damaged"),
        ("checkpoints", None, "holds no checkpoint yet"),
    ],
)
def test_what_is_no_run_is_told(tiny_run, tmp_path, name, contents, sentence):
    shutil.copytree(tiny_run, tmp_path / "run")
    path = tmp_path / "run" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if contents:
        path.write_text(contents)
    with pytest.raises(JaxstyleError, match=sentence):
        open_run(tmp_path / "run")


def test_a_checkpoint_that_is_not_there_is_told(tiny_run, tmp_path):
    with pytest.raises(JaxstyleError, match="no checkpoint of step 7; there are 5, 10"):
        open_run(tiny_run, "7")
    with pytest.raises(JaxstyleError, match="no checkpoint 'bst'; write a step, or did you mean 'best'"):
        open_run(tiny_run, "bst")
    shutil.copytree(tiny_run, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps({**config, "best": ""}))
    with pytest.raises(JaxstyleError, match="keeps no best checkpoint"):
        open_run(tmp_path / "run", "best")
