"""`jaxstyle` and `jaxstyle stylize` as the command line runs them: help, version, arguments, exit codes."""

import dataclasses
import os
import subprocess
import sys

import jax
import pytest
import tiny

import jaxstyle
from jaxstyle.cli import main, options, pixel_jobs
from jaxstyle.errors import JaxstyleError
from jaxstyle.pixels.film import FilmConfig
from jaxstyle.pixels.stylize import StyleTransferConfig

FILE_OPTIONS = (
    *("--content", "--output", "--content-mask", "--style-mask", "--sweep"),
    *("--bits", "--save-every", "--trace", "--resume", "--list-layers", "--fps", "--flow", "--bad-frames"),
)


def leave(*words):
    """The status, whether argparse exits with it or the command returns it."""
    try:
        return main(words)
    except SystemExit as left:
        return left.code


def test_help_lists_every_option(capsys):
    assert leave("stylize", "--help") == 0
    text = capsys.readouterr().out
    for field in dataclasses.fields(FilmConfig):
        assert f"--{field.name.replace('_', '-')} " in text
    for name in FILE_OPTIONS:
        assert name in text


def test_the_names_the_field_is_used_to():
    promised = {
        *("size", "min-size", "iterations", "initial-iterations", "content-weight", "style-weights", "tv-weight"),
        *("style-loss", "optimizer", "learning-rate", "avg-decay", "init", "style-scale", "style-size", "pooling"),
        *("content-layers", "style-layers", "layer-weights", "features", "preserve-color", "seed", "dtype", "devices"),
    }
    assert promised <= {field.name.replace("_", "-") for field in dataclasses.fields(StyleTransferConfig)}


def test_the_commands_are_listed(capsys):
    assert leave("--help") == 0
    text = capsys.readouterr().out
    assert "stylize" in text and "features" in text


def test_version(capsys):
    assert leave("--version") == 0
    assert capsys.readouterr().out == f"jaxstyle {jaxstyle.__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "COMMAND"),
        (("stylise", "a", "b"), "unknown command 'stylise'; did you mean 'stylize'?"),
        (("stylize", "a.png", "b.png"), "no output: name it with -o"),
        (("stylize", "-o", "out.png"), "no content: name a photo"),
        (("stylize", "a.png", "b.png", "-o"), "expected one argument"),
        (("stylize", "a.png", "b.png", "-o", "out.png", "--bits", "12"), "--bits"),
        (("stylize", "a.png", "b.png", "-o", "out.png", "--save-every", "two"), "--save-every"),
    ],
)
def test_wrong_arguments_are_one_sentence(capsys, words, message):
    assert leave(*words) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1 and errors.startswith("jaxstyle: ") and message in errors


def test_an_unknown_option_names_the_nearest(capsys):
    assert leave("stylize", "a.png", "b.png", "-o", "out.png", "--contant-weight", "3") == 2
    assert "unknown option --contant-weight; did you mean '--content-weight'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("content_weight=1,10,100", ("content_weight", [1.0, 10.0, 100.0])),
        ("content-weight = 0.5", ("content_weight", [0.5])),
        ("tv-weight=1e-3,", ("tv_weight", [0.001])),
    ],
)
def test_a_sweep_is_read(text, expected):
    assert pixel_jobs.parse_sweep(text) == expected


@pytest.mark.parametrize("text", ["content_weight", "content_weight=a", "content_weight:1"])
def test_a_malformed_sweep(text):
    with pytest.raises(JaxstyleError, match="is not of the form content_weight=1,10,100"):
        pixel_jobs.parse_sweep(text)


def test_compiled_programs_are_kept_in_the_cache_folder(tmp_path, monkeypatch):
    kept = {}
    monkeypatch.setattr(jax.config, "update", lambda name, value: kept.update({name: value}))
    monkeypatch.setenv("JAXSTYLE_CACHE", str(tmp_path))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    options.keep_compiled()
    assert not kept
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    options.keep_compiled()
    assert kept["jax_compilation_cache_dir"] == str(tmp_path / "compiled")


def test_a_whole_command_in_a_process_of_its_own(pictures, tiny_features, tmp_path):
    settings = tiny.options(tiny_features, size=34, initial_iterations=2)
    words = [str(pictures / "photo.png"), str(pictures / "painting.png"), "-o", "out.png", *settings]
    ours = ("XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment["JAXSTYLE_CACHE"] = str(tmp_path / "cache")
    command = [sys.executable, "-m", "jaxstyle.cli", "stylize", *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    told = [line for line in done.stderr.splitlines() if "% done" not in line]  # of a slow machine
    assert (done.returncode, done.stdout, told) == (0, "out.png\n", [])
    assert jaxstyle.read_picture(tmp_path / "out.png").rgb.shape == (26, 34, 3)
    assert any((tmp_path / "cache" / "compiled").iterdir())
