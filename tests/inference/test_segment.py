"""Masks of any picture from a workdir: by tiles as in one piece, from Python and by `jaxstyle segment`."""

import contextlib

import jax
import numpy as np
import pytest
import tiny
from PIL import Image

import jaxstyle
from jaxstyle import cli
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import segment as segmenting
from jaxstyle.inference.run import open_run
from jaxstyle.media.image_writing import write_mask, write_picture
from jaxstyle.media.overlay import overlay
from jaxstyle.tasks import segment
from jaxstyle.training import run_info
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.config import override
from jaxstyle.training.config_file import absolute, as_json
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo


def saved_run(folder, classes, channels=3):
    """A workdir as a training leaves it, of a network that knows no more than that two classes are as frequent."""
    config = override(segment.Config(), {"data.mask_classes": classes, "model.width": 2, "model.levels": 2})
    spec = {"image": jax.ShapeDtypeStruct((16, 16, channels), np.uint8)}
    info = RunInfo(Extent(16, 8), 10, spec)
    (folder / "config.json").write_text(as_json(config))
    run_info.save(absolute(folder), info)
    task = segment.make(config, info)
    state = jax.jit(task.init)(jax.random.key(3))
    if len(classes) == 2:
        picture = np.random.default_rng(9).uniform(size=(1, 32, 32, channels)).astype(np.float32)
        state.params["logits"]["bias"] = -jax.jit(task.logits)(state, picture).mean((0, 1, 2))
    with contextlib.closing(Checkpoints(absolute(folder) / "checkpoints")) as checkpoints:
        checkpoints.save(jax.device_get(state))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return saved_run(tmp_path_factory.mktemp("run"), ("ground", "cell"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for seed, (name, height, width) in enumerate((("a", 21, 35), ("b", 21, 35))):
        write_picture(folder / f"{name}.png", tiny.picture(seed, height, width))
    return folder


def test_tiles_give_the_logits_of_the_whole_picture(run):
    """To float rounding, wherever a tile lies; with less than the radius around it they do not."""
    opened = open_run(run)
    model, logits = opened.task.model, jax.jit(opened.task.logits)
    picture = np.random.default_rng(0).uniform(size=(96, 108, 3)).astype(np.float32)
    whole = np.asarray(logits(opened.state, picture[None]))[0]

    def seen(tile, halo):
        return segmenting.tiled(lambda part: np.asarray(logits(opened.state, part[None]))[0], picture, tile, halo)

    halo = segmenting.up_to(model.radius, model.factor)
    assert (model.radius, halo) == (23, 24)
    size = np.abs(whole).max()
    np.testing.assert_allclose(seen(20, halo), whole, atol=1e-5 * size)
    np.testing.assert_allclose(seen(64, halo), whole, atol=1e-5 * size)
    assert np.abs(seen(20, 4) - whole).max() > 1e-3 * size


def test_masks_by_tiles_are_those_of_the_whole_at_any_size(run):
    picture = np.random.default_rng(1).uniform(size=(70, 61, 3)).astype(np.float32)
    whole = jaxstyle.segment(run, picture)
    assert (whole.shape, whole.dtype) == ((70, 61), np.uint8)
    assert 0.02 < (whole == 1).mean() < 0.98  # else the test would say nothing
    tiled = jaxstyle.segment(run, picture, tile=13)
    assert np.mean(tiled != whole) < 1e-3  # where two classes are as likely, but for float rounding


def test_large_pictures_are_tiled_by_themselves(run, monkeypatch):
    picture = np.random.default_rng(2).uniform(size=(64, 100, 3)).astype(np.float32)
    whole = jaxstyle.segment(run, picture)
    monkeypatch.setattr(segmenting, "WHOLE", 5000)
    monkeypatch.setattr(segmenting, "TILE", 32)
    classes_of, shapes = segmenting.Segmenter.classes_of, []
    monkeypatch.setattr(
        segmenting.Segmenter, "classes_of", lambda self, x: shapes.append(x.shape) or classes_of(self, x)
    )
    assert np.mean(jaxstyle.segment(run, picture) != whole) < 1e-3
    assert shapes == [(64, 80, 3)] * 8  # two rows of four tiles, 24 pixels around each


def test_spans_cover_every_pixel_once():
    for length, tile, halo in ((50, 8, 4), (7, 8, 4), (64, 16, 32), (33, 32, 0)):
        covered = np.zeros(length, int)
        for window, part, place in segmenting.spans(length, tile, halo):
            assert 0 <= window.start < window.stop <= length
            assert window.stop - window.start == min(length, tile + 2 * halo)
            np.testing.assert_array_equal(np.arange(length)[window][part], np.arange(length)[place])
            assert window.start == 0 or place.start - window.start >= halo
            assert window.stop == length or window.stop - place.stop >= halo
            covered[place] += 1
        assert np.all(covered == 1)


def test_the_command_writes_masks_and_overlays(run, photos, tmp_path, capsys):
    assert cli.main(["segment", str(run), str(photos), "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
    for name in ("a", "b"):
        rgb = jaxstyle.read_picture(photos / f"{name}.png").rgb
        mask = jaxstyle.segment(run, rgb)
        with Image.open(tmp_path / "out" / "masks" / f"{name}.png") as written:
            assert written.mode == "L"
            np.testing.assert_array_equal(np.asarray(written), mask * np.uint8(255))
        shown = jaxstyle.read_picture(tmp_path / "out" / "overlays" / f"{name}.png").rgb
        wanted = jax.jit(overlay, static_argnums=2)(rgb[None], mask[None], 2)[0]
        np.testing.assert_allclose(shown, wanted, atol=0.5 / 255 + 1e-6)


@pytest.mark.slow
def test_grey_training_pictures_and_three_classes(photos, tmp_path):
    (tmp_path / "run").mkdir()
    run = saved_run(tmp_path / "run", ("a", "b", "c"), channels=1)
    assert cli.main(["segment", str(run), str(photos / "a.png"), "-o", str(tmp_path)]) == 0
    written = np.asarray(Image.open(tmp_path / "masks" / "a.png"))
    np.testing.assert_array_equal(written, jaxstyle.segment(run, photos / "a.png"))
    assert written.shape == (21, 35) and written.max() <= 2


def test_a_bad_picture_is_named_and_nothing_is_written(run, photos, tmp_path, capsys):
    (tmp_path / "bad.png").write_bytes(b"nothing")
    arguments = ["segment", str(run), str(photos), str(tmp_path / "bad.png"), "-o", str(tmp_path / "out")]
    assert cli.main(arguments) == 2
    assert "bad.png' is not a picture" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.png"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [(["--tile", "-1"], "tile is -1; it must be at least 1 pixel"), (["--checkpoint", "7"], "no checkpoint of step 7")],
)
def test_bad_options_are_told(run, photos, tmp_path, capsys, more, sentence):
    assert cli.main(["segment", str(run), str(photos), "-o", str(tmp_path / "out"), *more]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.png"))


def test_a_run_that_segments_nothing_is_told(run, photos, monkeypatch):
    monkeypatch.delattr(segment.Segment, "logits")
    with pytest.raises(JaxstyleError, match=r"the task 'jaxstyle\.tasks\.segment' segments nothing"):
        jaxstyle.segment(run, photos / "a.png")


def test_masks_are_written_whole_or_told(tmp_path):
    for path, mask, sentence in (
        ("mask.jpg", np.zeros((2, 2), np.uint8), r"mask\.jpg' must end in \.png"),
        ("mask.png", np.zeros((2, 2)), r"must be uint8 \[H, W\] and not empty, but it is float64 \(2, 2\)"),
    ):
        with pytest.raises(JaxstyleError, match=sentence):
            write_mask(tmp_path / path, mask)
    assert not list(tmp_path.iterdir())
