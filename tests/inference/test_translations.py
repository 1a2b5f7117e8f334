"""A trained translation in use: scores among features, and the network of each direction applied."""

import jax
import numpy as np
import pytest
import tiny
from small_configs import CONFIGS, small

import jaxstyle
from jaxstyle import cli
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import evaluate, style_model
from jaxstyle.inference.run import open_run
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_writing import write_picture
from jaxstyle.metrics import kernel_distance
from jaxstyle.tasks import classify
from jaxstyle.training import loop
from jaxstyle.training.config import override

ONE = {"train_steps": 1, "eval_steps": 0, "eval_epochs": 0.0, "devices": 1}


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """One step of a small translation."""
    folder = tmp_path_factory.mktemp("translation")
    loop.run(override(CONFIGS["translate"](None), ONE), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """One step of a classifier of the pictures of both domains."""
    folder = tmp_path_factory.mktemp("classifier")
    config = small(classify, "", 16, data="shapes_outlined/both", devices=1)
    loop.run(override(config, {**ONE, "data.split": "train[:400]", "data.eval_split": "test[:10]"}), folder / "run")
    return folder / "run"


@pytest.mark.slow
def test_scores_are_those_of_the_translations(workdir, classifier):
    report = evaluate.evaluate(workdir, features=classifier)
    assert set(report.generative) == {"kid_a", "kid_b", "kid_untranslated", "label_a", "label_b", "kept_a", "kept_b"}
    run, judge = open_run(workdir), open_run(classifier)
    dataset = evaluate.reopened(run)[0].dataset
    examples = list(map(dataset.read, range(40)))
    pictures = {name: np.stack([one[name] for one in examples]) / np.float32(255) for name in ("image", "image_b")}
    translated = np.asarray(jax.jit(run.task.translate, static_argnums=2)(run.state, pictures["image_b"], "a"))
    made, logits = judge.task.features(judge.state, np.round(255 * translated) / np.float32(255))
    there, _ = judge.task.features(judge.state, pictures["image"])
    kept = np.argmax(np.asarray(logits), -1) == [one["label_b"] for one in examples]
    np.testing.assert_allclose(report.generative["label_a"], kept.mean())
    expected = kernel_distance(np.asarray(there)[1::2], np.asarray(made)[::2])[0]
    np.testing.assert_allclose(report.generative["kid_a"], expected, rtol=1e-4, atol=1e-7)
    only = evaluate.evaluate(workdir, ["kid_b", "psnr_a"], features=classifier)
    assert list(only.generative) == ["kid_b"] and list(only.own) == ["psnr_a"]
    drawn = [[dataset.domains[0].read_as(i, label)["image"] for label in range(30)] for i in range(40)]
    distances = [np.abs(np.round(255 * made) - each) ** 2 for made, each in zip(translated, drawn, strict=True)]
    nearest = np.argmin([np.sum(each, (1, 2, 3)) for each in distances], -1)
    without = evaluate.evaluate(workdir, ["kept_a"])  # needs no features
    np.testing.assert_allclose(without.generative["kept_a"], np.mean(nearest == [one["label"] for one in examples]))
    assert without.features == "" and without.generative["kept_a"] == report.generative["kept_a"]


@pytest.mark.slow
def test_metrics_that_cannot_be_had(workdir, classifier):
    for metrics, features, message in (
        (["kid_b"], None, "add --features"),
        (["kid_c"], classifier, "unknown metric 'kid_c'"),
    ):
        with pytest.raises(JaxstyleError, match=message):
            evaluate.evaluate(workdir, metrics, features=features)
    with pytest.raises(JaxstyleError, match=r"'train\[:1%\]' are no pairs"):
        evaluate.evaluate(workdir, split="train[:1%]")


def test_each_direction_is_a_model_of_any_size(workdir, tmp_path):
    run, photo = open_run(workdir), tiny.picture(0, 30, 22)
    for to in "ab":
        model = style_model.load_model(workdir, to)
        made = jaxstyle.apply_style(photo, model=model)
        padded = np.pad(photo, ((0, 2), (0, 2), (0, 0)), mode="reflect")
        expected = np.asarray(run.task.translate(run.state, padded[None], to))[0, :30, :22]
        np.testing.assert_allclose(made, expected, atol=1e-5)
        np.testing.assert_allclose(jaxstyle.apply_style(photo, model=model, tile_size=16), made, atol=1e-4)
        style_model.save_model(tmp_path / to, model, photo)
        again = style_model.load_model(tmp_path / to)
        assert again.network == model.network and again.styles == (to,)
    for folder, direction, message in (
        (workdir, "", "choose the direction, a or b"),
        (workdir, "c", "has no direction 'c'"),
        (tmp_path / "a", "a", "is no training of a translation: leave the direction 'a' out"),
    ):
        with pytest.raises(JaxstyleError, match=message):
            style_model.load_model(folder, direction)


def test_the_command_translates(workdir, tmp_path, capsys):
    write_picture(tmp_path / "photo.png", tiny.picture(0, 30, 22))
    command = ["apply", str(tmp_path / "photo.png"), "--model", str(workdir), "-o", str(tmp_path / "out.png")]
    assert cli.main([*command, "--direction", "b"]) == 0
    expected = jaxstyle.apply_style(tmp_path / "photo.png", model=style_model.load_model(workdir, "b"))
    np.testing.assert_allclose(read_picture(tmp_path / "out.png").rgb, expected, atol=1 / 255)
    assert cli.main(command) == 2
    assert "choose the direction" in capsys.readouterr().err


@pytest.mark.slow
def test_a_unet_has_one_direction_and_no_strips(tmp_path):
    changes = {"model.method": "paired", "model.generator": "unet", "data.pairs": "all", "data.split": "test[:40]"}
    loop.run(override(CONFIGS["translate"](None), {**ONE, **changes}), tmp_path / "run")
    model = style_model.load_model(tmp_path / "run")
    assert model.styles == ("b",)
    made = jaxstyle.apply_style(tiny.picture(0, 31, 22), model=model)
    assert made.shape == (31, 22, 3)
    with pytest.raises(JaxstyleError, match="a U-Net takes a picture whole"):
        jaxstyle.apply_style(tiny.picture(0, 31, 22), model=model, tile_size=16)
