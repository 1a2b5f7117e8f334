"""Jobs from files to files: folders, masks, colours, traces, metadata, resuming."""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib

import numpy as np
import pytest
import tifffile
import tiny
from PIL import Image

import jaxstyle
from jaxstyle.jobs import execution
from jaxstyle.jobs.files import Files, distinct
from jaxstyle.jobs.registry import JOBS
from jaxstyle.jobs.runner import run_job
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.media.image_resizing import resize
from jaxstyle.media.image_writing import write_picture

SMALLEST = {"size": 34}  # the first stage alone: half as much to compile
ROUNDING = 1.01 / 255  # results that are equal but for rounding may differ by one level


@pytest.fixture
def config(tiny_features):
    return lambda **changes: tiny.config(features=str(tiny_features), **changes)


@pytest.fixture
def paint(pictures, tmp_path, config):
    """Stylises `photo.png` or other contents into `tmp_path`; gives the results' paths."""

    def run(contents=("photo",), styles=("painting",), output="out.png", changes=None, masks=None, **files):
        contents = [str(pictures / f"{name}.png") if "/" not in name else name for name in contents]
        sources = {"contents": contents, "styles": [str(pictures / f"{name}.png") for name in styles], **(masks or {})}
        return run_job(JOBS["stylize"], Files(sources, f"{tmp_path}/{output}", **files), config(**(changes or {})))

    return run


@pytest.fixture(scope="module")
def reference(tiny_features, pictures, tmp_path_factory) -> pathlib.Path:
    """The plainest result there is, with its trace: what many tests compare with."""
    path = tmp_path_factory.mktemp("reference") / "out.png"
    sources = {"contents": [str(pictures / "photo.png")], "styles": [str(pictures / "painting.png")]}
    files = Files(sources, str(path), trace=f"{path}.jsonl")
    assert run_job(JOBS["stylize"], files, tiny.config(features=str(tiny_features))) == [path]
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """Three photos of one shape, one of another, and files that are none."""
    path = tmp_path_factory.mktemp("photos")
    for i in range(3):
        write_picture(path / f"wide{i}.png", tiny.picture(20 + i, 48, 64))
    write_picture(path / "high.jpg", tiny.picture(30, 48, 40))
    (path / "notes.txt").write_text("not a photo")
    (path / ".hidden.png").write_bytes(b"\0\5\x16\7")  # what macOS leaves beside a file
    return path


def rgb(path):
    return read_picture(path).rgb


def near(a, b):
    np.testing.assert_allclose(rgb(a), rgb(b), atol=ROUNDING)


def names(path):
    return sorted(os.listdir(path))


def test_one_picture(reference, pictures):
    made, photo = rgb(reference), rgb(pictures / "photo.png")
    assert made.shape == (36, 48, 3)
    assert 0.01 < np.abs(made - resize(photo, 36, 48)).mean() < 0.4
    assert names(reference.parent) == ["out.png", "out.png.jsonl"]


def test_python_gives_the_same(reference, pictures, config):
    reports = []
    made = jaxstyle.stylize(
        rgb(pictures / "photo.png"), Image.open(pictures / "painting.png"), config=config(), callback=reports.append
    )
    np.testing.assert_allclose(made.picture, rgb(reference), atol=ROUNDING)
    assert [(row["scale"], row["iteration"]) for row in made.history] == [(24, i) for i in range(1, 5)] + [
        (48, i) for i in range(1, 4)
    ]
    assert reports[-1].pictures().shape == (1, 36, 48, 3)


def test_python_takes_paths_and_numbers_of_numpy(reference, pictures, tiny_features):
    fields = dataclasses.asdict(tiny.config())
    numbers = {name: value if isinstance(value, bool) else np.asarray(value)[()] for name, value in fields.items()}
    settings = {name: value for name, value in numbers.items() if isinstance(value, np.number)}
    assert {"size", "iterations", "content_weight", "seed"} < set(settings)
    rest = {name: fields[name] for name in fields.keys() - settings.keys() - {"features"}}
    paths = pictures / "photo.png", [pictures / "painting.png"]
    made = jaxstyle.stylize(*paths, features=tiny_features, **settings, **rest)  # `optimizer` among the rest
    np.testing.assert_allclose(made.picture, rgb(reference), atol=ROUNDING)


def test_the_trace_has_every_step(reference):
    rows = [json.loads(line) for line in pathlib.Path(f"{reference}.jsonl").read_text().splitlines()]
    assert [(row["scale"], row["iteration"]) for row in rows] == [(24, i) for i in range(1, 5)] + [
        (48, i) for i in range(1, 4)
    ]
    layers = {"content/relu2_1", "structure/relu2_1", "total_variation", *(f"style/relu{i}_1" for i in (1, 2, 3))}
    for row in rows:
        assert layers | {"loss", "gradient", "update", "seconds", "scale", "iteration", "picture"} < set(row)
        assert row.get("host_memory", row.get("device_memory")) > 1e6
        assert row["picture"] == "out.png"
        assert np.isclose(row["loss"], sum(row[name] for name in row if "/" in name or name in layers), rtol=1e-5)
        assert ("matching/relu2_1" in row) == (row["scale"] == 48)  # the first scale goes by statistics alone
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)
    assert rows[-1]["loss"] < rows[4]["loss"] and rows[3]["loss"] < rows[0]["loss"]


def test_metadata_has_the_settings_and_nothing_of_the_place(reference, tmp_path, paint):
    settings = read_settings(reference)
    assert settings["contents"] == ["photo.png"] and settings["styles"] == ["painting.png"]
    assert settings["features"] == "tiny.safetensors" and settings["size"] == 48
    assert settings["jaxstyle"] == jaxstyle.__version__ and "unfinished" not in settings
    text = json.dumps(settings)
    assert str(reference.parent) not in text and os.sep not in text and os.uname().nodename not in text
    paint(output="again.png")
    assert (tmp_path / "again.png").read_bytes() == reference.read_bytes()  # another name, another time


def test_another_seed_is_another_picture_where_something_is_random(paint):
    made = [
        paint(output=f"{i}.png", changes={"seed": seed, "init": "noise"})[0].read_bytes()
        for i, seed in enumerate((0, 0, 1))
    ]
    assert made[0] == made[1] != made[2]


@pytest.mark.slow
def test_a_folder_of_mixed_shapes(paint, folder, tmp_path):
    (tmp_path / "out").mkdir()
    written = paint(contents=[f"{folder}/"], output="out", trace=str(tmp_path / "trace.jsonl"), changes=SMALLEST)
    assert [path.name for path in written] == ["high.png", "wide0.png", "wide1.png", "wide2.png"]
    assert names(tmp_path / "out") == [path.name for path in written]
    assert rgb(written[0]).shape == (34, 28, 3) and rgb(written[1]).shape == (26, 34, 3)
    alone = paint(contents=[str(folder / "wide1.png")], output="alone.png", changes=SMALLEST)[0]
    near(alone, written[2])
    assert read_settings(alone) == read_settings(written[2])
    rows = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    batches = [["wide0.png", "wide1.png", "wide2.png"], "high.png"]
    assert [batch for batch, _ in itertools.groupby(row["picture"] for row in rows)] == batches[::-1]
    for row in rows:
        assert isinstance(row["loss"], float) if row["picture"] == "high.png" else len(row["loss"]) == 3
    one = tmp_path / "one"
    one.mkdir()
    three = [str(folder / f"wide{i}.png") for i in range(3)]
    for made, expected in zip(paint(three, output="one", changes={**SMALLEST, "devices": 1}), written[1:], strict=True):
        near(made, expected)
        assert read_settings(made) == read_settings(expected)


def test_noise_does_not_depend_on_the_neighbours(paint, folder, tmp_path):
    (tmp_path / "out").mkdir()
    changes = {**SMALLEST, "init": "noise"}
    both = paint([str(folder / f"wide{i}.png") for i in range(3)], output="out", changes=changes)
    alone = paint([str(folder / "wide2.png")], output="alone.png", changes=changes)[0]
    near(alone, both[2])


def test_equal_stems_get_numbers(paint, pictures, tmp_path):
    for name in ("a", "b", "out"):
        (tmp_path / name).mkdir()
    contents = [tmp_path / "a" / "x.png", tmp_path / "b" / "x.png", tmp_path / "b" / "x-1.png"]
    for content in contents:
        content.write_bytes((pictures / "photo.png").read_bytes())
    written = paint([str(content) for content in contents], output="out", changes=SMALLEST)
    assert [path.name for path in written] == ["x-1-1.png", "x-2.png", "x-1.png"]
    assert distinct(["a", "b", "a"]) == ["a-1", "b", "a-3"]


@pytest.mark.slow
def test_pictures_of_equal_sizes_but_other_proportions_run(paint, tmp_path):
    """Both are 34×16 px, but at 17 px one has the 8 px that the layers need and the other has not."""
    (tmp_path / "out").mkdir()
    for width in (84, 86):
        write_picture(tmp_path / f"{width}.png", tiny.picture(1, 40, width))
    contents = [str(tmp_path / f"{width}.png") for width in (84, 86)]
    changes = {"size": 34, "min_size": 16, "initial_iterations": 1, "iterations": 0}
    assert len(paint(contents, output="out", changes=changes)) == 2


def test_masks(paint, tmp_path):
    left = np.zeros((48, 64, 3))
    left[:, :32] = 1
    for name, mask in (
        ("left", left),
        ("right", 1 - left),
        ("all", np.ones((40, 56, 3))),
        ("other", np.ones((48, 40, 3))),
    ):
        write_picture(tmp_path / f"{name}.png", mask)
    masks = [str(tmp_path / f"{name}.png") for name in ("left", "right", "all", "other")]
    there, back = ("painting", "other"), ("other", "painting")

    def masked(styles, output, content_masks, style_masks):
        given = {"content_masks": content_masks, "style_masks": style_masks}
        return paint(("photo",), styles, output, SMALLEST, given)[0]

    both = masked(there, "both.png", masks[:2], masks[2:])
    swapped = masked(back, "swap.png", masks[1::-1], masks[:1:-1])
    crossed = masked(back, "cross.png", masks[:2], masks[:1:-1])
    near(swapped, both)
    assert np.abs(rgb(both) - rgb(crossed)).max() > 5 * ROUNDING


def test_luminance_keeps_the_photos_chroma(paint, pictures):
    made = rgb(paint(changes={"preserve_color": "luminance"})[0])
    photo = resize(rgb(pictures / "photo.png"), 36, 48)
    chroma = [picture @ np.array([[-0.169, 0.5], [-0.331, -0.419], [0.5, -0.081]]) for picture in (made, photo)]
    inside = (made.min(-1) > 0.02) & (made.max(-1) < 0.98)  # elsewhere it is clipped
    assert inside.mean() > 0.5
    np.testing.assert_allclose(chroma[0][inside], chroma[1][inside], atol=3 * ROUNDING)


def test_histogram_brings_the_styles_colours_to_the_photos(paint, reference, pictures):
    made = rgb(paint(changes={"preserve_color": "histogram"})[0])
    assert np.abs(made - rgb(reference)).max() > 5 * ROUNDING


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_alpha_and_sixteen_bits(paint, tmp_path, pictures, suffix):
    alpha = np.linspace(0, 1, 64)[None].repeat(48, 0)
    write_picture(tmp_path / "clear.png", rgb(pictures / "photo.png"), alpha=alpha)
    written = paint([str(tmp_path / "clear.png")], output=f"out{suffix}", bits=16)[0]
    found = read_picture(written)
    np.testing.assert_allclose(found.alpha, resize(alpha, 36, 48), atol=2 * ROUNDING)  # 8 bits twice
    if suffix == ".png":
        assert written.read_bytes()[24] == 16  # the bit depth in IHDR
    else:
        assert tifffile.imread(written).dtype == np.uint16


def test_every_nth_step_is_kept(paint, tmp_path, reference):
    made = paint(save_every=2)[0]
    near(made, reference)
    labels = ["0024px-0002", "0024px-0004", "0048px-0002"]
    assert names(tmp_path) == sorted(["out.png", *(f"out-{label}.png" for label in labels)])
    for label in labels:
        assert read_settings(tmp_path / f"out-{label}.png")["unfinished"] is True
    early = paint(output="early.png", changes={"size": 24, "initial_iterations": 2, "matching_weight": 0.0})[0]
    near(early, tmp_path / "out-0024px-0002.png")


def test_a_start_from_a_file(paint, pictures, reference):
    changes = {"init": str(pictures / "other.png"), "initial_iterations": 1, "iterations": 0}
    made, photo = (rgb(p) for p in (paint(changes=changes)[0], pictures / "other.png"))
    start = resize(photo, 18, 24)
    assert np.abs(resize(made, 18, 24) - start).mean() < 0.1


@pytest.mark.slow
def test_resume_skips_what_is_done_and_only_that(paint, folder, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    photos = [str(folder / "wide0.png"), str(folder / "high.jpg")]
    first = paint(photos, output="out")
    before = [path.read_bytes() for path in first]
    runs = []
    monkeypatch.setattr(
        execution, "optimize", lambda *args, run=execution.optimize, **kw: runs.append(1) or run(*args, **kw)
    )
    paint(photos, output="out", resume=True)
    assert not runs
    first[1].write_bytes(before[1][:100])  # damaged: made again
    paint(photos, output="out", resume=True)
    assert len(runs) == 1 and [path.read_bytes() for path in first] == before
    paint(photos, output="out", resume=True, changes={"content_weight": 0.5})
    assert len(runs) == 3 and first[0].read_bytes() != before[0]


def test_an_unfinished_picture_is_not_taken_for_a_result(paint, tmp_path, monkeypatch, reference):
    @contextlib.contextmanager
    def stopping():
        yield lambda: True

    with monkeypatch.context() as patched:
        patched.setattr(execution, "interruptible", stopping)
        with pytest.raises(execution.Interrupted, match=r"picture so far is in '.*out\.png'"):
            paint()
    assert read_settings(tmp_path / "out.png")["unfinished"] is True
    (tmp_path / ".out.png.resume").unlink()  # as the errors about snapshots advise
    assert paint(resume=True)[0].read_bytes() == reference.read_bytes()
    assert names(tmp_path) == ["out.png"]
