"""Two processes on one machine, as two hosts would be."""

import contextlib
import json
import os
import socket
import subprocess
import sys

import jax

from jaxstyle.training import loop
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.config_file import absolute
from jaxstyle.training.task import typed_config

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
loop.run(ConfigDict(json.loads(sys.argv[1].replace("{process}", sys.argv[4]))), sys.argv[2])
"""


def run_two(config, workdir, stops=("", ""), expected=0):
    """The standard output of two processes with two devices each, or their errors where `expected` is a failure.

    `stops` has the step at which each gets a SIGTERM, or ""; `{process}` in the config stands for its number.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment["XLA_FLAGS"] = os.environ["XLA_FLAGS"].replace("device_count=8", "device_count=2")
    arguments = [sys.executable, "-c", PROCESS, json.dumps(config.to_dict()), str(workdir), address]
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(
                    [*arguments, str(i), stops[i]],
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for i in range(2)
        ]
        try:
            told = [child.communicate(timeout=300) for child in children]  # seconds, of which a busy machine needs many
        finally:
            for child in children:
                child.kill()
    for child, (_, error) in zip(children, told, strict=True):
        assert child.returncode == expected, error
    return [error if expected else output for output, error in told]


def saved(config, workdir):
    """The newest state in a workdir."""
    training = loop.Training(typed_config(config), absolute(workdir))
    checkpoints = Checkpoints(absolute(workdir) / "checkpoints")
    training.begin(checkpoints)
    checkpoints.close()
    return jax.device_get(training.state)


def eval_losses(workdir):
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [(row["step"], row["loss"]) for row in rows if row["kind"] == "eval"]
