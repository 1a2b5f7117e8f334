"""Several processes on one machine, as several hosts would be."""

import re
import shutil

import jax
import numpy as np
import pytest
import tiny
from tiny_task import tiny_config
from two_processes import eval_losses, run_two, saved

from jaxstyle.data.order import Order
from jaxstyle.media.image_writing import write_picture
from jaxstyle.training import devices, loop


def test_two_processes_are_one(shapes_dir, tmp_path):
    config = tiny_config(shapes_dir)
    run_two(config, tmp_path / "two")
    one = jax.device_get(loop.run(config, tmp_path / "one"))
    two = saved(config, tmp_path / "two")
    assert int(two.step) == 10
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), two.params, one.params)
    np.testing.assert_allclose(eval_losses(tmp_path / "two"), eval_losses(tmp_path / "one"), rtol=1e-5)
    for path in (tmp_path / "one" / "pictures").iterdir():
        assert (tmp_path / "two" / "pictures" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("which", [1])
def test_preempt_of_one_process_saves_and_ends_both(shapes_dir, tmp_path, which):
    stops = ["", ""]
    stops[which] = "3"
    config = tiny_config(shapes_dir, train_steps=100, eval_steps=0, checkpoint_steps=50)
    told = re.search(r"stopped after step (\d+) of 100", run_two(config, tmp_path, stops)[0])
    assert told and 3 < int(told[1]) < 3 + 2 * devices.AGREE_CALLS
    assert int(saved(config, tmp_path).step) == int(told[1])


@pytest.mark.slow
def test_bad_input_ends_both_which_tell_why(tmp_path):
    config = tiny_config("", data__folder=str(tmp_path / "none"))
    told = run_two(config, tmp_path / "run", expected=1)  # one that waits in vain is killed after minutes
    assert "there is no folder" in told[0] and "process 0 cannot go on: there is no folder" in told[1]


def folder_with_one_bad(root, step, process):
    """Forty pictures to train on and eight to evaluate on; of process's share of a step's batch of eight one is bad."""
    for split, count in (("train", 20), ("test", 4)):
        for label, name in enumerate(("cats", "dogs")):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                write_picture(root / split / name / f"{number:02}.png", tiny.picture(100 * label + number, 8, 8))
    share = Order(40, 8, 0).indices(step)[4 * process :][:4]
    seen = {0, 20, 39} | {int(index) for early in range(step) for index in Order(40, 8, 0).indices(early)}
    bad = sorted((root / "train").rglob("*.png"))[next(int(index) for index in share if index not in seen)]
    bad.write_bytes(bad.read_bytes()[:40])
    return bad


def folder_config(folder, **changes):
    return tiny_config("", data__name="", data__folder=str(folder), batch_size=8, **changes)


@pytest.mark.slow
@pytest.mark.parametrize("process", [0, 1])
def test_a_bad_picture_of_one_ends_both_which_name_it_and_save(process, tmp_path):
    bad = folder_with_one_bad(tmp_path / "data", 3, process)
    config = folder_config(tmp_path / "data", data__resident_megabytes=0.0)
    told = run_two(config, tmp_path / "run", expected=1)
    for each, text in enumerate(told):
        sentence = text.strip().splitlines()[-1]
        assert str(bad) in sentence and "the state after step 3 is saved" in sentence
        assert (f"process {process} cannot go on: " in sentence) == (each != process)
    bad.write_bytes(bad.with_name("00.png").read_bytes())
    assert int(saved(config, tmp_path / "run").step) == 3
    whole = loop.run(config, tmp_path / "whole")
    run_two(config, tmp_path / "run")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), saved(config, tmp_path / "run"), whole)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [0.0, 100.0])
def test_both_go_on_without_a_bad_picture_on_request(megabytes, tmp_path):
    folder_with_one_bad(tmp_path / "data", 3, 1)
    config = folder_config(tmp_path / "data", data__resident_megabytes=megabytes, data__bad_pictures="skip")
    run_two(config, tmp_path / "two")
    one, two = jax.device_get(loop.run(config, tmp_path / "one")), saved(config, tmp_path / "two")
    assert int(two.step) == 10
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), two.params, one.params)


@pytest.mark.slow
@pytest.mark.parametrize(("treatment", "count"), [("stop", 40), ("skip", 39)])
def test_a_bad_copy_of_one_process_ends_both(treatment, count, tmp_path):
    bad = folder_with_one_bad(tmp_path / "data1", 3, 1)
    shutil.copytree(tmp_path / "data1", tmp_path / "data0")
    copy = tmp_path / "data0" / bad.relative_to(tmp_path / "data1")
    copy.write_bytes(copy.with_name("00.png").read_bytes())
    config = folder_config(tmp_path / "data{process}", data__bad_pictures=treatment)
    for text in run_two(config, tmp_path / "run", expected=1):
        assert f"'train' of process 1 is not that of process 0: {count} examples there, 40 here" in text
