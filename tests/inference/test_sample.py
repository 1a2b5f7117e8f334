"""Pictures out of a workdir, from Python and by `jaxstyle sample`."""

import json
import shutil

import jax
import numpy as np
import pytest
import tiny_task

import jaxstyle
from jaxstyle import cli
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import sample
from jaxstyle.inference.labels import drawn_labels, parse_labels
from jaxstyle.inference.run import open_run


@pytest.fixture
def workdir(tiny_run):
    return tiny_run


def greys(pictures):
    """The label that each of the tiny task's samples shows."""
    return np.rint(pictures.mean((1, 2, 3)) * 10 - 0.5).astype(int)


def test_pictures_are_drawn_by_label(workdir):
    labels = np.arange(150) % 10
    pictures = jaxstyle.sample(workdir, 150, labels=labels)
    assert (pictures.shape, pictures.dtype) == ((150, 32, 32, 3), np.float32)
    assert pictures.min() >= 0 and pictures.max() <= 1  # the task's own noise goes beyond
    np.testing.assert_array_equal(greys(pictures), labels)


def test_devices_agree_on_samples_and_few_are_the_first_of_many(workdir, monkeypatch):
    run, local = open_run(workdir), jax.local_devices()
    parts = list(sample.chunks(run, 600, transform=lambda by, x: (x, x.mean((1, 2)) * by), params=np.float32(2)))
    assert [len(pictures) for pictures, _ in parts] == [512, 88]  # eight devices at once
    many, means = (np.concatenate(part) for part in zip(*parts, strict=True))
    np.testing.assert_allclose(means, 2 * many.mean((1, 2)), rtol=1e-5)
    assert len(set(greys(many))) == 10 and not np.array_equal(many[:64], many[64:128])
    monkeypatch.setattr(jax, "local_devices", lambda: local[:1])
    np.testing.assert_array_equal(jaxstyle.sample(workdir, 70), many[:70])
    assert not np.array_equal(jaxstyle.sample(workdir, 5, seed=1), many[:5])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"count": 0}, "0 pictures cannot be drawn"),
        ({"count": 3, "labels": [1, 2]}, "2 labels for 3 pictures"),
        ({"count": 2, "labels": [1, 10]}, "there is no class 10; the run has 10, from 0 to 9"),
        ({"checkpoint": "77"}, "no checkpoint of step 77"),
    ],
)
def test_what_cannot_be_drawn_is_told(workdir, arguments, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        jaxstyle.sample(workdir, **arguments)


def test_a_task_that_draws_nothing_is_told(workdir, monkeypatch):
    monkeypatch.setattr(tiny_task, "Tiny", tiny_task.Bare)
    with pytest.raises(JaxstyleError, match="the task 'tiny_task' draws no pictures"):
        jaxstyle.sample(workdir)


def test_truncation_of_a_task_without_a_mean_picture_is_told(workdir, capsys):
    assert cli.main(["sample", str(workdir), "--truncation", "0.5", "-o", str(workdir / "grid.png")]) == 2
    assert "the task 'tiny_task' has no mean picture to be near to" in capsys.readouterr().err


def test_labels_are_numbers_names_lists_and_ranges():
    classes = ("cat", "dog", "7", "owl")
    assert parse_labels("2", classes) == [2]
    assert parse_labels("7", classes) == [2]  # a class's name before its number
    assert parse_labels("owl,cat, 1", classes) == [3, 0, 1]
    assert parse_labels("1:4", classes) == [1, 2, 3]
    with pytest.raises(JaxstyleError, match="there is no class 'dgo'; did you mean 'dog'"):
        parse_labels("dgo", classes)
    assert parse_labels("even", classes) == [0, 1, 2, 3] and parse_labels("even", ("odd", "even")) == [1]
    for text in ("0:5", "3:3", "a:b"):
        with pytest.raises(JaxstyleError, match="no range of the 4 classes; write 0:4"):
            parse_labels(text, classes)


@pytest.mark.parametrize("counts", [(95, 5), (1, 0, 3, 6), (7,)])
def test_labels_are_drawn_by_their_shares_from_the_first_on(counts):
    labels = drawn_labels(counts, 1000, seed=3)
    for many in (40, 333, 1000):
        drawn = np.bincount(labels[:many], minlength=len(counts))
        # an interval has its length's share of the first n multiples of the golden ratio to some 2 + ln n / 2 places
        np.testing.assert_allclose(drawn, many * np.array(counts) / sum(counts), atol=2 + np.log(many) / 2)
    np.testing.assert_array_equal(drawn_labels(counts, 10, seed=3), labels[:10])


def test_one_label_is_any_class_as_often_as_the_class_is_there():
    first = [drawn_labels((30, 10), 1, seed)[0] for seed in range(400)]
    assert np.mean(first) == pytest.approx(0.25, abs=0.09)  # four standard deviations of 400 draws


def test_a_conditional_model_draws_by_the_shares_of_the_evaluation_split(lopsided_run, tmp_path, capsys):
    assert np.bincount(greys(jaxstyle.sample(lopsided_run, 100))).tolist() in ([95, 5], [94, 6], [96, 4])
    assert np.bincount(greys(jaxstyle.sample(lopsided_run, 100, labels="even"))).tolist() == [50, 50]
    old = shutil.copytree(lopsided_run, tmp_path / "old")  # as of an earlier version
    info = json.loads((old / "setting.json").read_text())
    assert info.pop("class_counts") == [19, 1] and capsys.readouterr().err == ""
    (old / "setting.json").write_text(json.dumps(info))
    assert set(greys(jaxstyle.sample(old, 20))) == {0, 1}
    assert "does not say how many examples the classes have: labels are drawn evenly" in capsys.readouterr().err


def test_labels_from_python_are_names_numbers_or_as_on_the_command_line(workdir):
    names = open_run(workdir).info.classes
    by_name = jaxstyle.sample(workdir, 4, labels=[names[3], 7, np.int64(1), np.str_(names[0])])
    np.testing.assert_array_equal(greys(by_name), [3, 7, 1, 0])
    np.testing.assert_array_equal(greys(jaxstyle.sample(workdir, 5, labels=f"{names[4]},2")), [4, 2, 4, 2, 4])
    with pytest.raises(JaxstyleError, match="there is no class 'cirle'; did you mean 'circle'"):
        jaxstyle.sample(workdir, 2, labels=["circle", "cirle"])


def test_the_command_writes_a_grid_and_single_pictures(workdir, tmp_path, capsys):
    grid, folder = tmp_path / "grid.png", tmp_path / "each"
    words = ["sample", str(workdir), "-n", "20", "-o", str(grid), "--separate", str(folder), "--labels", "0:5"]
    assert cli.main(words) == 0
    assert capsys.readouterr().out == f"{grid}\n"
    sheet = jaxstyle.read_picture(grid).rgb
    assert sheet.shape == (4 * 34 + 2, 5 * 34 + 2, 3)  # a column a class
    cells = [sheet[2 + 34 * row : 34 + 34 * row, 2 + 34 * c : 34 + 34 * c] for row in range(4) for c in range(5)]
    np.testing.assert_array_equal(greys(np.stack(cells)), np.arange(20) % 5)
    assert sorted(path.name for path in folder.iterdir()) == [f"{i:06d}.png" for i in range(20)]
    np.testing.assert_allclose(jaxstyle.read_picture(folder / "000007.png").rgb, cells[7], atol=1e-6)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name a place for the pictures: -o grid.png, or --separate DIR"),
        (["-o", "nowhere/grid.png"], "output folder 'nowhere' does not exist"),
        (["-o", "grid.gif"], "grid.gif"),
        (["-o", "grid.png", "--label", "cirle"], "there is no class 'cirle'; did you mean 'circle'?"),
        (["-o", "grid.png", "-n", "0"], "-n is 0; it must be at least 1"),
        (["-o", "grid.png", "-n", "-1", "--label", "circle"], "-n is -1; it must be at least 1"),
    ],
)
def test_the_command_tells_what_cannot_be(workdir, tmp_path, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["sample", str(workdir), *words]) == 2
    assert sentence in capsys.readouterr().err and not list(tmp_path.iterdir())
