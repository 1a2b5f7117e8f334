"""Textures from files to a file: options, recipe, trace, metadata, bad input, interruption."""

import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tiny

import jaxstyle
from jaxstyle.cli import main
from jaxstyle.jobs import execution, recipes
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.pixels.texture import TextureConfig

SMALL = {
    "size": "40x32",
    "min_size": 30,
    "initial_iterations": 4,
    "iterations": 3,
    "style_loss": "mean-std",
    "style_layers": tiny.TAPS[:2],
    "layer_weights": (1, 1),
}
ROUNDING = 1.01 / 255  # read at 8 bits


def words(network, **changes):
    """The small settings for the command line."""
    found = []
    for name, value in {**SMALL, "features": network, **changes}.items():
        option = f"--{name.replace('_', '-')}"
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        found.append(option if value is True else f"{option}={text}")
    return found


@pytest.fixture
def weave(pictures, tiny_features, tmp_path):
    """Runs `jaxstyle texture` on `painting.png` or others; gives the status."""

    def run(*more, styles=("painting",), output="out.png", **changes):
        paths = [str(pictures / f"{name}.png") for name in styles]
        return main(["texture", *paths, "-o", str(tmp_path / output), *words(tiny_features, **changes), *more])

    return run


def rgb(path):
    return read_picture(path).rgb


def test_a_texture_and_its_trace(weave, tmp_path, capsys, pictures, tiny_features):
    assert weave("--trace", str(tmp_path / "trace.jsonl"), "--bits", "16", "--save-every", "2") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out.png'}\n"
    assert rgb(tmp_path / "out.png").shape == (32, 40, 3)
    rows = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [(row["scale"], row["iteration"]) for row in rows] == [(40, i) for i in range(1, 5)]
    assert {"style/relu1_1", "style/relu2_1", "total_variation", "loss"} < set(rows[0])
    settings = read_settings(tmp_path / "out.png")
    assert settings["styles"] == ["painting.png"] and settings["size"] == "40x32" and "devices" not in settings
    kept = read_settings(tmp_path / "out-0040px-0002.png")
    assert kept == settings | {"unfinished": True}
    config = TextureConfig(**SMALL, features=str(tiny_features))
    made = jaxstyle.synthesize_texture(rgb(pictures / "painting.png"), config=config)
    np.testing.assert_allclose(made.picture, rgb(tmp_path / "out.png"), atol=ROUNDING)
    assert len(made.history) == 4 and made.history[-1]["loss"] == pytest.approx(rows[-1]["loss"], rel=1e-6)


def test_resume_skips_what_is_done_and_only_that(weave, tmp_path, monkeypatch):
    assert weave() == 0
    before = (tmp_path / "out.png").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(execution, "optimize", None)  # not to be called
        assert weave("--resume") == 0
    assert weave("--resume", seed=1) == 0
    assert (tmp_path / "out.png").read_bytes() != before
    assert weave() == 0 and (tmp_path / "out.png").read_bytes() == before


def test_a_mixture_in_a_folder_bears_the_first_name(weave, tmp_path):
    assert weave(styles=("other", "painting"), output="", style_weights=(1, 2), tileable=True) == 0
    assert rgb(tmp_path / "other.png").shape == (32, 40, 3)
    assert read_settings(tmp_path / "other.png")["tileable"] is True


@pytest.mark.parametrize(
    ("changes", "output", "message"),
    [
        ({"size": "40x-32"}, "out.png", "--size '40x-32' is neither a number of pixels nor WIDTHxHEIGHT"),
        ({"size": "8"}, "out.png", "--size is 8; each side must be at least 16"),
        ({"size": "41", "tileable": True}, "out.png", "--size is 41, and the sides of a tileable texture are"),
        ({"size": "200000"}, "out.png", "GiB are free: lower --size"),
        ({"style_size": 200000}, "out.png", "GiB are free: make it smaller by --style-size"),
        ({"style_weights": (1, 2)}, "out.png", "--style-weights has 2 numbers for 1 styles"),
        ({"padding": "zeros"}, "out.png", "unknown option --padding"),
        ({"content_weight": 1}, "out.png", "unknown option --content-weight"),
        ({}, "out.gif", "must end in one of"),
        ({"features": "vgg91"}, "out.png", "unknown features 'vgg91'; did you mean 'vgg19'"),
        ({"devices": 99}, "out.png", "99 devices asked for"),
    ],
)
def test_bad_input_is_one_sentence(weave, tmp_path, capsys, changes, output, message):
    try:
        status = weave(output=output, **changes)
    except SystemExit as left:
        status = left.code
    errors = capsys.readouterr().err
    assert status == 2 and errors.count("\n") == 1 and errors.startswith("jaxstyle: ") and message in errors
    assert os.listdir(tmp_path) == []


def test_an_exemplar_is_not_overwritten(weave, pictures, tmp_path, capsys):
    (tmp_path / "mine.png").write_bytes((pictures / "painting.png").read_bytes())
    assert weave(styles=(str(tmp_path / "mine").removesuffix(".png"),), output="mine.png") == 2
    assert "the result would overwrite" in capsys.readouterr().err
    assert weave(styles=("nowhere",)) == 2 and "nowhere.png' does not exist" in capsys.readouterr().err


def test_the_recipe_has_the_same_defaults_and_runs(tiny_features, tmp_path):
    path = pathlib.Path(__file__).resolve().parents[2] / "configs" / "texture.py"
    spec = importlib.util.spec_from_file_location("recipe", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    recipe = {name: value for name, value in module.get_config().items() if name in TextureConfig.__dataclass_fields__}
    assert TextureConfig.from_mapping(recipe) == TextureConfig()
    config = module.get_config("test")
    for name, value in {**SMALL, "features": str(tiny_features)}.items():
        config[name] = value
    run, _, function = config.run.rpartition(":")
    assert getattr(importlib.import_module(run), function) is recipes.run
    for _ in range(2):
        recipes.run(config, str(tmp_path / "run"))
        assert sorted(os.listdir(tmp_path / "run")) == ["config.json", "mosaic.png", "trace.jsonl"]
    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    assert saved["styles"] == ["example:mosaic"] and saved["size"] == "40x32"


LONG = {"initial_iterations": 300, "iterations": 1200, "min_size": 28}
CHILD = """
import sys
from jaxstyle.jobs import callbacks
callbacks.SnapshotSaver.__init__.__defaults__ = (0.0,)
from jaxstyle.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, id="INT"), pytest.param(signal.SIGKILL, id="KILL")])
@pytest.mark.slow
def test_resume_goes_on_to_the_same_bytes(weave, pictures, tiny_features, tmp_path, number):
    assert weave(output="whole.png", **LONG) == 0
    output, trace = tmp_path / "out.png", tmp_path / "trace.jsonl"
    command = ["texture", str(pictures / "painting.png"), "-o", str(output), "--trace", str(trace)]
    command += words(tiny_features, **LONG)
    child = subprocess.Popen([sys.executable, "-c", CHILD, *command], stderr=subprocess.PIPE, text=True)
    with child:
        deadline = time.monotonic() + 300
        while not (trace.exists() and trace.read_bytes().count(b"\n") > 320) and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.send_signal(number)
        child.communicate(timeout=120)
    assert child.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert (tmp_path / ".out.png.resume").exists()
    assert main([*command, "--resume"]) == 0
    assert output.read_bytes() == (tmp_path / "whole.png").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["out.png", "trace.jsonl", "whole.png"]
