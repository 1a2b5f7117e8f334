"""Distillation: the teachers' targets, and that the student learns and can be kept; `test_contract.py` has the rest."""

import json

import contract
import jax
import numpy as np
import pytest
import tiny

from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import load
from jaxstyle.features.weights.readers import read_tensors
from jaxstyle.inference.run import open_run
from jaxstyle.tasks import distill
from jaxstyle.training import loop
from jaxstyle.training.config import override

LAYERS = ("relu1_1", "relu2_1", "relu3_1")


def test_a_distilled_teachers_targets_are_at_full_width(teachers):
    first, deep = distill.open_teachers(str(teachers / "early.safetensors"), str(teachers / "deep.npz"), LAYERS)
    assert (first.layers, deep.layers) == (("relu1_1", "relu2_1"), ("relu3_1",))
    images = tiny.picture(0, 16, 16)[None]
    tensors, _ = read_tensors(teachers / "deep.npz")
    narrow = deep.features.network.apply({"params": deep.features.params}, images, ("relu3_1",))[1]["relu3_1"]
    kernel, bias = tensors["conv31_aux.weight"][:, :, 0, 0], tensors["conv31_aux.bias"]
    expected = np.maximum(np.asarray(narrow, np.float64) @ kernel.T.astype(np.float64) + bias, 0)
    np.testing.assert_allclose(deep.targets(deep.params, images)["relu3_1"], expected, rtol=1e-4, atol=1e-5)  # float32
    assert deep.features.network.padding == "reflect"


def test_missing_layers_are_told_before_anything_is_computed(config, teachers, tmp_path):
    alone = override(config, {"model.deep_teacher": ""})
    with pytest.raises(
        JaxstyleError, match=r"ends at 'relu2_1', so relu3_1 cannot be learnt from it; give a whole VGG-19"
    ):
        loop.run(alone, tmp_path / "run")
    deep = override(config, {"model.layers": ("relu1_1", "relu3_2"), "model.layer_weights": (1.0, 1.0)})
    with pytest.raises(JaxstyleError, match=r"has no map 'conv32_aux' from relu3_2"):
        loop.run(deep, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_checkpoints_lack_the_teachers(config, tmp_path):
    training = contract.begun(config, tmp_path)
    assert len(training.state.fixed) == 2 and training.state.with_fixed(None).collections == {}


@pytest.mark.slow
def test_it_learns_and_the_student_becomes_a_file(config, tmp_path, capsys):
    changes = {"train_steps": 150, "checkpoint_steps": 150, "eval_steps": 150, "log_steps": 1, "devices": 1}
    changes |= {"ema_decay": 0.9, "optimizer.learning_rate": 0.02, "optimizer.name": "muon"}
    state = loop.run(override(config, changes), tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if row["kind"] == "train"]
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:20])
    scores = rows[-1]
    assert scores["kind"] == "eval" and scores["relu1_1"] > 0.8

    target = tmp_path / "student.safetensors"
    assert main(["features", "convert", str(tmp_path / "run"), str(target), "--note", "licence=MIT"]) == 0
    assert "vgg19 to conv3_1" in capsys.readouterr().out
    features = load(target, padding="replicate")
    images = tiny.picture(1, 20, 28)[None]
    task = open_run(tmp_path / "run").task
    expected = task.student.apply({"params": jax.device_get(state.ema["network"])}, images, LAYERS)[1]
    seen = features.network.apply({"params": features.params}, images, LAYERS)[1]
    for layer in LAYERS:
        np.testing.assert_array_equal(seen[layer], expected[layer])
    _, metadata = read_tensors(target)
    assert metadata["licence"] == "MIT" and metadata["seed"] == "0" and metadata["step"] == "150"
    assert json.loads(metadata["score"])["relu1_1"] == scores["relu1_1"]


def test_only_a_distillation_can_be_converted(tiny_run, tmp_path, capsys):
    assert main(["features", "convert", str(tiny_run), str(tmp_path / "out.safetensors")]) == 2
    assert "not of jaxstyle.tasks.distill" in capsys.readouterr().err
    assert main(["features", "convert", "vgg19", str(tmp_path / "out.safetensors"), "--note", "MIT"]) == 2
    assert "--note 'MIT' is not KEY=TEXT" in capsys.readouterr().err
