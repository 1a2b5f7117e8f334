"""Where results of a stylisation go: sweeps and their contact sheets, folders that are made."""

import itertools
import os

import numpy as np
import pytest
import tiny

from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs import execution
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.registry import JOBS
from jaxstyle.jobs.runner import run_job
from jaxstyle.media.image_reading import read_picture, read_settings

SMALLEST = {"size": 34}  # the first stage alone: half as much to compile
SWEEP = {"content_weight": [0.5, 8.0], "learning_rate": [0.01, 0.03]}
ROUNDING = 1.01 / 255  # results that are equal but for rounding may differ by one level


@pytest.fixture
def paint(pictures, tmp_path, tiny_features):
    """Stylises `photo.png` or other contents into `tmp_path`; gives the results' paths."""

    def run(contents=(), output="out.png", changes=None, **files):
        sources = {"contents": contents or [str(pictures / "photo.png")], "styles": [str(pictures / "painting.png")]}
        config = tiny.config(features=str(tiny_features), **(changes or {}))
        return run_job(JOBS["stylize"], Files(sources, f"{tmp_path}/{output}", **files), config)

    return run


def rgb(path):
    return read_picture(path).rgb


def names(path):
    return sorted(os.listdir(path))


def test_a_sweep_equals_single_runs(paint, tmp_path):
    (tmp_path / "out").mkdir()
    written = paint(output="out", sweep=SWEEP, changes=SMALLEST)
    points = list(itertools.product(*SWEEP.values()))
    expected = [f"photo-content_weight={c:g}-learning_rate={r:g}.png" for c, r in points]
    assert [path.name for path in written] == [*expected, "contact_sheet.png"]
    for i in (0, 3):
        point = dict(zip(SWEEP, points[i], strict=True))
        single = paint(output="single.png", changes=SMALLEST | point)[0]
        np.testing.assert_allclose(rgb(single), rgb(written[i]), atol=ROUNDING)
        assert read_settings(single) == read_settings(written[i])
    assert np.abs(rgb(written[0]) - rgb(written[3])).max() > 5 * ROUNDING
    assert rgb(written[-1]).shape == (4 + 2 * (26 + 20 + 4), 4 + 2 * (34 + 4), 3)  # two rows of pictures and labels
    about = read_settings(written[-1])
    assert about["sweep"] == SWEEP and about["contents"] == ["photo.png"] and about["size"] == 34


def test_a_sweep_into_a_file_is_the_sheet_alone(paint, pictures, tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "photo.png").write_bytes((pictures / "photo.png").read_bytes())
    sheet = paint([f"{tmp_path}/photos/"], output="sheets/", sweep=SWEEP, changes=SMALLEST)[-1]
    assert paint(sweep=SWEEP, changes=SMALLEST) == [tmp_path / "out.png"]
    assert names(tmp_path) == ["out.png", "photos", "sheets"]
    assert (tmp_path / "out.png").read_bytes() == sheet.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(execution, "optimize", lambda *_, **__: pytest.fail("it was there already"))
        assert paint(sweep=SWEEP, changes=SMALLEST, resume=True) == [tmp_path / "out.png"]
    paint(sweep=SWEEP | {"content_weight": [0.5, 2.0]}, changes=SMALLEST, resume=True)
    assert (tmp_path / "out.png").read_bytes() != sheet.read_bytes()


@pytest.mark.parametrize("output", ["new/", "new/deeper/"])
def test_an_output_that_ends_in_a_slash_is_made(paint, tmp_path, output):
    assert paint(output=output, changes=SMALLEST) == [tmp_path / output / "photo.png"]
    assert rgb(tmp_path / output / "photo.png").shape == (26, 34, 3)


def test_an_output_that_cannot_be_a_folder_is_told_before_a_step(paint, tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "optimize", lambda *_, **__: pytest.fail("a step was about to be taken"))
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(JaxstyleError, match=r"'.*file/new' cannot be a folder, as '.*file' is a file"):
        paint(output="file/new/")
    with pytest.raises(JaxstyleError, match="unknown layer 'relu9'"):
        paint(output="new/", changes={"content_layers": ("relu9",)})
    assert names(tmp_path) == ["file"]
