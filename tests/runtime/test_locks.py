"""One run at a time in a workdir: the second is refused, readers are not, and a killed run leaves no lock."""

import os
import subprocess
import sys

import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs import recipes
from jaxstyle.jobs.registry import JOBS
from jaxstyle.runtime.locks import only_run_in
from jaxstyle.tasks import classify
from jaxstyle.training import loop
from jaxstyle.training.config import as_config

HOLD = """
import sys, time
from jaxstyle.runtime.locks import only_run_in
with only_run_in(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def held(tmp_path):
    """A folder that another process has locked, and that process."""
    folder = tmp_path / "run"
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield folder, process
        process.kill()


def test_the_second_is_refused_until_the_first_is_killed(held):
    folder, process = held
    with pytest.raises(JaxstyleError, match=r"another run writes into the workdir '.*run'"), only_run_in(folder):
        pytest.fail("it was let in")
    process.kill()
    process.wait()
    with only_run_in(folder):
        assert os.listdir(folder) == []


def test_trainings_and_pixel_jobs_are_refused_before_they_read_data(held):
    folder, _ = held
    config = as_config(classify.Config())
    config.update(task="jaxstyle.tasks.classify", train_steps=1)
    config.data.update(folder="nowhere")
    with pytest.raises(JaxstyleError, match="another run"):
        loop.run(config, folder)
    with pytest.raises(JaxstyleError, match="another run"):
        recipes.run(recipes.recipe(JOBS["visualize"]), folder)
    assert os.listdir(folder) == []


def test_a_run_that_ends_leaves_no_lock(tmp_path):
    for _ in range(2):
        with only_run_in(tmp_path):
            pass
    with pytest.raises(KeyError), only_run_in(tmp_path):
        raise KeyError
    with only_run_in(tmp_path):
        pass
