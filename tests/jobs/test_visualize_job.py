"""Visualisations from a network to files: one picture, an atlas, a folder, facets, batches, resuming."""

import contextlib
import json

import numpy as np
import pytest
from PIL import Image

from jaxstyle import JaxstyleError, VisualizationConfig
from jaxstyle.jobs import execution
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.registry import JOBS
from jaxstyle.jobs.runner import run_job
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.pixels import footprint
from jaxstyle.runtime import memory

SMALL = {
    "layer": "relu1_1",
    "channels": "0:3",
    "size": 20,
    "iterations": 3,
    "pad": 0,
    "jitter": 0,
    "scale": 0,
    "rotate": 0,
}


@pytest.fixture
def run(tiny_features, tmp_path):
    """Visualises into `tmp_path`."""

    def visualize(output="out.png", changes=None, **files):
        config = VisualizationConfig(**{**SMALL, "features": str(tiny_features), **(changes or {})})
        return run_job(JOBS["visualize"], Files({}, f"{tmp_path}/{output}", **files), config)

    return visualize


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_one_channel_is_its_picture(run, tmp_path):
    assert run(changes={"channels": "2"}, trace=str(tmp_path / "t.jsonl")) == [tmp_path / "out.png"]
    assert read_picture(tmp_path / "out.png").rgb.shape == (20, 20, 3)
    assert read_settings(tmp_path / "out.png")["channels"] == "2"
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows] == [1, 2, 3] and isinstance(rows[0]["channel/relu1_1"], float)
    assert names(tmp_path) == ["out.png", "t.jsonl"]


def test_an_atlas_holds_the_pictures_that_a_folder_gets(run, tmp_path):
    (tmp_path / "all").mkdir()
    written = run("all")
    assert names(tmp_path / "all") == ["atlas.png", "relu1_1-0.png", "relu1_1-1.png", "relu1_1-2.png"]
    assert len(written) == 4
    assert run("atlas.png") == [tmp_path / "atlas.png"] and names(tmp_path) == ["all", "atlas.png"]
    assert (tmp_path / "atlas.png").read_bytes() == (tmp_path / "all" / "atlas.png").read_bytes()
    alone = run("one.png", {"channels": "1"})[0]
    beside = read_picture(written[1]).rgb
    np.testing.assert_allclose(read_picture(alone).rgb, beside, atol=1.01 / 255)
    sheet, tile = (np.asarray(Image.open(path)) for path in (tmp_path / "atlas.png", written[0]))
    height, width, _ = sheet.shape
    places = [(y, x) for y in range(height - 19) for x in range(width - 19) if (sheet[y, x] == tile[0, 0]).all()]
    assert any((sheet[y : y + 20, x : x + 20] == tile).all() for y, x in places)


def test_facets_stand_side_by_side(run, tmp_path):
    run("all/", {"facets": 2, "channels": "0,2"})
    made = [f"relu1_1-{index}-{facet}.png" for index in (0, 2) for facet in (1, 2)]
    assert names(tmp_path / "all") == ["atlas.png", *made]
    height, width, _ = read_picture(tmp_path / "all" / "atlas.png").rgb.shape
    assert height > width  # two rows, which have labels, of two


def test_what_memory_does_not_hold_at_once_is_made_in_batches(run, tmp_path, monkeypatch):
    (tmp_path / "all").mkdir()
    whole = run("whole.png")[0].read_bytes()
    monkeypatch.setattr(footprint, "largest_batch", lambda *_: 2)
    sizes = []
    kept = execution.optimize
    monkeypatch.setattr(
        execution, "optimize", lambda problem, *a, **k: sizes.append(len(problem.start)) or kept(problem, *a, **k)
    )
    assert run("parts.png")[0].read_bytes() == whole
    assert sizes == [2, 1]


def test_a_resumed_atlas_is_the_uninterrupted_one_bit_for_bit(run, tmp_path, monkeypatch):
    whole = run("whole.png")[0].read_bytes()

    @contextlib.contextmanager
    def stopping():
        left = iter(range(2))
        yield lambda: next(left, None) is None

    with monkeypatch.context() as patched:
        patched.setattr(execution, "interruptible", stopping)
        with pytest.raises(execution.Interrupted):
            run("again.png")
    assert ".again.png.parts" in names(tmp_path)
    assert run("again.png", resume=True)[0].read_bytes() == whole
    assert names(tmp_path) == ["again.png", "whole.png"]
    monkeypatch.setattr(execution, "optimize", lambda *_, **__: pytest.fail("done already"))
    run("again.png", resume=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"output": "out.xyz"}, "must end in one of .png"),
        ({"output": "no/out.png"}, "does not exist"),
        ({"trace": "no/t"}, "cannot write the trace"),
        ({"changes": {"features": "nowhere.pth"}}, "nowhere.pth"),
        ({"changes": {"layer": "relu9"}}, "unknown layer 'relu9'"),
        ({"changes": {"channels": "4"}}, "channels 0 to 3, and 4 is none of them"),
        ({"changes": {"size": 8}}, "size is 8; it must be at least 16"),
        ({"changes": {"layer": "relu5_1", "jitter": 8}}, "at size 20 the layers see 8 px and need 16: make it larger"),
        ({"changes": {"devices": 99}}, "99 devices asked for"),
    ],
)
def test_what_cannot_be_is_told_before_a_step(run, tmp_path, monkeypatch, words, message):
    monkeypatch.setattr(execution, "optimize", lambda *_, **__: pytest.fail("a step was about to be taken"))
    with pytest.raises(JaxstyleError, match=message):
        run(**words)
    assert not names(tmp_path)


def test_too_little_memory_is_told(run, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1e3)
    with pytest.raises(JaxstyleError, match=r"need some .* GiB and .* GiB are free: lower size"):
        run()
