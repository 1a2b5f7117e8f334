"""Several processes on one machine, as several hosts would be."""

import re
import time

import jax
import numpy as np
import pytest
from tiny_task import tiny_config
from two_processes import eval_losses, run_two, saved

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
def test_bad_input_ends_both_at_once_and_one_tells_why(tmp_path):
    config = tiny_config("", data__folder=str(tmp_path / "none"))
    began = time.monotonic()
    told = run_two(config, tmp_path / "run", expected=1)
    assert "there is no folder" in told[0] and "process 0 cannot go on; its own message has the reason" in told[1]
    assert time.monotonic() - began < 60  # where one waits for the other in vain, both end after minutes
