"""A folder with good inputs beside the bad one, and `attempt`, which holds a command to what every command owes."""

import contextlib
import os
import re
import resource
import signal
import tempfile

import numpy as np
import pytest
import tiny
import tiny_models

from jaxstyle.cli import main
from jaxstyle.inference.style_model import save_model
from jaxstyle.media.image_writing import write_picture

SECONDS = 120  # that a command may take on a busy machine
MEMORY = 2**31  # bytes by which resident memory may grow
ROOM = 3 * 2**30  # bytes that may be asked for: a bomb must fail a test, not the machine
PICTURES = {
    "photo.png": (0, 48, 64),
    "style.png": (1, 40, 56),
    "photos/a.png": (2, 48, 64),
    "photos/b.png": (3, 48, 64),
}


class TookTooLong(BaseException):
    """No `except Exception` keeps it from the test."""


@pytest.fixture(scope="module")
def good(tmp_path_factory, tiny_features):
    """A folder with good pictures, weights and style models."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "photos").mkdir()
    for name, values in PICTURES.items():
        write_picture(folder / name, tiny.picture(*values))
    (folder / "net.safetensors").write_bytes(tiny_features.read_bytes())
    for name, model in (("known", tiny_models.known_model()), ("any", tiny_models.any_model())):
        save_model(folder / name, model, np.zeros((16, 16, 3), np.float32))
    return folder


@pytest.fixture
def here(good, tmp_path, monkeypatch):
    """A folder of its own, in which the command runs, with links to what is good, and `out/`."""
    for path in good.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "out").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("JAXSTYLE_CACHE", str(good / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def status(key):
    """An entry of the process's own table, in bytes."""
    with open("/proc/self/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith(key))


@contextlib.contextmanager
def bounded():
    """Ends what takes too long, and what asks for too much memory; afterwards checks how much was taken."""

    def late(*_):
        raise TookTooLong

    handler, before = signal.signal(signal.SIGALRM, late), resource.getrlimit(resource.RLIMIT_DATA)
    with open("/proc/self/clear_refs", "w") as file:  # resets the peak (VmHWM)
        file.write("5")
    resident, children = status("VmRSS"), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # Not RLIMIT_AS: XLA reserves addresses that it never uses.
    resource.setrlimit(resource.RLIMIT_DATA, (status("VmData") + ROOM, before[1]))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_DATA, before)
    assert status("VmHWM") - resident < MEMORY
    assert 1024 * (resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - children) < MEMORY


def listing(folder):
    """Every file below a folder, with what shows a change."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            about = os.lstat(path := os.path.join(place, name))
            found[os.path.relpath(path, folder)] = about.st_mode, about.st_size, about.st_mtime_ns
    return {path: about for path, about in found.items() if not os.path.isdir(os.path.join(folder, path))} | {
        path: about[0] for path, about in found.items() if os.path.isdir(os.path.join(folder, path))
    }


@pytest.fixture
def attempt(here, capfd, recwarn):
    """Runs a command there; returns its status and what it said on stderr.

    Status 0 or 2, within bounds; at 2 one sentence after notes, and nothing written; at 0 whole files alone.
    """

    def run(*words):
        before = listing(here)
        capfd.readouterr()
        with bounded():
            try:
                code = main([str(word) for word in words])
            except SystemExit as left:
                code = left.code
        said = capfd.readouterr().err
        assert not re.search(r"Traceback|Error: |Exception", said), said
        lines = [line for line in said.split("\n") if line]
        assert all(line.startswith("jaxstyle") for line in lines), said
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said), repr(said)
        sentences = [line for line in lines if not NOTES.fullmatch(line)]
        assert (code, len(sentences)) in ((0, 0), (2, 1)), (code, said)
        after = listing(here)
        assert "canary" not in after, "code of the input has run"
        new = {path for path in after if after[path] != before.get(path) and not path.startswith("temporary")}
        assert all(name.endswith("tfds") for name in os.listdir(here / "temporary"))  # TFDS' own
        if code == 2:
            assert not new and before.keys() <= after.keys()
        assert all(not os.path.basename(path).startswith(".") and path.startswith("out") for path in new), new
        assert not [warning for warning in recwarn.list if "load_module" not in str(warning.message)]  # ml_collections'
        return code, said

    return run


NOTES = re.compile(r"jaxstyle: (.*: \d+ pictures?( .*)?|.*; skipped|.*: labels are drawn evenly)")
