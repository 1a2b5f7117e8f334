"""Distillation: the contract of every task, what its teachers say, and that the student learns and can be kept."""

import json

import contract
import jax
import numpy as np
import pytest
import tiny

from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Weights, load, save_weights
from jaxstyle.features.weights.readers import read_tensors
from jaxstyle.tasks import distill
from jaxstyle.training import config as configs
from jaxstyle.training import loop
from jaxstyle.training.workdir import open_run

LAYERS = ("relu1_1", "relu2_1", "relu3_1")


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """Two files: a network that ends at relu2_1, and a distilled one with maps to 12 channels from relu3_1 on."""
    folder = tmp_path_factory.mktemp("teachers")
    tensors = tiny.weights().tensors
    early = {name: x for name, x in tensors.items() if name < "conv2_2" or name.startswith("preprocess")}
    save_weights(folder / "early.safetensors", Weights("vgg19", early))
    rng = np.random.default_rng(5)
    file = {"model.conv0.weight": tensors["preprocess/kernel"].T[..., None, None]}
    file["model.conv0.bias"] = tensors["preprocess/bias"]
    for name, x in tensors.items():
        layer, leaf = name.split("/")
        if layer != "preprocess":
            key = f"model.{layer.replace('_', '')}.{'weight' if leaf == 'kernel' else 'bias'}"
            file[key] = x.transpose(3, 2, 0, 1) if leaf == "kernel" else x
    for layer in ("31", "41", "51"):
        file[f"model.conv{layer}_aux.weight"] = rng.standard_normal((12, 8, 1, 1)).astype(np.float32)
        file[f"model.conv{layer}_aux.bias"] = rng.standard_normal(12).astype(np.float32)
    np.savez(folder / "deep.npz", **file)
    return folder


@pytest.fixture
def config(teachers, shapes_dir):
    config = configs.defaults()
    config.task = "jaxstyle.tasks.distill"
    config.data.update(name="jaxstyle_shapes/tiny", data_dir=shapes_dir, size=24)
    config.update(train_steps=10, eval_steps=10, checkpoint_steps=5, log_steps=1, batch_size=8, progress="off")
    config.model.update(teacher=str(teachers / "early.safetensors"), deep_teacher=str(teachers / "deep.npz"))
    config.model.update(widths=((4, 4), (6, 6), (6,)), layers=LAYERS, layer_weights=(1.0, 1.0, 1.0))
    config.model.update(moments=0.1, view=16)
    config.optimizer.learning_rate = 5e-3
    config.data.eval_split = "test[:40]"
    return config


@pytest.fixture
def shallow(config):
    """With one teacher and few layers, which compile sooner."""
    changes = {"deep_teacher": "", "widths": ((4,), (6,)), "layers": LAYERS[:2], "layer_weights": (1.0, 1.0)}
    return configs.override(config, {f"model.{name}": value for name, value in changes.items()})


@pytest.mark.slow
def test_devices_agree(shallow, tmp_path):
    contract.check_devices_agree(shallow, tmp_path)


@pytest.mark.slow
def test_resume_after_kill_is_bit_for_bit(shallow, tmp_path):
    contract.check_resume_after_kill(shallow, tmp_path)


def test_preempt_saves(shallow, tmp_path, monkeypatch):
    contract.check_preempt_saves(shallow, tmp_path, monkeypatch)


def test_lowers_for_every_platform(shallow, tmp_path):
    contract.check_lowers(shallow, tmp_path)


@pytest.mark.slow
def test_evaluation_is_whole(config, tmp_path):
    contract.check_evaluation_is_whole(config, tmp_path, ["loss", *LAYERS])


@pytest.mark.slow
def test_processes_agree(config, tmp_path):
    contract.check_processes_agree(config, tmp_path)


def test_a_distilled_teacher_speaks_through_its_maps_at_full_width(teachers):
    first, deep = distill.open_teachers(str(teachers / "early.safetensors"), str(teachers / "deep.npz"), LAYERS)
    assert (first.layers, deep.layers) == (("relu1_1", "relu2_1"), ("relu3_1",))
    images = tiny.picture(0, 16, 16)[None]
    tensors, _ = read_tensors(teachers / "deep.npz")
    narrow = deep.features.network.apply({"params": deep.features.params}, images, ("relu3_1",))[1]["relu3_1"]
    kernel, bias = tensors["model.conv31_aux.weight"][:, :, 0, 0], tensors["model.conv31_aux.bias"]
    expected = np.maximum(np.asarray(narrow, np.float64) @ kernel.T.astype(np.float64) + bias, 0)
    np.testing.assert_allclose(deep.look(deep.params, images)["relu3_1"], expected, rtol=1e-4, atol=1e-5)  # float32
    assert deep.features.network.padding == "reflect"


def test_missing_layers_are_told_before_anything_is_computed(config, teachers, tmp_path):
    alone = configs.override(config, {"model.deep_teacher": ""})
    with pytest.raises(
        JaxstyleError, match=r"ends at 'relu2_1', so relu3_1 cannot be learnt from it; give a whole VGG-19"
    ):
        loop.run(alone, tmp_path / "run")
    deep = configs.override(config, {"model.layers": ("relu1_1", "relu3_2"), "model.layer_weights": (1.0, 1.0)})
    with pytest.raises(JaxstyleError, match=r"has no map 'model\.conv32_aux' from relu3_2"):
        loop.run(deep, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.slow
def test_it_learns_and_the_student_becomes_a_file(config, tmp_path, capsys):
    changes = {"train_steps": 150, "checkpoint_steps": 150, "eval_steps": 150, "log_steps": 1, "devices": 1}
    changes |= {"ema_decay": 0.9, "optimizer.learning_rate": 0.02, "optimizer.name": "muon"}
    state = loop.run(configs.override(config, changes), tmp_path / "run")
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
