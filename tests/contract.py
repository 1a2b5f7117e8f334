"""The contract of every task, as functions of a small config (`small_configs.py`); `tasks/test_contract.py` calls them.

The config should take ten steps, a checkpoint after five, and log every step.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys

import jax
import numpy as np
from two_processes import eval_losses, run_two, saved

from jaxstyle.training import loop
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.config import override
from jaxstyle.training.config_file import absolute
from jaxstyle.training.restoring import described
from jaxstyle.training.task import typed_config

KILLED = """
import json, os, pathlib, signal, sys, time
from ml_collections import ConfigDict
from jaxstyle.training import loop
config, workdir = ConfigDict(json.loads(sys.argv[1])), sys.argv[2]
make = loop.Training.batch
def batch(self, step):
    if step == 7:  # two steps after the checkpoint, which is being written meanwhile
        while not (pathlib.Path(workdir) / "checkpoints" / "5" / "_CHECKPOINT_METADATA").exists():
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return make(self, step)
loop.Training.batch = batch
loop.run(config, workdir)
"""


def begun(config, workdir):
    """A training at its first step."""
    training = loop.Training(typed_config(config), absolute(workdir))
    with contextlib.closing(Checkpoints(absolute(workdir) / "none")) as checkpoints:
        training.begin(checkpoints)
    return training


def stepped(config, workdir, count):
    """A training after some steps, its first parameters, and the last step's metrics."""
    training = begun(config, workdir)
    start = jax.device_get(training.state.params)
    for number in range(count):
        training.state, metrics = training.train_step(training.state, training.batch(number), training.train_key)
    return training, start, metrics


def check_devices_agree(config, workdir, steps=3, tolerance=1e-3):
    """1 device = 8 devices at equal global batch, to rounding, and all shards of what 8 devices return are equal.

    Rounding is measured against the way that the parameters have come: Adam takes steps of full length however small
    a gradient is, so single numbers may differ by more.
    """
    many, _, metrics = stepped(override(config, {"devices": 8}), workdir, steps)
    for leaf in jax.tree.leaves((many.state, metrics)):
        shards = [np.asarray(shard.data) for shard in leaf.addressable_shards]
        assert len(shards) == 8
        for shard in shards[1:]:
            np.testing.assert_array_equal(shard, shards[0])
    one, start, _ = stepped(override(config, {"devices": 1}), workdir, steps)
    trees = zip(*map(jax.tree.leaves, (many.state.params, one.state.params, start)), strict=True)
    for name, (a, b, before) in zip(described(start), trees, strict=True):
        apart, way = np.linalg.norm(np.asarray(a) - b), np.linalg.norm(np.asarray(b) - before)
        assert apart <= tolerance * way, f"{name}: 8 devices are {apart:.2e} from 1, which has gone {way:.2e}"


def check_resume_after_kill(config, workdir):
    """10 steps = 5 + kill -9 + 5, bit for bit, losses (and so the order of examples) included."""
    config = override(config, {"eval_steps": 0, "eval_epochs": 0.0})  # `check_evaluation_is_whole` evaluates
    whole = loop.run(config, workdir / "whole")
    arguments = [sys.executable, "-c", KILLED, json.dumps(config.to_dict()), str(workdir / "parts")]
    paths = os.pathsep.join(path for path in sys.path if path)  # a task of the tests may be in them
    child = subprocess.run(arguments, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    resumed = loop.run(config, workdir / "parts")
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(whole), jax.device_get(resumed))
    assert losses(workdir / "whole") == losses(workdir / "parts")


def losses(workdir):
    """Every step's loss, by step."""
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [(row["step"], row["loss"]) for row in rows if row["kind"] == "train"]


def check_preempt_saves(config, workdir, monkeypatch):
    """SIGTERM: the step under way is finished and saved."""
    make = loop.Training.batch

    def batch(self, number):
        if number == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return make(self, number)

    monkeypatch.setattr(loop.Training, "batch", batch)
    assert int(loop.run(config, workdir).step) == 3
    assert [path.name for path in (workdir / "checkpoints").glob("[0-9]*")] == ["3"]


def check_lowers(config, workdir, operations):
    """The step lowers for the machines that users have, to programs with some operations and the devices' mean.

    Args:
      operations: Names of StableHLO operations that the task's forward pass and gradient are made of.
    """
    training = begun(config, workdir)
    traced = jax.jit(training.train_step.mapped).trace(training.state, training.batch(0), training.train_key)
    for platform in ("cpu", "cuda", "tpu"):
        program = traced.lower(lowering_platforms=(platform,)).as_text()
        counts = {name: program.count(f"stablehlo.{name}") for name in ("all_reduce", *operations)}
        assert all(counts.values()), (platform, counts)


def check_evaluation_is_whole(config, workdir, names):
    """A ragged evaluation gives the mean over all examples, whatever the batch size."""
    small, large = (
        begun(override(config, {"batch_size": size, "devices": 2}), workdir).evaluate() for size in (24, 200)
    )
    assert set(names) <= set(small)
    for name in small:
        np.testing.assert_allclose(small[name], large[name], rtol=1e-5, err_msg=name)


def check_processes_agree(config, workdir, tolerance=1e-3):
    """Two processes of two devices each = one process, as in `check_devices_agree`; their evaluations are equal too."""
    config = override(config, {"train_steps": 3, "eval_steps": 3})
    run_two(config, workdir / "two")
    one, two = loop.run(config, workdir / "one").params, saved(config, workdir / "two").params
    start = jax.device_get(begun(config, workdir / "new").state.params)
    for a, b, before in zip(*map(jax.tree.leaves, (two, one, start)), strict=True):
        apart, way = np.linalg.norm(np.asarray(a) - b), np.linalg.norm(np.asarray(b) - before)
        assert apart <= tolerance * way
    np.testing.assert_allclose(eval_losses(workdir / "two"), eval_losses(workdir / "one"), rtol=1e-3)
