"""The parameters of a training in one file, with their card; another training begins with them."""

import json

import jax
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from tiny_task import tiny_config

from jaxstyle.cli import main
from jaxstyle.inference.run import open_run
from jaxstyle.training import loop


def test_the_file_and_its_card(tiny_run, shapes_dir, tmp_path, capsys):
    target = tmp_path / "tiny.safetensors"
    assert main(["export", str(tiny_run), "-o", str(target)]) == 0
    out = capsys.readouterr().out
    run, held = open_run(tiny_run), safetensors.numpy.load_file(target)
    assert sorted(held) == ["params/b", "params/w"]
    np.testing.assert_array_equal(held["params/w"], run.state.best_params["w"])
    with safetensors.safe_open(target, "np") as file:
        card = {name: json.loads(text) for name, text in file.metadata().items() if name != "format"}
    rows = [json.loads(line) for line in (tiny_run / "metrics.jsonl").read_text().splitlines()]
    last = [row for row in rows if row["kind"] == "eval"][-1]
    assert card["scores"]["loss"] == last["loss"] and card["step"] == last["step"] == 10
    assert card["task"] == "tiny_task" and card["trained_on"]["classes"] == list(run.info.classes)
    assert f"loss {last['loss']:.4g}" in out
    text = (tmp_path / "tiny.md").read_text()
    assert text.startswith("---\nlibrary_name: jaxstyle\n") and f"| loss | {last['loss']:.6g} |" in text
    assert str(shapes_dir) not in text + json.dumps(card)
    still = {"train_steps": 1, "optimizer__learning_rate": 0.0}
    second = loop.run(tiny_config(shapes_dir, init_from=str(target), devices=2, **still), tmp_path / "next")
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(second.params), dict(run.state.best_params))
    assert main(["export", str(tiny_run), "-o", str(target)]) == 0  # its own card is written anew


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--part", "encoder"], "--part is of networks that run without jaxstyle"),
        (["--style", "a"], "--style is of networks that run without jaxstyle"),
    ],
)
def test_what_cannot_be_is_told(tiny_run, tmp_path, capsys, words, sentence):
    assert main(["export", str(tiny_run), "-o", str(tmp_path / "a.safetensors"), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_another_file_is_not_written_over(tiny_run, tmp_path, capsys):
    (tmp_path / "a.md").write_text("my notes")
    assert main(["export", str(tiny_run), "-o", str(tmp_path / "a.safetensors")]) == 2
    assert "a.md' is there already, and is no card of jaxstyle" in capsys.readouterr().err
    assert (tmp_path / "a.md").read_text() == "my notes" and not (tmp_path / "a.safetensors").exists()
