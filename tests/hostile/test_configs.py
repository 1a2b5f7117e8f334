"""Hostile recipes, flags, words and folders of data, through the commands that read them."""

import os

import pytest
import tiny
from hostile.corpus import PLACES, RECIPE, encoded

from jaxstyle.training import loop

RECIPES = {
    "nothing": "",
    "text": "hello, world\n",
    "no function": "get_config = 3\n",
    "no text": b"\xff\xfe\x00",
    "a zero": b"a = 1\0\n",
    "another indentation": "def get_config():\n  a\n    b\n",
    "what ends": "raise SystemExit(3)\n",
    "what raises": "raise ValueError('two\\nlines')\n",
    "what divides by zero": RECIPE.format("1 / 0"),
    "what imports nothing": "import nowhere\n",
    "what returns nothing": RECIPE.format("return None"),
    "what returns a number": RECIPE.format("return 3"),
    "what returns a dict": RECIPE.format("return {'run': 'os:getcwd'}"),
    "no run": RECIPE.format("c = as_config(tiny_task.Config()); del c.run; return c"),
    "a run of text": RECIPE.format("c = as_config(tiny_task.Config()); c.run = 'hello'; return c"),
    "a run of nothing": RECIPE.format("c = as_config(tiny_task.Config()); c.run = 'nowhere:run'; return c"),
    "a run of no function": RECIPE.format("c = as_config(tiny_task.Config()); c.run = 'os:nowhere'; return c"),
    "no task": RECIPE.format("c = as_config(tiny_task.Config()); del c.task; return c"),
    "a task of nothing": RECIPE.format("c = as_config(tiny_task.Config()); c.task = 'nowhere'; return c"),
    "nested": "a = " + "(" * 500 + ")" * 500 + "\n",
    "a number of 10^5 digits": "a = " + "9" * 10**5 + "\n",
}


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(attempt, here, name):
    data = RECIPES[name]
    (here / "bad.py").write_bytes(data if isinstance(data, bytes) else data.encode())
    assert attempt("train", "bad.py", "--workdir", "out/run")[0] == 2


@pytest.mark.parametrize("place", PLACES)
def test_places_of_recipes(attempt, here, place):
    PLACES[place](here / "bad.py")
    assert attempt("train", "bad.py", "--workdir", "out/run")[0] == 2


@pytest.fixture
def no_training(monkeypatch):
    """What is read must be read; that it can be trained is tested elsewhere."""
    monkeypatch.setattr(loop.Training, "train", lambda *_: True)


VALUES = ("nan", "inf", "-1", "1e400", "9" * 400, "", "x", "()", "(1,)", "None", "[", "a\nb", "\udcff", "é" * 5000)
FIELDS = (
    "train_steps",
    "batch_size",
    "seed",
    "optimizer.learning_rate",
    "data.size",
    "data.folder",
    "data.split",
    "best",
)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", VALUES)
def test_flags(attempt, here, shapes_dir, no_training, field, value):
    (here / "good.py").write_text(RECIPE.format(f"return tiny_task.tiny_config({shapes_dir!r}, train_steps=1)"))
    attempt("train", "good.py", "--workdir", "out/run", f"--config.{field}={value}")


@pytest.mark.parametrize(
    "word",
    [
        "",
        "-",
        "--",
        "--config",
        "--workdir=",
        "--config.=1",
        "--config.data=1",
        "a\nb",
        "\0",
        "--x\x1b[31m",
        "--config.nowhere=1",
        "--config.data.x.y=1",
    ],
)
def test_words(attempt, here, shapes_dir, no_training, word):
    (here / "good.py").write_text(RECIPE.format(f"return tiny_task.tiny_config({shapes_dir!r}, train_steps=1)"))
    attempt("train", "good.py", "--workdir", "out/run", word)


@pytest.mark.parametrize(
    "option",
    [
        "content-weight",
        "size",
        "seed",
        "layer-weights",
        "style-layers",
        "devices",
        "init",
        "features",
        "sweep",
        "fps",
        "bits",
    ],
)
@pytest.mark.parametrize("value", ["nan", "-inf", "9" * 400, "", "1,,2", "a\nb\x1b[31m", "\udcff", "\0", "٣", "1e-400"])
def test_options(attempt, here, option, value, monkeypatch):
    from jaxstyle.jobs import execution

    monkeypatch.setattr(execution, "optimize", lambda problem, *_, **__: execution.Outcome(problem.start, None))
    attempt(
        "stylize",
        "photo.png",
        "style.png",
        "-o",
        "out/new.png",
        *tiny.options("net.safetensors"),
        f"--{option}={value}",
    )


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded("PNG"))


def deep(folder):
    """A picture beside very many folders, each in the one before."""
    here = os.getcwd()
    picture(folder / "a.png")
    os.chdir(folder)
    for _ in range(300):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(here)


def circles(folder):
    for name in ("a/1.png", "b/1.png", "a/2.png", "b/2.png"):
        picture(folder / name)
    (folder / "a" / "up").symlink_to("..")
    (folder / "b" / "self").symlink_to("self")


def with_place(place):
    def fill(folder):
        picture(folder / "1.png")
        picture(folder / "2.png")
        PLACES[place](folder / "3.png")

    return fill


def named(*names):
    def fill(folder):
        for name in names:
            picture(folder / name)

    return fill


DATA = {
    "nothing": os.mkdir,
    "a file": lambda folder: folder.write_bytes(b"hello"),
    "a link to itself": lambda folder: folder.symlink_to(folder),
    "a pipe": PLACES["a pipe into which nobody writes"],
    "folders 300 deep": deep,
    "links in circles": circles,
    **{f"{place} among pictures": with_place(place) for place in PLACES},
    "text among pictures": lambda folder: (picture(folder / "1.png"), (folder / "2.png").write_bytes(b"hello")),
    "one picture": named("1.png"),
    "a class of one": named("a/1.png", "a/2.png", "b/1.png"),
    "pictures in and beside classes": named("a/1.png", "1.png"),
    "names of line breaks": named("a\nb/1\x1b[31m.png", "a\nb/2.png", "c/1.png", "c/2.png"),
    "names that are no text": named("\udcff/1.png", "\udcff/2.png", "c/1.png", "c/\udcfe.png"),
    "names of 255 bytes": named("x" * 250 + ".png", "y" * 250 + ".png"),
    "splits of other classes": named("train/a/1.png", "test/b/1.png"),
    "a split of nothing": lambda folder: (picture(folder / "train" / "a.png"), (folder / "test").mkdir()),
}


@pytest.mark.parametrize("name", DATA)
def test_folders(attempt, here, shapes_dir, name, monkeypatch, no_training):
    DATA[name](here / "data")
    changes = (
        "data__name='', data__folder='data', data__bad_pictures='check', train_steps=1, batch_size=8, data__size=32"
    )
    (here / "good.py").write_text(RECIPE.format(f"return tiny_task.tiny_config('', {changes})"))
    attempt("train", "good.py", "--workdir", "out/run")
