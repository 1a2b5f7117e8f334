"""Runs that stop early."""

import json

import pytest
from tiny_task import tiny_config

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.run import open_run
from jaxstyle.training import loop
from jaxstyle.training.patience import Best, best_so_far


def rows(*values):
    return [{"step": 10 * i, "loss": value} for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "mode", "best"),
    [
        ((), "max", None),
        ((None,), "min", None),
        ((1.0, 3.0, 2.0, 3.0), "max", Best(3.0, 10, 2)),  # as good is no better
        ((5.0, None, 4.0), "min", Best(4.0, 20, 0)),
    ],
)
def test_the_best_so_far(values, mode, best):
    assert best_so_far(rows(*values), "loss", mode) == best


def test_a_run_stops_when_nothing_improves_and_keeps_the_best(shapes_dir, tmp_path, monkeypatch, capsys):
    losses = iter([3.0, 1.0, 2.0, 1.5, 0.5])
    monkeypatch.setattr(loop.Training, "evaluate", lambda self, stop: {"loss": next(losses)})
    changes = {"train_steps": 20, "eval_steps": 2, "best": "loss", "best_mode": "min", "keep": 1}
    state = loop.run(tiny_config(shapes_dir, patience=2, **changes), tmp_path)
    assert int(state.step) == 8
    told = "stops early, as loss has not improved for 2 evaluations; the best, 1, is the checkpoint of step 4"
    assert told in capsys.readouterr().err
    assert int(open_run(tmp_path, "best").state.step) == 4
    assert int(loop.run(tiny_config(shapes_dir, patience=2, **changes), tmp_path).step) == 8  # again it has none
    more = tiny_config(shapes_dir, patience=3, **{**changes, "train_steps": 10})
    assert int(loop.run(more, tmp_path).step) == 10  # with more it goes on
    written = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in written if row["kind"] == "eval"] == [2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"patience": 2}, "patience wants a metric that is waited for: set best"),
        (
            {"patience": 2, "best": "loss", "eval_steps": 0, "eval_epochs": 0.0},
            "counts evaluations, and there are none",
        ),
        ({"patience": -1}, "patience is -1; it must be at least 0"),
    ],
)
def test_a_patience_that_cannot_be_is_told(shapes_dir, tmp_path, changes, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        loop.run(tiny_config(shapes_dir, **changes), tmp_path / "run")
