"""Pictures that cannot be read: stopped at, looked for beforehand, or left out."""

import threading

import numpy as np
import pytest
from PIL import Image

from jaxstyle.data.bad_pictures import unreadable
from jaxstyle.data.config import DataConfig
from jaxstyle.data.fingerprints import fingerprint
from jaxstyle.data.opening import open_dataset
from jaxstyle.errors import JaxstyleError

BAD = (3, 11)


@pytest.fixture
def folder(tmp_path):
    """Twenty pictures for training, two of which cannot be read."""
    for split, count in (("train", 20), ("test", 2)):
        (tmp_path / split).mkdir()
        for i in range(count):
            Image.fromarray(np.full((4, 4, 3), i, np.uint8)).save(tmp_path / split / f"{i:02d}.png")
    (tmp_path / "train" / "03.png").write_bytes(b"")
    whole = (tmp_path / "train" / "11.png").read_bytes()
    (tmp_path / "train" / "11.png").write_bytes(whole[: len(whole) // 2])
    return tmp_path


def opened(folder, **settings):
    return open_dataset(DataConfig(folder=str(folder), **settings), "train")


def test_the_first_bad_picture_names_all_and_the_way_out(folder):
    dataset = opened(folder, size=2)
    assert dataset.read(0)["image"].shape == (2, 2, 3)
    sentence = r"2 of the 20 pictures in train of .*: .*03\.png' is an empty file .*11\.png.*data.bad_pictures=skip"
    for index in BAD:
        with pytest.raises(JaxstyleError, match=sentence):
            dataset.read(index)


def test_threads_look_for_the_others_once(folder, monkeypatch):
    calls = []
    monkeypatch.setattr("jaxstyle.data.bad_pictures.unreadable", lambda dataset: calls.append(1) or unreadable(dataset))
    dataset, errors = opened(folder), []

    def read(index):
        try:
            dataset.read(index)
        except JaxstyleError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=read, args=(index,)) for index in BAD * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 8 and len(set(errors)) == 1 and len(calls) == 1


def test_a_check_beforehand(folder):
    with pytest.raises(JaxstyleError, match=r"2 of the 20 pictures"):
        opened(folder, bad_pictures="check")
    assert open_dataset(DataConfig(folder=str(folder), bad_pictures="check"), "test").count == 2


def test_bad_pictures_are_left_out_and_named(folder):
    dataset = opened(folder, bad_pictures="skip")
    seen = [int(dataset.read(i)["image"][0, 0, 0]) for i in range(dataset.count)]
    assert seen == [i for i in range(20) if i not in BAD] == [int(file.name) for file in dataset.files]
    assert "18 pictures; left out: 2 that cannot be read ('" in dataset.describe()
    assert "03.png', '" in dataset.describe() and fingerprint(dataset).count == 18


def test_a_folder_of_nothing_else_is_told(folder):
    for path in (folder / "train").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(JaxstyleError, match=r"none of the 20 pictures in train of .* can be read: .*; and 10 more"):
        opened(folder, bad_pictures="skip")


def test_bad_masks_are_bad_pictures(folder):
    for path in (folder / "train").glob("*.png"):
        mask = folder / "masks" / "train" / path.name
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), 7 if path.stem == "05" else 1, np.uint8)).save(mask)
    settings = {"masks": str(folder / "masks"), "mask_classes": ("a", "b")}
    dataset = opened(folder, **settings, bad_pictures="skip")
    assert [int(file.name) for file in dataset.files] == [i for i in range(20) if i not in (*BAD, 5)]
    assert dataset.read(4)["mask"].max() == 1
    with pytest.raises(JaxstyleError, match=r"3 of the 20 pictures .*05\.png' holds the value 7"):
        opened(folder, **settings).read(5)
