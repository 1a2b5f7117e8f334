"""A run that is interrupted goes on to the same bytes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import tiny

from jaxstyle.cli import main
from jaxstyle.media.image_reading import read_picture, read_settings

LONG = {"initial_iterations": 150, "iterations": 600, "optimizer": "adam", "init": "noise"}
CHILD = """
import sys
from jaxstyle.jobs import callbacks
callbacks.SnapshotSaver.__init__.__defaults__ = (0.0,)
from jaxstyle.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def long_run(tiny_features, pictures, tmp_path_factory):
    """The command line of a run of seconds, and its uninterrupted result."""
    options = tiny.options(tiny_features, **LONG)
    words = ["stylize", str(pictures / "photo.png"), str(pictures / "painting.png"), *options]
    whole = tmp_path_factory.mktemp("whole") / "out.png"
    assert main([*words, "-o", str(whole)]) == 0
    return words, whole.read_bytes()


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL], ids=["INT", "KILL"]
)
def test_an_interrupted_run_goes_on_to_the_same_bytes(long_run, tmp_path, capsys, number):
    words, whole = long_run
    output, trace = tmp_path / "out.png", tmp_path / "trace.jsonl"
    words = [*words, "-o", str(output), "--trace", str(trace)]
    environment = {**os.environ, "JAXSTYLE_CACHE": str(tmp_path / "cache")}
    child = subprocess.Popen([sys.executable, "-c", CHILD, *words], env=environment, stderr=subprocess.PIPE, text=True)
    with child:
        deadline = time.monotonic() + 600
        while not (trace.exists() and trace.read_bytes().count(b"\n") > 200) and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.send_signal(number)
        _, errors = child.communicate(timeout=60)
    assert (tmp_path / ".out.png.resume").exists()
    if number == signal.SIGKILL:
        assert child.returncode == -signal.SIGKILL
    else:
        assert child.returncode == 130
        assert errors.count("\n") == 1 and errors.startswith("jaxstyle: stopped; the picture so far is in")
        assert read_settings(output)["unfinished"] is True
        assert read_picture(output).rgb.shape in {(18, 24, 3), (36, 48, 3)}
    steps = trace.read_bytes().count(b"\n")
    assert steps < 750
    assert main([*words, "--resume"]) == 0
    assert output.read_bytes() == whole
    assert sorted(set(os.listdir(tmp_path)) - {"cache"}) == ["out.png", "trace.jsonl"]
    rows = [json.loads(line) for line in trace.read_text().splitlines()]
    places = [(row["scale"], row["iteration"]) for row in rows]
    expected = [(24, i) for i in range(1, 151)] + [(48, i) for i in range(1, 601)]
    if number == signal.SIGKILL:  # the step that the snapshot was ahead of the trace may be missing
        assert sorted(set(places)) == places and len(set(expected) - set(places)) <= 1
    else:
        assert places == expected
    assert main([*words, "--resume"]) == 0 and output.read_bytes() == whole
    capsys.readouterr()
