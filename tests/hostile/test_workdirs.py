"""Hostile workdirs, snapshots and checkpoints, through the commands that go on from them."""

import contextlib
import io
import json
import os
import shutil

import numpy as np
import pytest
import tiny
from hostile.archives import npz, packed_zeros
from hostile.corpus import PLACES, cut, fifo, flipped, nested

from jaxstyle.cli import main
from jaxstyle.jobs import execution
from jaxstyle.pixels.loop import Outcome

SAMPLE = ("sample", "run", "-n", "4", "-o", "out/grid.png")


@pytest.fixture
def run(here, tiny_run):
    """A workdir that a test may damage."""
    shutil.copytree(tiny_run, here / "run")
    return here / "run"


def configs():
    """Contents of `config.json`."""
    yield "nothing", ""
    yield "half", lambda text: text[: len(text) // 2]
    yield "wrong bytes", lambda text: flipped(text, 0)
    yield "other wrong bytes", lambda text: flipped(text, 1)
    yield "no text", b"\xff\xfe{}"
    yield "zeros", bytes(999)
    yield "a list", "[]"
    yield "nothing in it", "{}"
    yield "null", "null"
    yield "a number of 10^5 digits", "9" * 10**5
    yield "nested", nested(10**5)
    yield "nested objects", nested(10**5, '{"task":', "}")
    yield "NaN", "NaN"
    tasks = [
        "",
        "os",
        "nowhere",
        "this",
        "jaxstyle",
        "../a",
        "a b",
        ".",
        "jaxstyle.tasks.gan",
        "tiny\n",
        None,
        3,
        [],
        "a" * 10**5,
    ]
    for task in tasks:
        yield f"task {task!r:.20}", changed(task=task)
    for name in ("seed", "batch_size", "train_steps", "best", "keep", "ema_decay", "data", "model", "optimizer", "run"):
        for value in (None, "x", -1, 1e400, float("nan"), 10**30, [], {"a": 1}, [[[]]]):
            yield f"{name} {value!r:.9}", changed(**{name: value})
    yield "a field of a path", changed(**{"../../a": 1})
    yield "fields with line breaks", changed(best="a\nb\x1b[31m")


def changed(**values):
    return lambda text: json.dumps(json.loads(text) | values)


def settings():
    """Contents of `setting.json`."""
    yield "nothing", ""
    yield "half", lambda text: text[: len(text) // 2]
    yield "wrong bytes", lambda text: flipped(text, 0)
    yield "a list", "[]"
    yield "nested", nested(10**5)
    for name in ("extent", "steps", "spec", "classes", "data", "class_counts"):
        for value in (
            None,
            "x",
            -1,
            float("nan"),
            [],
            {"a": 1},
            [[[]]],
            [10**30],
            {"image": [[10**9, 10**9, 3], "uint8"]},
        ):
            yield f"{name} {value!r:.12}", changed(**{name: value})
    yield "a dtype of code", changed(spec={"image": [[32, 32, 3], "__import__('os').system('touch canary')"]})
    yield "a dtype of objects", changed(spec={"image": [[32, 32, 3], "O"]})


FILES = {f"config.json {name}": ("config.json", made) for name, made in configs()}
FILES |= {f"setting.json {name}": ("setting.json", made) for name, made in settings()}


@pytest.mark.parametrize("name", FILES)
def test_files(attempt, run, name):
    file, made = FILES[name]
    data = (
        made((run / file).read_text() if "bytes" not in name else (run / file).read_bytes()) if callable(made) else made
    )
    (run / file).write_bytes(data if isinstance(data, bytes) else data.encode())
    attempt(*SAMPLE)


@pytest.mark.parametrize("file", ["config.json", "setting.json", "checkpoints"])
@pytest.mark.parametrize("place", [*PLACES, None])
def test_places(attempt, run, file, place):
    shutil.rmtree(run / file) if (run / file).is_dir() else (run / file).unlink()
    if place:
        PLACES[place](run / file)
    assert attempt(*SAMPLE)[0] == 2


def checkpoint(run):
    """The newest checkpoint's folder."""
    return max((run / "checkpoints").glob("[0-9]*"), key=lambda path: int(path.name))


def every(change):
    """Changes every file of a checkpoint."""

    def damage(folder):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                change(path)

    return damage


def truncated(share):
    return every(lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)]))


def only(part, change):
    """Changes the files of a checkpoint whose names hold a word."""

    def damage(folder):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and part in str(path.relative_to(folder)):
                change(path)

    return damage


def write(data):
    return lambda path: path.write_bytes(data)


def larger(path):
    """Metadata that say other shapes."""
    path.write_text(path.read_text().replace("[3,10]", "[3000000000,1000000000]").replace("3,\n", "3000000000,\n"))


CHECKPOINTS = {
    "empty": lambda folder: (shutil.rmtree(folder), folder.mkdir()),
    "a file": lambda folder: (shutil.rmtree(folder), folder.write_bytes(b"hello")),
    "a link to itself": lambda folder: (shutil.rmtree(folder), folder.symlink_to(folder)),
    "of empty files": truncated(0),
    "of halves": truncated(0.5),
    "of wrong bytes": every(lambda path: path.write_bytes(flipped(path.read_bytes() or b"a", 0))),
    "of zeros": every(lambda path: path.write_bytes(bytes(path.stat().st_size))),
    "of text": every(write(b"hello")),
    "without metadata": only("METADATA", os.unlink),
    "of empty metadata": only("METADATA", write(b"{}")),
    "of nested metadata": only("METADATA", write(nested(10**5).encode())),
    "of metadata of other shapes": only("METADATA", larger),
    "without arrays": only("ocdbt", os.unlink),
    "of arrays cut short": only("d/", lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])),
    "of arrays with wrong bytes": only("d/", lambda path: path.write_bytes(flipped(path.read_bytes(), 1, 20))),
    "of a manifest with wrong bytes": only("manifest", lambda path: path.write_bytes(flipped(path.read_bytes(), 2))),
    "of pipes": every(lambda path: (path.unlink(), fifo(path))),
    "of endless devices": every(lambda path: (path.unlink(), path.symlink_to("/dev/zero"))),
    "of links to themselves": every(lambda path: (path.unlink(), path.symlink_to(path))),
    "of folders": every(lambda path: (path.unlink(), path.mkdir())),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_checkpoints(attempt, run, name):
    CHECKPOINTS[name](checkpoint(run))
    attempt(*SAMPLE, "--checkpoint", checkpoint(run).name)


@pytest.mark.parametrize("name", ["9" * 30, "-1", "a\nb", "7.orbax-checkpoint-tmp-1", "1e3", "٣", "x" * 200])
def test_names_of_checkpoints(attempt, run, name):
    (run / "checkpoints" / name).mkdir()
    attempt(*SAMPLE)


@pytest.mark.parametrize("name", ["-1", "9" * 30, "٣", "²", "a\nb", "", "1e3", "../5"])
def test_checkpoints_that_are_asked_for(attempt, run, name):
    assert attempt(*SAMPLE, "--checkpoint", name)[0] == 2


@pytest.fixture(scope="module")
def snapshot(good, tmp_path_factory):
    """A snapshot of an interrupted run."""
    folder = tmp_path_factory.mktemp("snapshot")
    words = ["stylize", f"{good}/photo.png", f"{good}/style.png", "-o", f"{folder}/new.png"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(execution, "interruptible", stopped)
        assert main([*words, *tiny.options(good / "net.safetensors")]) == 130
    return (folder / ".new.png.resume").read_bytes()


def stopped():
    return contextlib.nullcontext(lambda: True)


def told(change):
    """The same snapshot with other words about it."""

    def remake(data):
        with np.load(io.BytesIO(data)) as file:
            arrays = dict(file)
        return npz(**arrays | {"about": np.array(change(json.loads(str(arrays["about"]))))})

    return remake


SNAPSHOTS = {
    **{name: (lambda data, name=name: dict(cut(data))[name]) for name in dict(cut(bytes(99)))},
    **{f"wrong bytes, {seed}": (lambda data, seed=seed: flipped(data, seed)) for seed in range(3)},
    "text": lambda data: b"hello",
    "zeros": lambda data: bytes(9999),
    "a pickle": lambda data: b"\x80\4\x8c\x08builtins\x8c\4exec\x93\x8c\x13open('canary', 'w').\x85R.",
    "an array": lambda data: b"\x93NUMPY",
    "pickles": lambda data: npz(about=np.array([{}], object)),
    "3 gigabytes of zeros": lambda data: packed_zeros("about.npy", b""),
    "nested": told(lambda about: nested(10**5)),
    "no object": told(lambda about: "[]"),
    "another stage": told(lambda about: json.dumps(about | {"stage": 99})),
    "a stage before the first": told(lambda about: json.dumps(about | {"stage": -1})),
    "a stage of text": told(lambda about: json.dumps(about | {"stage": "a"})),
    "an iteration of NaN": told(lambda about: json.dumps(about | {"iteration": float("nan")})),
    "no identity": told(lambda about: json.dumps(about | {"identity": {}})),
    "an identity with line breaks": told(lambda about: json.dumps(about | {"identity": {"a\nb\x1b[31m": 1}})),
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_snapshots(attempt, here, snapshot, name):
    (here / "out" / ".new.png.resume").write_bytes(SNAPSHOTS[name](snapshot))
    words = ["photo.png", "style.png", "-o", "out/new.png", *tiny.options("net.safetensors"), "--resume"]
    assert attempt("stylize", *words)[0] == 2


@pytest.mark.parametrize("place", PLACES)
def test_places_of_snapshots(attempt, here, place, monkeypatch):
    monkeypatch.setattr(execution, "optimize", lambda problem, *_, **__: Outcome(np.asarray(problem.start), None))
    PLACES[place](here / "out" / ".new.png.resume")
    words = ["photo.png", "style.png", "-o", "out/new.png", *tiny.options("net.safetensors"), "--resume"]
    attempt("stylize", *words)
