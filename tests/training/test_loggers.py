"""Loggers of one's own."""

import json

import numpy as np
import pytest
from tiny_task import tiny_config

from jaxstyle.errors import JaxstyleError
from jaxstyle.training import loop
from jaxstyle.training.loggers import find_logger

FAKE = """
class Logger:
    def __init__(self, workdir, config):
        self.told = []
        self.told.append(("begin", workdir, config["batch_size"]))
        made.append(self.told)

    def scalars(self, step, values):
        if step == FAILS:
            raise ConnectionError("no network")
        self.told.append(("scalars", step, values))

    def picture(self, step, name, picture):
        self.told.append(("picture", step, (name, picture)))

    def close(self):
        self.told.append(("close", 0, None))

import builtins
made = builtins.made_loggers
"""


@pytest.fixture
def logger(tmp_path, monkeypatch):
    """Makes the file of a logger; what it is told is in the list."""
    made = []
    monkeypatch.setattr("builtins.made_loggers", made, raising=False)

    def make(fails=-1):
        (tmp_path / "mine.py").write_text(FAKE.replace("FAILS", str(fails)))
        return f"{tmp_path / 'mine.py'}:Logger", made

    return make


def test_a_logger_is_told_what_is_written(logger, shapes_dir, tmp_path):
    name, made = logger()
    loop.run(tiny_config(shapes_dir, logger=name), tmp_path / "run")
    (begin, *told, end) = made[0]
    assert begin == ("begin", str(tmp_path / "run"), 16) and end[0] == "close"
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    numbers = [(step, values) for kind, step, values in told if kind == "scalars"]
    assert [step for step, _ in numbers] == [row["step"] for row in rows]
    for (_, values), row in zip(numbers, rows, strict=True):
        floats = {f"{row['kind']}/{key}": value for key, value in row.items() if isinstance(value, float)}
        assert values == floats and floats
    shown = [(step, *value) for kind, step, value in told if kind == "picture"]
    assert [(step, which) for step, which, _ in shown] == [(5, "seen"), (10, "seen")]
    assert shown[0][2].shape[2] == 3 and 0 <= np.min(shown[0][2]) <= np.max(shown[0][2]) <= 1


@pytest.mark.slow
def test_a_logger_that_fails_ends_no_training(logger, shapes_dir, tmp_path, capsys):
    name, made = logger(fails=3)
    assert int(loop.run(tiny_config(shapes_dir, logger=name), tmp_path / "run").step) == 10
    assert capsys.readouterr().err.count("the logger gets no more: ConnectionError: no network") == 1
    assert [step for _, step, _ in made[0][1:]] == [1, 2]


@pytest.mark.parametrize("name", ["Logger", "nowhere:Logger", "nowhere.py:Logger", "json:Logger", ":"])
def test_what_is_no_logger_is_told_at_once(name, tmp_path):
    with pytest.raises(JaxstyleError, match=f"logger is '{name}', of which no logger comes"):
        loop.run(tiny_config("", logger=name), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_logger_by_default():
    assert find_logger("") is None
