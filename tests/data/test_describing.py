"""Datasets described, and the command that prints it."""

import shutil

import numpy as np
import pytest
from PIL import Image

from jaxstyle.cli import main
from jaxstyle.data.config import DataConfig
from jaxstyle.data.describing import describe, duplicates, size_of, tally, thumbnail


@pytest.fixture
def folder(tmp_path):
    """Two splits of two classes: one picture is in both, one is of two classes, one is no picture."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("test", 2)):
        for name in ("cat", "dog"):
            place = tmp_path / "data" / split / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (12, 16 + 2 * number, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
    data = tmp_path / "data"
    Image.open(data / "train" / "cat" / "0.png").save(data / "test" / "cat" / "copy.bmp")  # of other bytes
    shutil.copy(data / "train" / "cat" / "1.png", data / "train" / "dog" / "same.png")
    (data / "train" / "dog" / "torn.png").write_bytes(b"no picture")
    (data / "train" / "dog" / "notes.txt").write_text("notes")
    Image.new("L", (5, 4)).save(data / "train" / "dog" / "grey.png")
    return data


def test_a_folder_is_described(folder, tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    assert main(["data", "describe", str(folder), "--sheet", str(sheet)]) == 0
    text = capsys.readouterr().out
    assert f"train of '{folder}': 9 pictures of 2 classes (cat 3, dog 6); left out: 1 other file (.txt 1)" in text
    assert "  classes: cat 3, dog 5\n  sizes: 18×12 3, 16×12 2, 20×12 2, 5×4 1\n  formats: PNG RGB 7, PNG L 1\n" in text
    assert "cannot be read: 1: " in text and "torn.png" in text
    first, copy = folder / "train" / "cat" / "0.png", folder / "test" / "cat" / "copy.bmp"
    assert f"duplicates: 1 of 'test' are in 'train', too: {first} = {copy}" in text or (
        f"duplicates: 1 of 'train' are in 'test', too: {copy} = {first}" in text
    )
    assert "duplicates: 1 picture in more than one class: " in text and "duplicates: 1 copies within a split" in text
    with Image.open(sheet) as made:
        assert made.width > 128
    assert f"{sheet}: 13 samples" in text  # of 14 pictures one cannot be read


def test_a_dataset_is_described_by_some_of_its_examples(shapes_dir):
    data = DataConfig(name="jaxstyle_shapes/tiny", data_dir=shapes_dir)
    train, test = describe(data, most=60)
    assert [len(one.seen) for one in (train, test)] == [60, 60]
    lines = train.lines()
    assert lines[0].startswith("train of jaxstyle_shapes/tiny/1.0.0: 512 examples of 10 classes")
    assert lines[1] == "  60 of them, spread evenly, were looked at"
    assert lines[3:] == ["  sizes: 32×32 60", "  formats: uint8, 3 channels 60"]
    assert len(train.samples) == 30 and duplicates([train, test]) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere/at/all"], "unknown dataset 'nowhere/at/all'"),
        (["jaxstyle_shapes/tiny", "--most", "0"], "--most is 0; it must be at least 1"),
        (["jaxstyle_shapes/tiny", "--sheet", "x.nothing"], "x.nothing"),
    ],
)
def test_what_cannot_be_described_is_told(capsys, words, sentence):
    assert main(["data", "describe", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_words():
    assert size_of(np.zeros((20, 64, 32, 1))) == "32×64, 20 frames"
    assert tally([]) == "none" and tally(list("aab")) == "a 2, b 1"
    assert tally(list("abcdefgh")).endswith(", and 2 more")
    assert thumbnail(np.full((3, 300, 10, 1), 255, np.uint8)).shape == (150, 5, 3)
    assert thumbnail(np.zeros((4, 4, 4), np.uint8)).shape == (4, 4, 3)
