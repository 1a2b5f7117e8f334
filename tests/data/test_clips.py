"""Folders of films: what is one, how clips are cut out of it, and that a film is of one split."""

import re

import numpy as np
import pytest
from PIL import Image

from jaxstyle.cli import main
from jaxstyle.data.clips import starts
from jaxstyle.data.config import DataConfig
from jaxstyle.data.fingerprints import fingerprint
from jaxstyle.data.opening import open_dataset
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.film_writing import write_frames
from jaxstyle.media.image_writing import write_picture
from jaxstyle.tasks import forecast
from jaxstyle.training import loop
from jaxstyle.training.config import as_config
from jaxstyle.training.config_file import moved_data


def numbered(count, first, height=8, width=10):
    """A grey film whose frame t has the value first + t, of 255."""
    values = np.arange(first, first + count, dtype=np.uint8).reshape(-1, 1, 1)
    return np.broadcast_to(values, (count, height, width)).copy()


@pytest.fixture
def folder(tmp_path):
    """Four films of a class each in its own way, of 9, 7, 6 and 2 frames, in `train`, and one in `test`."""
    train, test = tmp_path / "films" / "train", tmp_path / "films" / "test"
    for place in (train / "up", train / "down", test / "up", test / "down"):
        place.mkdir(parents=True)
    np.save(train / "up" / "a.npy", numbered(9, 10))
    write_frames(train / "up" / "b.gif", np.repeat(numbered(7, 50)[..., None] / 255, 3, -1), 8)
    (train / "down" / "c").mkdir()
    for number, frame in enumerate(numbered(6, 90)):
        write_picture(train / "down" / "c" / f"{number}.png", np.repeat(frame[..., None] / 255, 3, -1))
    np.save(train / "down" / "short.npy", numbered(2, 0))
    (train / "down" / "notes.txt").write_text("no film")
    np.save(test / "up" / "t.npy", numbered(3, 200))
    np.save(test / "down" / "u.npy", numbered(4, 220, 16, 12))
    return tmp_path / "films"


def opened(films, split="train", **changes):
    return open_dataset(DataConfig(**{"clips": str(films), "frames": 3, "channels": 1, "size": 8, **changes}), split)


def first_frames(dataset):
    """Label and first value of every clip, whose values must go up by one."""
    found = []
    for index in range(dataset.count):
        example = dataset.read(index)
        video = example["video"]
        assert (video.shape, video.dtype) == ((3, 8, 8, 1), np.uint8)
        assert list(video[:, 0, 0, 0] - video[0, 0, 0, 0]) == [0, 1, 2] and np.ptp(video, (1, 2)).max() == 0
        found.append((dataset.classes[example["label"]], int(video[0, 0, 0, 0])))
    return found


def test_clips_of_every_kind_of_film(folder):
    dataset = opened(folder)
    assert first_frames(dataset) == [
        *(("down", value) for value in (90, 93)),
        *(("up", value) for value in (10, 13, 16)),
        *(("up", value) for value in (50, 53)),
    ]
    assert dataset.class_counts() == (2, 5)
    assert dataset.describe() == (
        f"train of 4 films in '{folder}': 7 examples of 2 classes; left out: 1 of them with fewer than 3 frames"
    )
    assert fingerprint(dataset).count == 7


def test_clips_that_overlap(folder):
    assert [value for name, value in first_frames(opened(folder, stride=2)) if name == "down"] == [90, 92]
    assert list(starts(9, 3, 1)) == [0, 1, 2, 3, 4, 5, 6]


def test_sizes_and_colors(folder):
    video = opened(folder, "test", channels=3, size=4).read(0)["video"]
    assert video.shape == (3, 4, 4, 3) and (video == np.array([220, 221, 222]).reshape(3, 1, 1, 1)).all()
    with pytest.raises(JaxstyleError, match=r"differ in size: choose one by data\.size"):
        opened(folder, "test", size=0)


def test_films_are_held_out_whole(tmp_path):
    for number in range(20):
        np.save(tmp_path / f"{number}.npy", numbered(6, 10 * number))
    splits = [opened(tmp_path, split, held_out=0.3) for split in ("train", "test")]
    films = [{int(each.read(i)["video"][0, 0, 0, 0]) // 10 for i in range(each.count)} for each in splits]
    assert not films[0] & films[1] and films[0] | films[1] == set(range(20))
    assert [each.count for each in splits] == [2 * len(each) for each in films]
    assert splits[0].classes == () and "label" not in splits[0].read(0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"clips": "nowhere"}, r"there is no folder 'nowhere', which data\.clips names"),
        ({"frames": 50}, r"no film of 'train' in .* has 50 frames \(4 films\): lower data\.frames"),
        ({"frames": 0}, "data.frames is 0; it must be at least 1"),
        ({"stride": -1}, "data.stride is -1; it must be at least 0"),
        ({"channels": 2}, "data.channels is 2; it must be 1 or 3"),
        ({"folder": "x"}, r"data\.clips names films, and other settings of data name pictures"),
        ({"clips": "", "frames": 3}, r"data\.frames is for folders of films"),
    ],
)
def test_what_cannot_be_is_told(folder, changes, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        opened(folder, **changes)


def test_folders_without_films_and_damaged_films_are_told(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(JaxstyleError, match="holds no films"):
        opened(tmp_path / "empty")
    np.save(tmp_path / "empty" / "one.npy", numbered(6, 0))
    with pytest.raises(
        JaxstyleError, match=r"not enough films for 'test': part of them is held out, so give at least 2"
    ):
        opened(tmp_path / "empty", "test")
    (folder / "train" / "up" / "a.npy").write_bytes(b"torn")
    with pytest.raises(JaxstyleError, match=r"a\.npy' cannot be read as an array"):
        opened(folder)


def test_films_of_a_run_may_lie_elsewhere(folder):
    assert moved_data(DataConfig(clips="gone"), folder) == DataConfig(clips=str(folder))


def test_sixteen_bits_of_a_radar(tmp_path):
    """As KNMI's radar: grey PNGs of 16 bits, of which small numbers are used."""
    rain = np.random.default_rng(0).integers(0, 500, (2, 5, 8, 8), np.uint16)
    for film, frames in enumerate(rain):
        (tmp_path / f"day{film}").mkdir()
        for number, frame in enumerate(frames):
            Image.fromarray(frame).save(tmp_path / f"day{film}" / f"{number:04d}.png")
    with pytest.raises(JaxstyleError, match=r"nearly black: nothing is brighter than 2 of 255.*by data\.white"):
        opened(tmp_path)
    datasets = [opened(tmp_path, split, white=499, stride=1) for split in ("train", "test")]
    for dataset in datasets:
        assert dataset.count == 3
        found = [dataset.read(index)["video"][..., 0] for index in range(3)]
        expected = [
            np.abs(found - np.rint(frames[np.arange(3)[:, None] + np.arange(3)] * (255 / 499))).max() for frames in rain
        ]
        assert min(expected) <= 1  # float32 before it is rounded


def test_folders_of_films_are_described(folder, capsys):
    (folder / "train" / "down" / "bad.npy").write_bytes(b"torn")
    assert main(["data", "describe", str(folder), "--clips"]) == 0
    told = capsys.readouterr().out
    assert "train of '" in told and "5 films of 2 classes (down 3, up 2)" in told
    assert "10×8, 9 frames 1" in told and "NPY 2, folders of frames 1, GIF P 1" in told
    assert re.search(r"cannot be read: 1: '.*bad\.npy' cannot be read as an array", told)
    assert main(["data", "describe", str(folder / "none"), "--clips"]) == 2
    assert main(["data", "describe", str(folder / "train" / "down" / "c"), "--clips"]) == 0  # one film, itself
    told = capsys.readouterr().out
    assert "1 film" in told and "sizes: 10×8, 6 frames 1" in told and "PNG" not in told and "test of" not in told
    assert opened(folder / "train" / "down" / "c").count == 2


@pytest.mark.slow
def test_a_forecaster_learns_from_them(folder, tmp_path):
    config = as_config(forecast.Config())
    config.model.update(inputs=2, outputs=1, widths=(2,), patch=8)
    config.data.update(clips=str(folder), frames=3, size=8, channels=1)
    config.update(train_steps=2, eval_steps=2, batch_size=4, devices=1, progress="off", classify=1.0)
    assert int(loop.run(config, tmp_path / "run").step) == 2
