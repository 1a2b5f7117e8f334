"""Several processes on one machine, as several hosts would be."""

import json
import os
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
from tiny_task import tiny_config

from jaxstyle.training import loop
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.config import absolute

PROCESS = """
import json, os, signal, sys
from jaxstyle.training import devices
devices.join(sys.argv[3], 2, int(sys.argv[4]))
from ml_collections import ConfigDict
from jaxstyle.training import loop
make = loop.Training.batch
def batch(self, step):
    if str(step) == sys.argv[5]:
        os.kill(os.getpid(), signal.SIGTERM)
    return make(self, step)
loop.Training.batch = batch
loop.run(ConfigDict(json.loads(sys.argv[1])), sys.argv[2])
"""


def run_two(config, workdir, stops=("", "")):
    """Two processes with two devices each; `stops` tells at which step one gets a SIGTERM."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    arguments = [sys.executable, "-c", PROCESS, json.dumps(config.to_dict()), str(workdir), address]
    children = [
        subprocess.Popen(
            [*arguments, str(i), stops[i]], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for i in range(2)
    ]
    try:
        told = [child.communicate(timeout=100) for child in children]
    finally:
        for child in children:
            child.kill()
    for child, (_, error) in zip(children, told, strict=True):
        assert child.returncode == 0, error
    return [output for output, _ in told]


def saved(config, workdir):
    """The newest state in a workdir."""
    training = loop.Training(config, absolute(workdir))
    checkpoints = Checkpoints(absolute(workdir) / "checkpoints")
    training.begin(checkpoints)
    checkpoints.close()
    return jax.device_get(training.state)


def eval_losses(workdir):
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [(row["step"], row["loss"]) for row in rows if row["kind"] == "eval"]


def test_two_processes_are_one(shapes_dir, tmp_path):
    config = tiny_config(shapes_dir)
    run_two(config, tmp_path / "two")
    one = jax.device_get(loop.run(config, tmp_path / "one"))
    two = saved(config, tmp_path / "two")
    assert int(two.step) == 10
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), two.params, one.params)
    np.testing.assert_allclose(eval_losses(tmp_path / "two"), eval_losses(tmp_path / "one"), rtol=1e-5)


@pytest.mark.parametrize("which", [1])
def test_preempt_of_one_process_saves_and_ends_both(shapes_dir, tmp_path, which):
    stops = ["", ""]
    stops[which] = "3"
    config = tiny_config(shapes_dir, train_steps=100, eval_steps=0, checkpoint_steps=50)
    outputs = run_two(config, tmp_path, stops)
    assert "stopped after step 10 of 100" in outputs[0]
    assert int(saved(config, tmp_path).step) == 10
