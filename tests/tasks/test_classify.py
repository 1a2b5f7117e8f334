"""The classifier: the contract of every task, and that it learns."""

import contract
import jax
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.models.cnn import SmallCNN
from jaxstyle.tasks import classify
from jaxstyle.training import config as configs
from jaxstyle.training import loop
from jaxstyle.training.state import TrainState


@pytest.fixture
def config(shapes_dir):
    config = classify.defaults()
    config.model.update(name="resnet", depth=8, width=4, dropout=0.25)
    config.update(label_smoothing=0.1, mixup=0.4)
    config.augment.update(pad=2, flip=True)
    config.data.update(name="jaxstyle_shapes/tiny", data_dir=shapes_dir, size=16)  # pixels, to be fast
    config.update(train_steps=10, eval_steps=10, checkpoint_steps=5, log_steps=1, batch_size=16, progress="off")
    return config


def test_devices_agree(config, tmp_path):
    contract.check_devices_agree(config, tmp_path)


def test_resume_after_kill_is_bit_for_bit(config, tmp_path):
    contract.check_resume_after_kill(config, tmp_path)


def test_preempt_saves(config, tmp_path, monkeypatch):
    contract.check_preempt_saves(config, tmp_path, monkeypatch)


def test_lowers_for_every_platform(config, tmp_path):
    contract.check_lowers(config, tmp_path)


def test_evaluation_is_whole(config, tmp_path):
    contract.check_evaluation_is_whole(config, tmp_path, ["loss", "accuracy", "f1", "confusion"])


def test_bfloat16_computes_with_float32_parameters(config, tmp_path):
    config = configs.override(config, {"dtype": "bfloat16", "devices": 1})
    training, _, metrics = contract.stepped(config, tmp_path, 2)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(training.state.params)} == {"float32"}
    assert np.isfinite(metrics["loss"]) and metrics["loss"].dtype == np.float32


def test_it_learns(config, tmp_path):
    changes = {"train_steps": 80, "eval_steps": 0, "checkpoint_steps": 0, "log_steps": 60, "devices": 1}
    changes |= {"batch_size": 32, "model.dropout": 0.0, "model.name": "cnn", "label_smoothing": 0.0, "mixup": 0.0}
    changes |= {"augment.pad": 0, "data.eval_split": "train[:100]"}
    config = configs.override(config, changes)
    loop.run(config, tmp_path)
    training = loop.Training(config, configs.absolute(tmp_path))
    with contract.contextlib.closing(loop.Checkpoints(configs.absolute(tmp_path) / "checkpoints")) as checkpoints:
        training.begin(checkpoints)
    assert training.evaluate()["accuracy"] > 0.3  # of ten classes


def test_data_without_classes_is_told(config, tmp_path):
    setting = contract.loop.Setting(contract.loop.Extent(10, 2), 5, {}, ())
    with pytest.raises(JaxstyleError, match="the dataset has no class labels"):
        classify.make(config, setting)


def test_a_negative_padding_is_told(config, tmp_path):
    config.augment.pad = -1
    with pytest.raises(JaxstyleError, match=r"augment\.pad is -1; it must be at least 0 pixels"):
        classify.make(config, contract.loop.Setting(contract.loop.Extent(10, 2), 5, {}, ("a", "b")))


def test_features_are_what_the_logits_are_made_of():
    model, images = SmallCNN(5), np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype(np.float32)
    params = model.init(jax.random.key(0), images)["params"]
    task = classify.Classify(model, None, (8, 8, 1), tuple("abcde"))
    features, logits = map(np.asarray, task.features(TrainState(np.int32(0), params, ()), images))
    assert features.shape == (3, 64) and features.min() >= 0
    last = jax.device_get(params["Dense_1"])
    np.testing.assert_allclose(features @ last["kernel"] + last["bias"], logits, rtol=1e-5, atol=1e-5)
