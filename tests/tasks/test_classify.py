"""The classifier: its targets, its scores, and that it learns; `test_contract.py` has the rest."""

import json
import warnings

import contract
import jax
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from jaxstyle.errors import JaxstyleError
from jaxstyle.models.cnn import SmallCNN
from jaxstyle.tasks import classify
from jaxstyle.training import loop
from jaxstyle.training.config import override, typed
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo
from jaxstyle.training.state import TrainState


@pytest.mark.slow
def test_bfloat16_computes_with_float32_parameters(config, tmp_path):
    config = override(config, {"dtype": "bfloat16", "devices": 1})
    training, _, metrics = contract.stepped(config, tmp_path, 2)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(training.state.params)} == {"float32"}
    assert np.isfinite(metrics["loss"]) and metrics["loss"].dtype == np.float32


@pytest.mark.slow
def test_it_learns(config, tmp_path):
    changes = {"train_steps": 160, "eval_steps": 160, "checkpoint_steps": 0, "log_steps": 60, "devices": 1}
    changes |= {"batch_size": 32, "model.dropout": 0.0, "model.name": "cnn", "label_smoothing": 0.0, "mixup": 0.0}
    changes |= {"augment.pad": 0, "data.eval_split": "train[:100]"}
    config = override(config, changes)
    loop.run(config, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["kind"] == "eval" and rows[-1]["accuracy"] > 0.3  # of ten classes


def test_classes_are_weighted_by_how_seldom_they_are(config, tmp_path):
    training = loop.Training(
        typed(classify.Config, override(config, {"class_weights": "balanced", "best": ""})), tmp_path
    )
    counts = np.array(training.info.training_counts)
    assert counts.sum() == 512 and len(counts) == 10
    np.testing.assert_allclose(training.task.weights, 512 / (10 * counts), rtol=1e-6)


INFO = RunInfo(Extent(10, 2), 5, {"image": jax.ShapeDtypeStruct((8, 8, 3), np.uint8)}, ("cat", "dog", "a=b"))


def test_weights_by_name():
    assert classify.class_weights("dog=2, a=b=0.5", INFO) == (1.0, 2.0, 0.5)
    assert (
        classify.class_weights("", INFO) == classify.class_weights("balanced", INFO) == ()
    )  # no counts, nothing to train


@pytest.mark.parametrize("text", ["dgo=2", "dog", "dog=x", "dog=-1", "dog=inf"])
def test_weights_that_cannot_be_are_told(text):
    with pytest.raises(JaxstyleError, match=f"class_weights has '{text}'; "):
        classify.class_weights(text, INFO)


def test_data_without_classes_is_told(config):
    info = RunInfo(Extent(10, 2), 5, {"image": jax.ShapeDtypeStruct((8, 8, 3), np.uint8)})
    with pytest.raises(JaxstyleError, match="the dataset has no class labels"):
        classify.make(typed(classify.Config, config), info)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"augment.pad": -1}, r"augment\.pad is -1; it must be at least 0"),
        ({"model.name": "resnett"}, "unknown model.name 'resnett'; did you mean 'resnet'?"),
        ({"model.depth": 18}, "model.depth is 18; a residual network has 20"),
        ({"model.dropout": 1.0}, "model.dropout is 1; it must be from 0 to below 1"),
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1; it must be from 0 to below 1"),
        ({"focus": -1.0}, "focus is -1; it must be at least 0"),
        ({"mixup": 0.4, "cutmix": 1.0}, "mixup and cutmix both blend a picture with another: give one of them"),
        ({"erase": 1.5}, "erase is 1.5; a probability is at most 1"),
        ({"rand_augment": -1}, "rand_augment is -1; it must be at least 0"),
        ({"magnitude": 11.0}, "magnitude is 11; it must be at most 10"),
        ({"mixup": -1.0}, "mixup is -1; it must be at least 0"),
    ],
)
def test_settings_that_cannot_be_are_told(config, changes, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        classify.check(typed(classify.Config, override(config, changes)))


def test_an_evaluation_reports_what_scikit_learn_does(config, tmp_path):
    training = contract.begun(override(config, {"devices": 1}), tmp_path)
    scores = training.evaluate()
    batch = {name: values[0] for name, values in training.evaluation.data(np.arange(100)[None]).items()}
    logits, _ = training.task.logits_and_features(training.state, classify.scaled(batch["image"]))
    said, labels = np.argmax(logits, -1), np.asarray(batch["label"])
    with warnings.catch_warnings(action="ignore"):
        wanted = precision_recall_fscore_support(labels, said, zero_division=np.nan)
    np.testing.assert_allclose([scores["precision"], scores["recall"]], wanted[:2], rtol=1e-6)
    np.testing.assert_allclose(scores["confusion"] * 100, confusion_matrix(labels, said), atol=1e-4)
    assert scores["accuracy"] == pytest.approx(accuracy_score(labels, said))
    assert scores["macro_f1"] == pytest.approx(np.nan_to_num(wanted[2]).mean(), rel=1e-6)
    chart = training.task.charts(scores)["confusion"]
    assert chart.ndim == 3 and chart.std() > 0.05


@pytest.mark.slow
def test_the_chart_is_written_at_every_evaluation(config, tmp_path):
    config.update(train_steps=2, eval_steps=1, checkpoint_steps=2)
    config.model.name = "cnn"
    loop.run(config, tmp_path)
    assert [path.name for path in sorted((tmp_path / "pictures").iterdir())] == [
        "confusion-0000001.png",
        "confusion-0000002.png",
    ]


def test_features_are_what_the_logits_are_made_of():
    model, images = SmallCNN(5), np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype(np.float32)
    params = model.init(jax.random.key(0), images)["params"]
    task = classify.Classify(model, None, (8, 8, 1), tuple("abcde"))
    features, logits = map(np.asarray, task.features(TrainState(np.int32(0), params, ()), images))
    assert features.shape == (3, 64) and features.min() >= 0
    last = jax.device_get(params["Dense_1"])
    np.testing.assert_allclose(features @ last["kernel"] + last["bias"], logits, rtol=1e-5, atol=1e-5)
