"""What a run says of its examples, and does where some cannot be read: it saves, and goes on once they are mended."""

import jax
import numpy as np
import pytest
import tiny
from tiny_task import tiny_config

from jaxstyle.data.order import Order
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.evaluate import evaluate
from jaxstyle.inference.run import open_run
from jaxstyle.media.image_writing import write_picture
from jaxstyle.training import loop


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty pictures of two classes to train on, and ten to evaluate on."""
    root = tmp_path_factory.mktemp("data")
    for split, count in (("train", 20), ("test", 5)):
        for label, name in enumerate(("cats", "dogs")):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                write_picture(root / split / name / f"{number:02}.png", tiny.picture(100 * label + number, 8, 8))
    return root


@pytest.fixture
def config(folder):
    """A streamed run of ten steps of four pictures, a checkpoint at the end alone."""

    def make(**changes):
        data = {"data__name": "", "data__folder": str(folder), "data__resident_megabytes": 0.0}
        lengths = {"batch_size": 4, "devices": 2, "eval_steps": 5, "checkpoint_steps": 10}
        return tiny_config("", **data, **lengths, **changes)

    return make


@pytest.fixture
def spoilt(folder):
    """Spoils a picture until the test ends; returns how to mend it."""
    kept = {}

    def mend():
        for path, contents in kept.items():
            path.write_bytes(contents)

    def spoil(split, index):
        path = sorted((folder / split).rglob("*.png"))[index]
        kept[path] = path.read_bytes()
        path.write_bytes(kept[path][:40])
        return mend

    yield spoil
    mend()


def test_the_start_says_what_was_found_and_left_out(config, folder, tmp_path, capsys):
    (folder / "train" / "cats" / "notes.txt").write_text("")
    loop.run(config(progress="on", train_steps=1), tmp_path)
    train, test = (f"jaxstyle: {split} of {str(folder)!r}: " for split in ("train", "test"))
    train += "40 pictures of 2 classes (cats 20, dogs 20); left out: 1 other file (.txt 1)\n"
    test += "10 pictures of 2 classes (cats 5, dogs 5)\n"
    assert capsys.readouterr().err.startswith(train + test)
    evaluate(tmp_path)
    assert capsys.readouterr().err == test
    loop.run(config(train_steps=1), tmp_path / "quiet")
    assert capsys.readouterr().err == ""


def read_first_at(step):
    """A training picture that the first epoch reads at a step, and that is none of those looked at beforehand."""
    return next(int(index) for index in Order(40, 4, 0).indices(step) if index not in (0, 20, 39))


def test_steps_before_a_bad_picture_are_saved_and_the_mended_run_is_as_if_nothing_had_been(config, spoilt, tmp_path):
    whole = loop.run(config(), tmp_path / "whole")
    mend = spoilt("train", read_first_at(7))
    with pytest.raises(JaxstyleError, match=r"data.bad_pictures=skip; the state after step 7 is saved, from which"):
        loop.run(config(), tmp_path / "run")
    assert int(open_run(tmp_path / "run").state.step) == 7
    mend()
    resumed = loop.run(config(), tmp_path / "run")
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(whole), jax.device_get(resumed))


def test_the_run_goes_on_without_the_bad_picture_on_request(config, spoilt, tmp_path, capsys):
    spoilt("train", read_first_at(3))
    with pytest.raises(JaxstyleError, match="the state after step 3 is saved"):
        loop.run(config(), tmp_path)
    assert int(loop.run(config(data__bad_pictures="skip"), tmp_path).step) == 10
    assert "has 1 picture fewer (19, it had 20)" in capsys.readouterr().err


def test_a_bad_picture_of_an_evaluation_saves_too(config, spoilt, tmp_path):
    spoilt("test", 2)
    with pytest.raises(JaxstyleError, match=r"test/.*data.bad_pictures=skip; the state after step 5 is saved"):
        loop.run(config(), tmp_path)
    assert int(open_run(tmp_path).state.step) == 5


def test_before_the_first_step_there_is_nothing_to_save(config, spoilt, tmp_path):
    spoilt("train", read_first_at(0))
    with pytest.raises(JaxstyleError, match=r"data\.bad_pictures=skip") as caught:
        loop.run(config(), tmp_path)
    assert "is saved" not in str(caught.value)


def test_any_error_of_the_data_saves_and_is_raised_as_it_is(config, tmp_path, monkeypatch):
    make = loop.Training.batch

    def batch(self, step):
        if step == 6:
            raise OSError("the disk is gone")
        return make(self, step)

    monkeypatch.setattr(loop.Training, "batch", batch)
    with pytest.raises(OSError, match="the disk is gone") as caught:
        loop.run(config(), tmp_path)
    assert caught.value.__notes__ == ["the state after step 6 is saved, from which the same command goes on"]
    assert int(open_run(tmp_path).state.step) == 6
