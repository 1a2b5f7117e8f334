"""A job is its file: from forty lines follow its command, Python call, recipe, sweeps, resuming and metadata."""

import argparse
import contextlib
import dataclasses
import json
import os
from pathlib import Path

import jax
import numpy as np
import pytest
import tiny

import jaxstyle
from jaxstyle import api
from jaxstyle.cli.pixel_jobs import Command
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import DEFAULT
from jaxstyle.jobs import callbacks, execution, recipes
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.runner import run_job
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.media.image_resizing import fit_size, resize
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels import optimizers, parametrizations
from jaxstyle.pixels.job import PixelJob, Reads
from jaxstyle.pixels.loop import Problem
from jaxstyle.pixels.method import HyperParameters, Method
from jaxstyle.pixels.objectives import ObjectiveLoss, StageObjective, layer_energy
from jaxstyle.pixels.schedule import Stage
from jaxstyle.runtime.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class EchoConfig(Settings):
    size: int = setting(32, "longer side of the result, pixels", least=16)
    iterations: int = setting(6, "optimiser steps", least=1)
    layer: str = setting("relu1_1", "layer whose energy grows")
    learning_rate: float = setting(0.01, "step size of Adam", least=0)
    features: str = setting(DEFAULT, "feature extractor", path=True)
    devices: int | None = setting(2, "number of devices", least=1)


def prepare(config, features, inputs, points=({},)):
    features.check((config.layer,))
    photo, mask = inputs.first("contents").rgb, inputs.first("mask")
    stage = Stage(config.size, *fit_size(*photo.shape[:2], config.size), config.iterations)
    start = np.repeat(resize(photo, stage.height, stage.width)[None], len(points), axis=0)
    rates = np.array([point.get("learning_rate", config.learning_rate) for point in points], np.float32)
    hyper = HyperParameters(rates, np.zeros_like(rates), np.zeros((len(points), 2), np.uint32))
    mask = None if mask is None else resize(mask, stage.height, stage.width)
    wanted = StageObjective(layer_energy(config.layer), None, mask)
    data = jax.tree.map(lambda leaf: np.stack([np.asarray(leaf)] * len(points)), wanted)
    method = Method(parametrizations.RGB, ObjectiveLoss(features.network), optimizers.adam())
    return Problem(method, [stage], start, hyper, lambda stage: data, features.params)


READS = (
    Reads("contents", "PHOTO", "a photo, or a folder of them", least=1, each=True),
    Reads("mask", "PATH", "white where the photo may change", mask=True, option="mask"),
)
ECHO = PixelJob("echo", "make what a network sees louder", EchoConfig, prepare, READS, sweepable=("learning_rate",))


@pytest.fixture
def command(pictures, tiny_features, tmp_path, monkeypatch):
    """Runs `jaxstyle echo photo.png` in `tmp_path`; gives the status."""
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    made = Command(ECHO)
    made.add_arguments(parser)
    words = [str(pictures / "photo.png"), f"--features={tiny_features}"]
    return lambda *more: made.run(parser.parse_args([*words, *more]))


def rgb(path):
    return read_picture(path).rgb


def rows(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_every_shape_is_checked_once_before_the_first_step(tmp_path, tiny_features):
    calls, refused = [], [(32, 24)]

    def counting(config, features, inputs, points=({},)):
        calls.append(inputs.first("contents").rgb.shape[:2])
        if calls[-1] in refused:
            raise JaxstyleError("too high")
        return prepare(config, features, inputs, points)

    (tmp_path / "photos").mkdir()
    for number in range(5):
        write_picture(tmp_path / "photos" / f"{number}.png", tiny.picture(number, 24, 32))
    write_picture(tmp_path / "photos" / "5.png", tiny.picture(5, 32, 24))
    files = Files({"contents": [str(tmp_path / "photos")]}, f"{tmp_path}/out/", resume=True)
    config = EchoConfig(features=str(tiny_features), iterations=1)
    job = dataclasses.replace(ECHO, prepare=counting)
    with pytest.raises(JaxstyleError, match="too high"):
        run_job(job, files, config)
    assert calls == [(24, 32), (32, 24)] and not (tmp_path / "out").exists()
    refused.clear()
    assert len(run_job(job, files, config)) == 6
    calls.clear()
    assert len(run_job(job, files, config)) == 6  # all are there already
    assert calls == [(24, 32), (32, 24)]


def test_the_command(command, capsys, pictures):
    assert command("-o", "out.png", "--trace=t.jsonl", "--size=24", "--bits=16") == 0
    assert capsys.readouterr().out == "out.png\n" and sorted(os.listdir()) == ["out.png", "t.jsonl"]
    assert np.abs(rgb("out.png") - resize(rgb(pictures / "photo.png"), 18, 24)).max() > 0.02
    losses = [row["loss"] for row in rows("t.jsonl")]
    assert len(losses) == 6 and losses[-1] < losses[0]
    settings = {"size": 24, "iterations": 6, "layer": "relu1_1", "learning_rate": 0.01, "features": "tiny.safetensors"}
    read = {"contents": ["photo.png"], "mask": [], "jaxstyle": jaxstyle.__version__}
    assert read_settings("out.png") == settings | read


def test_its_help_has_every_setting_and_option(capsys):
    parser = argparse.ArgumentParser()
    Command(ECHO).add_arguments(parser)
    parser.print_help()
    text = capsys.readouterr().out
    assert "jaxstyle echo PHOTO -o OUT" in text
    for words in ("--learning-rate X", "--size N", "(default: 32)", "--mask PATH", "--sweep NAME=A,B,C", "--resume"):
        assert words in text
    assert "--content" not in text and "--fps" not in text


def test_pictures_behind_options_are_read(command, pictures, tmp_path):
    mask = np.zeros((48, 64, 3))
    mask[:, 32:] = 1
    write_picture("right.png", mask)
    assert command("-o", "out.png", "--size=64", "--mask=right.png") == 0
    changed = np.abs(rgb("out.png") - rgb(pictures / "photo.png")).max((0, 2))
    assert changed[:31].max() < 1 / 255 and changed[33:].min() > 1 / 255
    assert read_settings("out.png")["mask"] == ["right.png"]
    with pytest.raises(JaxstyleError, match=r"'nowhere\.png' does not exist"):
        command("-o", "out.png", "--mask=nowhere.png")


def test_the_python_call(command, pictures):
    assert command("-o", "out.png") == 0
    reports = []
    photo = rgb(pictures / "photo.png")
    made = api.run_job(ECHO, {"contents": photo}, features=tiny.features(), callback=reports.append)
    np.testing.assert_allclose(made.picture, rgb("out.png"), atol=0.51 / 255)  # the file has 8 bits
    assert [row["iteration"] for row in made.history] == [1, 2, 3, 4, 5, 6] and reports[-1].iteration == 6
    small = api.run_job(ECHO, {"contents": [photo, photo[:, ::-1]]}, settings={"size": 16}, features=tiny.features())
    assert [picture.shape for picture in small.pictures] == [(12, 16, 3)] * 2
    with pytest.raises(JaxstyleError, match="echo has no setting 'siez'; did you mean 'size'"):
        api.run_job(ECHO, {"contents": photo}, settings={"siez": 16})
    with pytest.raises(JaxstyleError, match="echo needs one of contents at least"):
        api.run_job(ECHO, {})


def test_the_recipe(command, pictures, tiny_features, tmp_path):
    config = recipes.recipe(ECHO, contents=(str(pictures / "photo.png"),))
    assert (config.size, config.job, config.mask) == (32, "echo", ())
    config.update(features=str(tiny_features), size=24)
    config.sweep.learning_rate = (0.01, 0.05)
    for _ in range(2):
        recipes.run(config, tmp_path / "run", {"echo": ECHO})
    results = [f"photo-learning_rate={rate}.png" for rate in ("0.01", "0.05")]
    assert sorted(os.listdir("run")) == ["config.json", "contact_sheet.png", *results, "trace.jsonl"]
    assert command("-o", "out.png", "--size=24", "--learning-rate=0.05") == 0
    np.testing.assert_allclose(rgb(f"run/{results[1]}"), rgb("out.png"), atol=1.01 / 255)
    with pytest.raises(JaxstyleError, match="unknown job 'echo'"):
        recipes.run(config, tmp_path / "run")


class Killed(BaseException):
    """In place of SIGKILL: nothing of the run is done after it."""


@pytest.mark.parametrize("steps", [1, 4])
def test_it_is_resumed_after_a_kill(command, monkeypatch, steps):
    assert command("-o", "whole.png") == 0

    @contextlib.contextmanager
    def killed():
        left = iter([False] * steps)

        def stop():
            for answer in left:
                return answer
            raise Killed

        yield stop

    with monkeypatch.context() as patched:
        patched.setattr(execution, "interruptible", killed)
        patched.setattr(callbacks.SnapshotSaver.__init__, "__defaults__", (0.0,))
        with pytest.raises(Killed):
            command("-o", "out.png", "--trace=t.jsonl", "--save-every=1")
    assert ".out.png.resume" in os.listdir() and "out.png" not in os.listdir()
    assert command("-o", "out.png", "--trace=t.jsonl", "--resume") == 0
    assert Path("out.png").read_bytes() == Path("whole.png").read_bytes() and ".out.png.resume" not in os.listdir()
    assert [row["iteration"] for row in rows("t.jsonl")] == [1, 2, 3, 4, 5, 6]
