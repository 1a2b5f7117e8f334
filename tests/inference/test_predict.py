"""What a classifier sees in files of any size, from Python and on the command line."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import tiny_task
from PIL import Image

import jaxstyle
from jaxstyle import cli
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.predict import predict_by
from jaxstyle.inference.run import open_run
from jaxstyle.media.image_resizing import FITS, fitted
from jaxstyle.training.config import override


def test_probabilities_are_those_of_the_task(tiny_run):
    pictures = list(np.random.default_rng(0).uniform(size=(70, 32, 32, 3)).astype(np.float32))  # more than a chunk
    seen = jaxstyle.predict(tiny_run, pictures)
    run = open_run(tiny_run)
    expected = jax.nn.softmax(run.task.features(run.state, np.stack(pictures))[1])
    np.testing.assert_allclose(seen.probabilities, expected, atol=1e-5)
    assert seen.classes == run.info.classes
    assert seen.labels == [seen.classes[i] for i in np.argmax(expected, -1)]
    one = jaxstyle.predict(tiny_run, pictures[3])
    np.testing.assert_allclose(one.probabilities, expected[3:4], atol=1e-5)


def test_the_command(tiny_run, tmp_path, capsys):
    for i, colour in enumerate([(255, 0, 0), (0, 255, 0)]):
        Image.new("RGB", (40, 30), colour).save(tmp_path / f"{i}.png")
    seen = jaxstyle.predict(tiny_run, [tmp_path / "0.png", tmp_path / "1.png"])
    (tmp_path / "more").mkdir()
    for name in ("notes.txt", "._0.png", "more/2.png"):
        (tmp_path / name).write_text("")
    assert cli.main(["predict", str(tiny_run), str(tmp_path), "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    rest = "1 other file (.txt 1), 1 hidden name, 1 folder"
    assert err == f"jaxstyle: {str(tmp_path)!r}: 2 pictures; left out: {rest}\n"
    assert [one["label"] for one in told] == seen.labels
    found = [[one["probabilities"][name] for name in seen.classes] for one in told]
    np.testing.assert_allclose(found, seen.probabilities, atol=1e-6)
    assert cli.main(["predict", str(tiny_run), str(tmp_path / "1.png"), "--top", "2"]) == 0
    words = capsys.readouterr().out.split()
    assert words[0].endswith("1.png") and words[1] == seen.labels[1] and len(words) == 5
    assert float(words[2]) == pytest.approx(seen.probabilities[1].max(), abs=1e-3)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["none.png"], "picture 'none.png' does not exist"),
        (["none.png", "--top", "0"], "--top is 0; it must be at least 1"),
        (["none.png", "--checkpoint", "7"], "no checkpoint of step 7; there are"),
    ],
)
def test_bad_input_is_told(tiny_run, capsys, words, sentence):
    assert cli.main(["predict", str(tiny_run), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_task_that_tells_no_classes_apart_is_told(tiny_run, monkeypatch):
    monkeypatch.setattr(tiny_task, "Tiny", tiny_task.Bare)
    with pytest.raises(JaxstyleError, match="classifies nothing; give the workdir of a classifier"):
        jaxstyle.predict(tiny_run, np.zeros((32, 32, 3), np.float32))


@pytest.mark.parametrize("fit", FITS)
def test_pictures_are_brought_to_the_size_as_in_training(tiny_run, fit):
    run, wide = open_run(tiny_run), np.random.default_rng(1).uniform(size=(20, 50, 3)).astype(np.float32)
    wide[:, :20] /= 4
    changed = dataclasses.replace(run, config=override(run.config, {"data.size": 32, "data.fit": fit}))
    seen, wanted = predict_by(changed, [wide]), predict_by(run, [fitted(wide, 32, 32, fit)])
    np.testing.assert_allclose(seen.probabilities, wanted.probabilities, atol=1e-6)
