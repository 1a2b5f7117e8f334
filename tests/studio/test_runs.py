"""Runs: one at a time, stopped with a picture, gone on with to the very picture that the command line makes."""

import io
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
import tiny
from PIL import Image
from studio.conftest import until

import jaxstyle
from jaxstyle.cli import main
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.registry import JOBS
from jaxstyle.jobs.runner import run_job
from jaxstyle.studio import tools
from jaxstyle.studio.library import Library
from jaxstyle.studio.orders import Order
from jaxstyle.studio.runs import Runs

LONG = {"initial_iterations": 400, "iterations": 3}


@pytest.fixture
def runs(tmp_path):
    made = Runs(tmp_path / "results")
    yield made
    made.close()
    assert not made.thread.is_alive()


@pytest.fixture
def order(tmp_path, pictures, tiny_features):
    library = Library(tmp_path / "uploads")
    entries = [library.add(f"{name}.png", (pictures / f"{name}.png").read_bytes()) for name in ("photo", "painting")]

    def make(**settings):
        config = tiny.config(features=str(tiny_features), devices=1, **settings)
        return Order(
            tools.TOOLS["stylize"], dict(zip(("contents", "styles"), ([e] for e in entries), strict=True)), config
        )

    return make


def over(run):
    return run.status in ("finished", "stopped", "failed")


def test_a_run_makes_what_the_command_line_makes(runs, order, pictures, tmp_path):
    run = runs.add(order())
    until(lambda: over(run))
    assert (run.status, run.message) == ("finished", "")
    assert [path.name for path in run.results] == ["photo-stylize.png"]
    sources = {"contents": [str(pictures / "photo.png")], "styles": [str(pictures / "painting.png")]}
    (expected,) = run_job(JOBS["stylize"], Files(sources, str(tmp_path / "out.png")), run.order.config, progress=False)
    assert run.results[0].read_bytes() == expected.read_bytes()  # its metadata, too
    told = run.described()
    assert told["progress"]["share"] == 1
    assert told["curve"][-1]["step"] == told["progress"]["steps"] == 7
    assert {"loss", "style/relu1_1"} <= set(told["curve"][-1])
    assert told["preview"] > 0


def test_one_runs_and_the_others_wait(runs, order):
    first, second = runs.add(order(**LONG)), runs.add(order())
    until(lambda: first.status == "running")
    assert second.status == "queued"
    runs.stop(second)
    assert second.status == "stopped"
    runs.go_on(second)
    until(lambda: over(second))
    assert (first.status, second.status) == ("finished", "finished")


def test_stopped_runs_keep_their_picture_and_go_on(runs, order):
    whole, run = runs.add(order(**LONG)), runs.add(order(**LONG))
    until(lambda: run.curve)
    runs.stop(run)
    until(lambda: over(run))
    assert run.status == "stopped"
    assert jaxstyle.read_settings(run.results[0])["unfinished"] is True
    at = run.curve[-1]["step"]
    assert at < 400
    runs.go_on(run)
    until(lambda: over(run))
    assert (run.status, run.resume) == ("finished", True)
    assert run.results[0].read_bytes() == whole.results[0].read_bytes()
    assert [row["step"] for row in run.curve] == sorted(row["step"] for row in run.curve)


def test_a_failure_is_told_and_the_next_run_is_made(runs, order, monkeypatch):
    bad = runs.add(order(style_weights=(0.5, 0.5)))
    until(lambda: over(bad))
    assert (bad.status, bad.results) == ("failed", [])
    assert "style_weights has 2 numbers for 1 styles" in bad.message
    gone = order()
    pathlib.Path(gone.sources["contents"][0]).unlink()
    lost = runs.add(gone)
    until(lambda: over(lost))
    assert lost.message == "picture 'photo.png' does not exist"


def test_diverged_runs_keep_the_last_good_picture(runs, order):
    run = runs.add(order(optimizer="lbfgs", learning_rate=1e30, parametrization="pixels"))
    until(lambda: over(run))
    assert run.status == "failed"
    assert "not finite" in run.message
    assert len(run.results) == 1


def test_only_runs_that_are_over_are_removed(runs, order):
    run = runs.add(order(**LONG))
    until(lambda: run.status == "running")
    runs.remove(run)
    assert runs[run.id] is run
    runs.stop(run)
    until(lambda: over(run))
    runs.remove(run)
    assert not runs.runs


def test_previews_are_small_and_made_for_viewers_only(runs, order):
    run = runs.add(order(initial_iterations=100))
    until(lambda: over(run))
    alone = run.preview
    with Image.open(io.BytesIO(alone)) as image:
        assert max(image.size) <= 640
    runs.viewers = 1
    watched = runs.add(order(initial_iterations=100))
    until(lambda: over(watched))
    assert watched.preview != alone  # the latest, where the first was enough before


def test_an_atlas_has_a_picture_a_channel(runs):
    tool = tools.TOOLS["visualize"]
    config = tools.read_config(tool, {"channels": "0:3", "size": 32, "iterations": 2, "layer": "relu2_1"}, {})
    run = runs.add(Order(tool, {}, config))
    until(lambda: over(run), 120)
    assert [path.name for path in run.results] == ["atlas.png", *(f"relu2_1-{i}.png" for i in range(3))]


def test_at_once_is_what_the_command_makes(runs, order, pictures, tmp_path):
    made = order()
    config = tools.read_config(tools.TOOLS["apply"], {"strength": 0.7}, {})
    run = runs.add(made._replace(tool=tools.TOOLS["apply"], config=config))
    until(lambda: over(run), 120)
    assert (run.status, run.message) == ("finished", "")
    words = run.described()["command"].replace("photo.png", str(pictures / "photo.png"))
    words = words.replace("painting.png", str(pictures / "painting.png")).replace("out.png", str(tmp_path / "out.png"))
    assert main(shlex.split(words)[1:]) == 0
    assert run.results[0].read_bytes() == (tmp_path / "out.png").read_bytes()


def test_closing_stops_what_runs(tmp_path, order):
    runs = Runs(tmp_path / "closed")
    run = runs.add(order(initial_iterations=100_000))
    until(lambda: run.status == "running" and run.curve)
    began = time.monotonic()
    runs.close()
    assert run.status == "stopped"
    assert time.monotonic() - began < 30
    assert np.isfinite(jaxstyle.read_picture(run.results[0]).rgb).all()


@pytest.mark.slow
def test_ctrl_c_ends_a_studio_that_compiles(tmp_path):
    command = [sys.executable, "-m", "jaxstyle.cli", "studio", "--no-browser"]
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    address = re.search(r"http://\S+/", process.stdout.readline())[0]
    order = {"tool": "visualize", "pictures": {}, "settings": {"channels": "0:3"}}
    urllib.request.urlopen(f"{address}runs", json.dumps(order).encode()).close()
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
