"""Runs that are killed at a chosen moment, in processes that begin fast: forked from one that has imported all."""

import contextlib
import multiprocessing
import os
import signal
import sys
import time

import numpy as np

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["jaxstyle.cli.pixel_jobs", "jaxstyle.training.loop", "jaxstyle.api"])


def command(words):
    """Runs a command, which keeps a snapshot of every step."""
    from jaxstyle.cli import main
    from jaxstyle.jobs import callbacks

    callbacks.SnapshotSaver.__init__.__defaults__ = (0.0,)
    assert main(words) == 0


def training(config, workdir):
    """Runs a training; returns the arrays of its last state."""
    import jax
    from ml_collections import ConfigDict

    from jaxstyle.training import loop

    return jax.tree.leaves(jax.device_get(loop.run(ConfigDict(config), workdir)))


def child(pipe, folder, event, work, arguments):
    """Does the work, kills itself at an event that names a path below the folder; sends their count and the result."""
    seen = 0

    def hook(name, values):
        nonlocal seen
        if any(isinstance(value, (str, os.PathLike)) and os.fspath(value).startswith(folder) for value in values):
            seen += 1
            if seen == event:
                os.kill(os.getpid(), signal.SIGKILL)

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    sys.addaudithook(hook)
    pipe.send("begun")
    result = work(*arguments)
    pipe.send((seen, result))


def started(folder, work, arguments, event=None):
    """The process and the pipe of some work that has begun."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=child, args=(theirs, str(folder), event, work, arguments))
    process.start()
    theirs.close()
    assert ours.recv() == "begun"
    return process, ours


def finish(folder, work, *arguments):
    """Does some work in a process; returns how many events it has, how many seconds it takes, and its result."""
    process, pipe = started(folder, work, arguments)
    begun = time.monotonic()
    events, result = pipe.recv()
    seconds = time.monotonic() - begun
    process.join()
    return events, seconds, result


def kill(folder, moment, work, *arguments):
    """Does some work in a process that is killed at an event, or after some seconds; whether it was."""
    process, pipe = started(folder, work, arguments, event=moment if isinstance(moment, int) else None)
    if isinstance(moment, float):
        process.join(moment)
        process.kill()
    with contextlib.suppress(EOFError, OSError):  # where it was killed; a result would keep the process waiting
        pipe.recv()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def moments(seed, events, seconds, count=20):
    """Random moments: half of them events, half of them times."""
    rng = np.random.default_rng(seed)
    return [int(e) for e in rng.integers(1, events + 1, count // 2)] + [
        float(s) for s in rng.uniform(0, seconds, count - count // 2)
    ]
