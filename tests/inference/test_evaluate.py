"""A run scored: the task's own evaluation, and its samples against real pictures among a classifier's features."""

import json
import math

import jax
import numpy as np
import pytest
import tiny_task

import jaxstyle
from jaxstyle import cli, metrics
from jaxstyle.cli.evaluate import table
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import evaluate, feature_sets, feature_space
from jaxstyle.inference.run import open_run
from jaxstyle.inference.sample_metrics import FeatureSet, label_check
from jaxstyle.training.config_file import absolute
from jaxstyle.training.evaluation import Evaluation


@pytest.fixture
def workdir(tiny_run):
    return tiny_run


def own(workdir):
    """The last evaluation that the run itself wrote."""
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [row for row in rows if row["kind"] == "eval"][-1]


def test_the_tasks_own_metrics_are_those_of_the_run(workdir):
    report = jaxstyle.evaluate(workdir)
    assert (report.step, report.features, report.generative) == (10, "", {})
    assert set(report.own) == {"loss", "labels"}
    np.testing.assert_allclose(report.own["loss"], own(workdir)["loss"], rtol=1e-6)
    assert jaxstyle.evaluate(workdir, ["loss"], checkpoint="5").own["loss"] != report.own["loss"]


def by_hand(workdir, count):
    """Features and probabilities of real pictures and samples, each step written out; classes are asked for in turn."""
    run = open_run(workdir)
    evaluation, _ = evaluate.reopened(run)
    every = np.arange(100)[None].repeat(len(evaluation.devices), 0)
    images = np.asarray(evaluation.data(every)["image"])[0] / np.float32(255)
    drawn = np.rint(jaxstyle.sample(workdir, count, labels=np.arange(count) % 10) * 255) / np.float32(255)
    seen = [jax.device_get(run.task.features(run.state, pictures)) for pictures in (images, drawn)]
    return seen[0][0], seen[1][0], np.asarray(jax.nn.softmax(seen[1][1]))


def test_generative_metrics_are_those_of_the_pictures(workdir, capsys):
    """Every number anew, from pictures written out; 100 real ones and 130 samples are ragged on all sides."""
    words = ["evaluate", str(workdir), "--features", str(workdir), "-n", "130", "--labels", "even", "--json"]
    assert cli.main(words) == 0
    report = evaluate.Report(**json.loads(capsys.readouterr().out))
    real, drawn, probabilities = by_hand(workdir, 130)
    assert (report.real, report.drawn, report.fid) == (100, 130, False)
    assert report.features == f"classifier {absolute(workdir)} at step 10"
    sums, labels = [metrics.feature_sums(side) for side in (real, drawn)], metrics.label_sums(probabilities)
    histogram = metrics.label_histogram(labels)
    expected = {
        "frechet": metrics.frechet_distance(*sums),
        "kid": metrics.kernel_distance(real, drawn)[0],
        "inception_score": metrics.inception_score(labels),
        "confidence": metrics.mean_confidence(labels),
        "variation": metrics.variation_from_uniform(histogram),
        "modes": metrics.modes_covered(histogram),
        "reverse_kl": metrics.reverse_kl(histogram),
    }
    expected |= dict(zip(("precision", "recall"), metrics.precision_recall(real, drawn), strict=True))
    expected |= dict(zip(("density", "coverage"), metrics.density_coverage(real, drawn), strict=True))
    found = {name: report.generative[name] for name in expected}
    # The features are float32, and those of a batch of 64 are not those of 130 to the last bit.
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-6)
    np.testing.assert_array_equal(report.generative["histogram"], histogram)
    label = {"label", "label_by_class", "recall_by_class"}
    assert set(report.generative) == {*expected, *label, "kid_deviation", "histogram"}
    right = probabilities.argmax(-1) == np.arange(130) % 10
    assert report.generative["label"] == pytest.approx(right.mean())
    assert report.generative["label_by_class"] == pytest.approx([right[i::10].mean() for i in range(10)])
    assert report.own["loss"] > 0


def test_samples_are_compared_by_the_shares_of_the_split(lopsided_run):
    """The model draws the very colours of the pictures, so that only the shares of its classes can be wrong."""
    words = {"features": lopsided_run, "count": 400}
    by_shares, evenly = (
        jaxstyle.evaluate(lopsided_run, ["frechet"], **words, labels=labels).generative["frechet"]
        for labels in ("shares", "even")
    )
    # means of three channels that differ by .1 between the classes, at shares of .05 and .5 of the second
    assert by_shares < 2e-3 < 3 * (0.45 * 0.1) ** 2 < evenly
    with pytest.raises(JaxstyleError, match="labels 'evenly' are unknown; did you mean 'even'"):
        jaxstyle.evaluate(lopsided_run, labels="evenly")


def test_one_picture_a_class_has_the_label_and_no_recall():
    rng = np.random.default_rng(0)
    labels = np.arange(200, dtype=np.int32) % 2
    real = FeatureSet(rng.normal(10 * labels[:, None], 1, (200, 4)), None, labels)
    sure = np.eye(2)[labels]
    same = FeatureSet(np.where(labels[:, None] > 0, 10.0, 0.0) + np.zeros((200, 4)), sure, labels)
    alike = FeatureSet(rng.normal(10 * labels[:, None], 1, (200, 4)), sure, labels)
    swapped = alike._replace(probabilities=np.eye(2)[1 - labels])
    found = [label_check(real, drawn) for drawn in (same, alike, swapped)]
    assert [one["label"] for one in found] == [1.0, 1.0, 0.0]
    assert max(found[0]["recall_by_class"]) < 0.02 and min(found[1]["recall_by_class"]) > 0.7
    few = FeatureSet(real.features[:6], sure[:6], labels[:6])  # three of each class are too few for k = 3
    assert np.isnan(label_check(real, few)["recall_by_class"]).all()


def test_only_what_is_asked_for_is_measured(workdir, monkeypatch):
    monkeypatch.setattr(Evaluation, "scores", None)  # the task's own evaluation is not run
    report = jaxstyle.evaluate(workdir, ["recall", "kid"], features=workdir, count=20, split="test[:12]")
    assert (report.real, report.drawn) == (12, 20)
    assert (list(report.own), list(report.generative)) == ([], ["recall", "kid", "kid_deviation"])


def test_a_device_count_that_cannot_share_the_batch_is_no_hindrance(workdir, monkeypatch):
    local = jax.local_devices()
    monkeypatch.setattr(jax, "local_devices", lambda: local[:3])  # batches of 16
    np.testing.assert_allclose(jaxstyle.evaluate(workdir).own["loss"], own(workdir)["loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--metrics", "los"], "unknown metric 'los'; did you mean 'loss'?"),
        (["--metrics", "loss,frechett"], "unknown metric 'frechett'; did you mean 'frechet'?"),
        (["--metrics", "frechet"], "'frechet' compares features: add --features"),
        (["--features", "nowhere.pth"], "nowhere.pth: no such file"),
        (["--metrics", "label"], "'label' compares features: add --features"),
        (["--split", "tets"], "no split 'tets' in 'jaxstyle_shapes/tiny'; did you mean 'test'?"),
        (["-n", "1"], "-n is 1; at least 2"),
        (["--iwae-samples", "5"], "the task 'tiny_task' has no importance weighted bound"),
    ],
)
def test_the_command_tells_what_cannot_be_before_anything_is_drawn(workdir, monkeypatch, capsys, words, sentence):
    monkeypatch.setattr(Evaluation, "scores", None)
    assert cli.main(["evaluate", str(workdir), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_space_that_does_not_fit_is_told(workdir, monkeypatch, tiny_features):
    with pytest.raises(JaxstyleError, match="measures no pictures; give Inception-v3 or a classifier's workdir"):
        jaxstyle.evaluate(workdir, features=tiny_features)
    with monkeypatch.context() as patch:
        patch.setattr(tiny_task, "Tiny", tiny_task.Bare)
        with pytest.raises(JaxstyleError, match="the task 'tiny_task' is no classifier"):
            jaxstyle.evaluate(workdir, features=workdir)
    space = feature_space.classifier_space(workdir)._replace(shape=(28, 28, 1))
    monkeypatch.setattr("jaxstyle.inference.evaluate.open_space", lambda _: space)
    with pytest.raises(JaxstyleError, match=r"samples are 32×32×3, classifier .* 28×28×1: they cannot be compared"):
        jaxstyle.evaluate(workdir, ["frechet"], features=workdir)


def test_a_space_without_classes_gives_the_rest(workdir, monkeypatch):
    space = feature_space.classifier_space(workdir)
    blind = space._replace(extract=lambda params, x: (space.extract(params, x)[0], None), name="blind", fid=True)
    monkeypatch.setattr("jaxstyle.inference.evaluate.open_space", lambda _: blind)
    report = jaxstyle.evaluate(workdir, features="any", count=20)
    assert {"frechet", "recall"} < set(report.generative) and "confidence" not in report.generative
    with pytest.raises(JaxstyleError, match="'confidence' needs class probabilities, and blind gives none"):
        jaxstyle.evaluate(workdir, ["confidence"], features="any")


def test_labels_are_checked_by_a_classifier_of_the_same_classes(workdir, monkeypatch):
    space = feature_space.classifier_space(workdir)._replace(classes=("a", "b"))
    monkeypatch.setattr("jaxstyle.inference.evaluate.open_space", lambda _: space)
    assert "label" not in jaxstyle.evaluate(workdir, features="any", count=40).generative
    with pytest.raises(JaxstyleError, match="'label' compares the label asked for with the predicted one"):
        jaxstyle.evaluate(workdir, ["label"], features="any")


def test_what_there_is_one_of_for_each_class_is_a_table():
    own = {"loss": 1.5, "recall": [0.25, 1.0], "confusion": [[1, 3], [0, 4]]}
    generative = {"label": 0.5, "label_by_class": [0.0, 1.0]}
    report = evaluate.Report("runs/a", 7, own, generative, "b", False, 9, 9, ("cat", "horse"))
    lines = table(report).splitlines()
    assert lines[1].split() == ["loss", "1.5"] and lines[4].split()[-1] == "0.5"
    assert lines[5].split() == ["recall", "asked", "for", "is", "seen"]
    assert [line.split() for line in lines[6:]] == [["cat", "0.25", "0"], ["horse", "1", "1"]]


def test_frames_are_no_classes():
    report = evaluate.Report("runs/a", 7, {"frame_mse": [1.0, 2.0]}, {}, classes=("cat", "horse"))
    assert table(report).splitlines()[1].split() == ["frame_mse", "1", "2"]


def test_json_has_null_where_there_is_no_number(workdir, monkeypatch, capsys):
    own = {"recall": [0.5, math.nan], "psnr": math.inf}
    monkeypatch.setattr(evaluate, "evaluate", lambda *_, **__: evaluate.Report("runs/a", 7, own, {}))
    assert cli.main(["evaluate", str(workdir), "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told["own"] == {"recall": [0.5, None], "psnr": None}


def test_real_pictures_are_of_all_classes_where_they_lie_one_after_the_other(workdir):
    evaluation, _ = evaluate.reopened(open_run(workdir))
    read, every = evaluation.data, np.arange(100)[None].repeat(len(evaluation.devices), 0)
    order = np.argsort(np.asarray(read(every)["label"])[0], kind="stable")
    evaluation.data = lambda places: read(order[places])
    places = feature_sets.drawn_places(50, evaluation.count)
    seen = feature_sets.real_features(evaluation, feature_space.classifier_space(workdir), places)
    assert len(set(seen.labels.tolist())) == 10 and len(seen.features) == 50


def test_the_table_names_the_space():
    generative = {"frechet": 12.3456, "kid": 0.01, "kid_deviation": 0.002, "histogram": [0.25, 0.75]}
    report = evaluate.Report("runs/a", 7, {"loss": 1.5}, generative, "classifier runs/b at step 9", False, 100, 50)
    lines = table(report).splitlines()
    assert lines[0] == "runs/a, step 7" and lines[1].split() == ["loss", "1.5"]
    assert lines[2:4] == ["50 samples against 100 pictures", "features: classifier runs/b at step 9"]
    assert [line.split("  ")[0] for line in lines[4:]] == ["Fréchet distance", "kernel distance (KID's)", "labels"]
    assert [line.split("  ")[-1].strip() for line in lines[4:]] == ["12.35", "0.01 ± 0.002", "0.25 0.75"]
    assert "\nFID " in table(report._replace(fid=True)) and "FID" not in table(report)


def test_only_the_whole_inception_is_called_fid(tmp_path):
    from jaxstyle.features import Weights, save_weights
    from jaxstyle.features.architectures import ARCHITECTURES

    rng, widths, tensors = np.random.default_rng(0), {"preprocess": 3}, {}
    tensors |= {"preprocess/kernel": np.eye(3, dtype=np.float32), "preprocess/bias": np.zeros(3, np.float32)}
    for layer in ARCHITECTURES["inception_v3"]:
        widths[layer.name] = 1008 if layer.name == "logits" else 2
        inputs = sum(widths[name] for name in layer.inputs)
        shape = (*layer.size, inputs, widths[layer.name])
        tensors[f"{layer.name}/kernel"] = rng.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape).astype(np.float32)
        tensors[f"{layer.name}/bias"] = np.full(shape[3], 0.1, np.float32)
    short = {k: v for k, v in tensors.items() if not k.startswith(("mixed_9", "mixed_10", "logits"))}
    later = tensors | {
        "logits/kernel": tensors["logits/kernel"][..., :1000],
        "logits/bias": tensors["logits/bias"][:1000],
    }
    found = {}
    for name, some in (("whole", tensors), ("short", short), ("later", later)):
        save_weights(tmp_path / f"{name}.safetensors", Weights("inception_v3", some))
        found[name] = feature_space.open_space(tmp_path / f"{name}.safetensors")
    assert {name: space.fid for name, space in found.items()} == {"whole": True, "short": False, "later": False}
    assert found["short"].name == "Inception-v3 short.safetensors, mixed_8 averaged over positions"
    assert found["whole"].name == "Inception-v3 whole.safetensors, pool_3"
    features, probabilities = jax.eval_shape(
        found["whole"].extract, found["whole"].params, np.zeros((2, 28, 28, 1), np.float32)
    )
    assert (features.shape, probabilities.shape) == ((2, 12), (2, 1008))
    features, probabilities = jax.eval_shape(
        found["short"].extract, found["short"].params, np.zeros((2, 32, 32, 3), np.float32)
    )
    assert (features.shape, probabilities) == ((2, 12), None)
