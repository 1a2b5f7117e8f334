"""The loop, on a task it cannot know."""

import json
import os
import shutil
import signal

import jax
import numpy as np
import pytest
from tiny_task import tiny_config

from jaxstyle.data.dataset import Dataset
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.run import open_run
from jaxstyle.training import loop
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.config_file import absolute, read_config
from jaxstyle.training.task import typed_config


def equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(a), jax.device_get(b))


def rows(workdir, kind):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def at_batch(monkeypatch, number, action):
    """Does something while the batch of a step is made."""
    make = loop.Training.batch

    def batch(self, step):
        if step == number:
            action()
        return make(self, step)

    monkeypatch.setattr(loop.Training, "batch", batch)


def test_a_run_leaves_config_metrics_checkpoints_and_pictures(shapes_dir, tmp_path):
    state = loop.run(tiny_config(shapes_dir), tmp_path)
    assert int(state.step) == 10
    assert read_config(tmp_path)["task"] == "tiny_task"
    assert [row["step"] for row in rows(tmp_path, "train")] == list(range(1, 11))
    assert [row["step"] for row in rows(tmp_path, "eval")] == [5, 10]
    speed = rows(tmp_path, "train")[-1]
    assert 0 <= speed["waiting_for_data"] <= 1
    np.testing.assert_allclose(speed["examples_per_second"] * speed["seconds_per_step"], 16, rtol=1e-6)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["seen-0000005.png", "seen-0000010.png"]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["10", "5"]
    assert list((tmp_path / "tensorboard").iterdir())


@pytest.mark.parametrize("steps", [13, 3])  # in a short run it begins at once
def test_a_profile_is_written_when_asked_for(shapes_dir, tmp_path, steps):
    loop.run(tiny_config(shapes_dir, train_steps=steps, eval_steps=0, profile_steps=2), tmp_path)
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


def test_a_finished_run_has_nothing_to_do(shapes_dir, tmp_path):
    first = loop.run(tiny_config(shapes_dir), tmp_path)
    before = (tmp_path / "metrics.jsonl").read_text()
    equal(first, loop.run(tiny_config(shapes_dir), tmp_path))
    assert (tmp_path / "metrics.jsonl").read_text() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_preempt_saves_and_a_rerun_resumes_bit_for_bit(shapes_dir, tmp_path, monkeypatch, capsys, number):
    config = tiny_config(shapes_dir, ema_decay=0.9)
    whole = loop.run(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        at_batch(patch, 3, lambda: os.kill(os.getpid(), number))
        stopped = loop.run(config, tmp_path / "parts")
    assert int(stopped.step) == 4  # the step that was under way is finished
    assert "stopped after step 4 of 10, saved; to go on:" in capsys.readouterr().out
    equal(whole, loop.run(config, tmp_path / "parts"))
    losses = [[row["loss"] for row in rows(tmp_path / part, "train")] for part in ("whole", "parts")]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("step", [pytest.param(5, marks=pytest.mark.slow), 10])
def test_preempt_in_an_evaluation_breaks_it_off_and_a_rerun_makes_up_for_it(shapes_dir, tmp_path, monkeypatch, step):
    config = tiny_config(shapes_dir)
    loop.run(config, tmp_path / "whole")
    evaluate = loop.Training.evaluate

    def interrupted(self, stop):
        if int(self.state.step) == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(self, stop)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "evaluate", interrupted)
        assert int(loop.run(config, tmp_path / "parts").step) == step
    assert len(rows(tmp_path / "parts", "eval")) == step // 5 - 1
    loop.run(config, tmp_path / "parts")
    assert rows(tmp_path / "whole", "eval") == rows(tmp_path / "parts", "eval")


def test_what_is_best_is_kept_where_evaluations_and_checkpoints_fall_apart(shapes_dir, tmp_path, monkeypatch):
    scores = {3: 5.0, 6: 1.0, 9: 2.0, 10: 9.0}
    evaluate = loop.Training.evaluate
    monkeypatch.setattr(
        loop.Training, "evaluate", lambda self, stop: {**evaluate(self, stop), "loss": scores[int(self.state.step)]}
    )
    loop.run(tiny_config(shapes_dir, eval_steps=3, checkpoint_steps=4, best="loss", best_mode="min", keep=1), tmp_path)
    assert sorted(int(path.name) for path in (tmp_path / "checkpoints").iterdir()) == [6, 10]


@pytest.mark.parametrize(("before", "after"), [(8, 1), (1, 8)])
def test_checkpoint_of_other_devices_resumes(shapes_dir, tmp_path, before, after):
    half = loop.run(tiny_config(shapes_dir, train_steps=5, devices=before), tmp_path)
    whole = loop.run(tiny_config(shapes_dir, devices=after), tmp_path)
    assert int(half.step), int(whole.step) == (5, 10)
    assert len(whole.step.sharding.device_set) == after
    reference = loop.run(tiny_config(shapes_dir, devices=before), tmp_path / "reference")
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
        jax.device_get(whole.params),
        jax.device_get(reference.params),
    )


def test_evaluation_counts_every_example_once(shapes_dir, tmp_path):
    """100 examples in batches of 16: the last one is ragged. Labels are a cycle of ten, so each is a tenth."""
    training = loop.Training(typed_config(tiny_config(shapes_dir)), absolute(tmp_path))
    with_loop(training, tmp_path)
    scores = training.evaluate()
    np.testing.assert_allclose(scores["labels"], np.full(10, 0.1), atol=1e-7)
    everything = training.evaluation.data(np.arange(100)[None].repeat(8, 0))
    state = jax.device_get(training.state)
    losses = training.task.losses(state.params, jax.tree.map(lambda leaf: np.asarray(leaf)[0], everything))
    np.testing.assert_allclose(scores["loss"], np.mean(losses), rtol=1e-5)


def with_loop(training, tmp_path):
    """Gives a training its first state."""
    checkpoints = Checkpoints(absolute(tmp_path) / "checkpoints")
    training.begin(checkpoints)
    checkpoints.close()


def test_streamed_and_resident_data_give_the_same_run(shapes_dir, tmp_path):
    resident = loop.run(tiny_config(shapes_dir), tmp_path / "resident")
    streamed = loop.run(tiny_config(shapes_dir, data__resident_megabytes=0.0), tmp_path / "streamed")
    equal(resident, streamed)


def test_best_checkpoint_is_kept_beside_the_newest(shapes_dir, tmp_path):
    config = tiny_config(
        shapes_dir, eval_steps=1, checkpoint_steps=1, keep=1, best="loss", best_mode="max", train_steps=6
    )
    loop.run(config, tmp_path)
    losses = {row["step"]: row["loss"] for row in rows(tmp_path, "eval")}
    best = max(losses, key=losses.__getitem__)
    assert {int(path.name) for path in (tmp_path / "checkpoints").iterdir()} == {best, 6}


def test_a_torn_checkpoint_is_passed_over_if_asked_and_the_run_resumes(shapes_dir, tmp_path):
    whole = loop.run(tiny_config(shapes_dir), tmp_path)
    (tmp_path / "checkpoints" / "10" / "default" / "_METADATA").write_text("torn")
    with pytest.raises(JaxstyleError, match=r"step 10 .* torn: .*\(fallback=True takes"):
        loop.run(tiny_config(shapes_dir), tmp_path)
    equal(whole, loop.run(tiny_config(shapes_dir, fallback=True), tmp_path))


def test_a_run_does_not_go_on_with_other_data(shapes_dir, tmp_path):
    loop.run(tiny_config(shapes_dir, train_steps=1), tmp_path)
    with pytest.raises(JaxstyleError, match="batch_size was 16, is 32; seed was 0, is 1"):
        loop.run(tiny_config(shapes_dir, batch_size=32, seed=1), tmp_path)


def test_what_cannot_go_on_leaves_the_run_as_it_is(shapes_dir, tmp_path):
    loop.run(tiny_config(shapes_dir, train_steps=5), tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in ("config.json", "setting.json", "metrics.jsonl")}
    with pytest.raises(JaxstyleError, match=r"no checkpoint of step 3 in .*; there are 5"):
        loop.run(tiny_config(shapes_dir, resume_step=3), tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert int(open_run(tmp_path).state.step) == 5


def test_places_mean_the_same_from_every_folder(shapes_dir, tmp_path, monkeypatch):
    """And data that has moved is no other data; a folder is."""
    monkeypatch.chdir(os.path.dirname(shapes_dir))
    loop.run(tiny_config(os.path.basename(shapes_dir), train_steps=1), tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert read_config("run")["data"]["data_dir"] == os.path.abspath(shapes_dir)
    shutil.copytree(shapes_dir, tmp_path / "moved")
    config = tiny_config("moved", train_steps=2, data__resident_megabytes=0.0, data__eval_split="test[:20]")
    assert int(loop.run(config, "run").step) == 2


@pytest.mark.parametrize("below", ["", "run"])
def test_a_workdir_that_is_a_file_is_told(shapes_dir, tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(JaxstyleError, match=r"there can be no workdir .* is a file"):
        loop.run(tiny_config(shapes_dir), tmp_path / "file" / below)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"task": "jaxstyle.tasks.clasify"}, "there is no task 'jaxstyle.tasks.clasify'"),
        ({"task": "jaxstyle.errors"}, "is no task: it has no Config and no check and no fields and no make"),
        ({"batch_size": 12}, "batch_size 12 cannot be shared by 8 devices; the nearest is 16"),
        ({"devices": 9}, "devices is 9; this machine has 8"),
        ({"train_steps": 0, "train_epochs": 0.0}, "the config gives no length"),
        ({"optimizer__name": "adm"}, "unknown optimizer.name 'adm'; did you mean 'adam'?"),
        ({"data__split": "trian"}, "no split 'trian' in .* did you mean 'train'?"),
        ({"progress": "of"}, "unknown progress 'of'"),
        ({"best_mode": "top"}, "best_mode is 'top'"),
        ({"data__split": "train[:5]"}, "no example of the class '[a-z]+' is there to learn from"),
        ({"best": "los"}, "best is 'los', which the evaluation does not give; did you mean 'loss'?"),
        ({"dtype": "bf16"}, "unknown dtype 'bf16'; did you mean"),
        ({"seed": -1}, "seed is -1; it must be at least 0"),
        ({"optimizer__clip_norm": -1.0}, "optimizer.clip_norm is -1; it must be from 0, and finite"),
        ({"optimizer__learning_rate": float("nan")}, "optimizer.learning_rate is nan"),
        ({"optimizer__b1": 1.0}, "optimizer.b1 is 1; it must be from 0 to below 1"),
    ],
)
def test_bad_settings_are_told_in_a_sentence(shapes_dir, tmp_path, changes, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        loop.run(tiny_config(shapes_dir, **changes), tmp_path)


def test_balanced_sampling_of_a_lopsided_folder(lopsided_run, tmp_path):
    """19 pictures of one class and one of another: a batch of 16 has eight of each, or one more."""
    folder = str(lopsided_run.parent / "data")
    config = typed_config(tiny_config("", data__name="", data__folder=folder, balanced=True))
    training = loop.Training(config, absolute(tmp_path / "run"))
    labels = [training.batch(step)["label"] for step in range(5)]
    np.testing.assert_array_equal(np.bincount(np.concatenate(labels).ravel()), [40, 40])


def test_balance_wants_classes():
    training = object.__new__(loop.Training)
    training.config = typed_config(tiny_config("", balanced=True))
    with pytest.raises(JaxstyleError, match="balanced is of classes, and train of 'x' has none: leave it out"):
        training.order(Dataset(3, lambda index: {}, title="train of 'x'"), 0)
