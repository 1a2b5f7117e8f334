"""`jaxstyle dream` and `jaxstyle visualize` as the command line runs them, and their recipes."""

import dataclasses
import importlib.util
import pathlib
import shutil

import pytest

from jaxstyle import DreamConfig, VisualizationConfig
from jaxstyle.cli import main
from jaxstyle.jobs import recipes
from jaxstyle.media.image_reading import read_picture

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"
DREAM = ("--size=24", "--octaves=1", "--iterations=2", "--layers=relu1_1", "--gradient-octaves=0", "--jitter=2")
LOOK = ("--size=20", "--iterations=2", "--layer=relu1_1", "--pad=0", "--jitter=0", "--scale=0", "--rotate=0")


@pytest.mark.parametrize(("command", "kind"), [("dream", DreamConfig), ("visualize", VisualizationConfig)])
def test_help_lists_every_option(capsys, command, kind):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    for field in dataclasses.fields(kind):
        assert f"--{field.name.replace('_', '-')} " in text
    assert "--list-layers" in text and "--resume" in text and "--trace" in text


def test_a_dream(pictures, tiny_features, tmp_path, capsys):
    words = [str(pictures / "photo.png"), "-o", str(tmp_path / "d.png"), f"--features={tiny_features}", *DREAM]
    assert main(["dream", *words]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'd.png'}\n"
    assert read_picture(tmp_path / "d.png").rgb.shape == (18, 24, 3)


def test_one_channel_and_several(tiny_features, tmp_path, capsys):
    for word, name in (("--channel=1", "one.png"), ("--channels=0:2", "two.png")):
        assert main(["visualize", word, "-o", str(tmp_path / name), f"--features={tiny_features}", *LOOK]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'one.png'}\n{tmp_path / 'two.png'}\n"
    one, two = (read_picture(tmp_path / name).rgb.shape for name in ("one.png", "two.png"))
    assert one == (20, 20, 3) and two[1] > 40


def test_a_folder_of_photos(pictures, tiny_features, tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    for name in "ab":
        shutil.copy(pictures / "photo.png", tmp_path / "photos" / f"{name}.png")
    words = [f"{tmp_path}/photos", "-o", f"{tmp_path}/new/", f"--features={tiny_features}", *DREAM]
    assert main(["dream", *words]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/new/a.png\n{tmp_path}/new/b.png\n"
    assert read_picture(tmp_path / "new" / "b.png").rgb.shape == (18, 24, 3)


@pytest.mark.parametrize("command", ["dream", "visualize", "stylize", "texture"])
def test_layers_are_listed_with_their_widths(tiny_features, capsys, command):
    assert main([command, "--list-layers", f"--features={tiny_features}"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["conv1_1", "4"] and ["relu2_1", "8"] in lines and lines[-1] == ["relu5_1", "8"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("dream", "photo.png"), "no output: name it with -o"),
        (("dream", "-o", "out.png"), "a dream needs one picture, or --init noise"),
        (("dream", "nowhere.png", "-o", "out.png"), "'nowhere.png' does not exist"),
        (("dream", "a.png", "b.png", "-o", "out.png"), "several pictures go into a folder, and output 'out.png'"),
        (("dream", "a.png", "-o", "out.png", "--octaves=two"), "--octaves 'two' is not a whole number"),
        (("dream", "a.png", "-o", "out.png", "--octavs=2"), "unknown option --octavs; did you mean '--octaves'"),
        (("visualize",), "no output: name it with -o"),
        (("visualize", "-o", "out.xyz"), "must end in one of"),
        (("visualize", "-o", "out.png", "--features=nothing"), "unknown features 'nothing'"),
        (("visualize", "-o", "out.png", "--save-every=-1"), "--save-every is -1; it must be at least 0"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    try:
        status = main(words)
    except SystemExit as left:
        status = left.code
    errors = capsys.readouterr().err
    assert status == 2 and errors.count("\n") == 1 and message in errors
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "kind"), [("deep_dream", DreamConfig), ("feature_visualization", VisualizationConfig)]
)
def test_recipes_have_the_defaults_and_run(name, kind, tiny_features, pictures, tmp_path):
    spec = importlib.util.spec_from_file_location(name, CONFIGS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    recipe = module.get_config()
    for field in dataclasses.fields(kind):
        assert recipe[field.name] == field.default
    assert recipe.run == "jaxstyle.jobs.recipes:run"
    test = module.get_config("test")
    changes = {
        "layers": ("relu1_1",),
        "size": 24,
        "octaves": 1,
        "jitter": 2,
        "contents": (str(pictures / "photo.png"),),
    }
    if kind is VisualizationConfig:
        changes = {"layer": "relu1_1", "size": 20, "pad": 0, "jitter": 0, "scale": 0.0, "rotate": 0.0}
    test.update(iterations=1, features=str(tiny_features), **changes)
    recipes.run(test, str(tmp_path / "run"))
    made = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.json", "trace.jsonl"} < made and any(name.endswith(".png") for name in made)
