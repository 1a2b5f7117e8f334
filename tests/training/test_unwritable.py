"""Workdirs that cannot be written, or no more: one sentence, nothing half-written, and the run goes on afterwards."""

import asyncio
import errno
import gc
import os
import shutil
import subprocess

import jax
import numpy as np
import pytest
from tiny_task import tiny_config

import jaxstyle
from jaxstyle.errors import JaxstyleError
from jaxstyle.training import loop
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.orbax_threads import run_to_the_end
from jaxstyle.training.writers import Writers


def mount(*words):
    return shutil.which("mount") and not subprocess.run(["mount", *words], capture_output=True).returncode


@pytest.fixture
def disk(tmp_path):
    """A file system in memory, of few bytes; returns how to change it: its size, or whether it may be written."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)):
        pytest.skip("a file system in memory needs the right to mount one")
    yield place, lambda option: mount("-o", f"remount,{option}", str(place))
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def config(shapes_dir, **changes):
    settings = {"eval_steps": 5, "checkpoint_steps": 2, "keep": 50, "devices": 2, **changes}
    return tiny_config(shapes_dir, **settings)


@pytest.mark.parametrize("kilobytes", [8, 40, 64, 96, 160])  # what is full first: metrics, checkpoints, pictures
def test_a_full_disk_is_one_sentence_and_the_run_goes_on_later(shapes_dir, disk, kilobytes, capfd, caplog):
    place, change = disk
    change(f"size={kilobytes}k")
    with pytest.raises(JaxstyleError, match=r"cannot be written: No space left on device.* the same command goes on"):
        loop.run(config(shapes_dir, train_steps=40), place / "run")
    told = capfd.readouterr().err
    assert "Traceback" not in told and "Event loop" not in told and not caplog.records
    assert not [path for path in place.rglob("*") if "tmp" in path.name]
    change("size=20m")
    resumed = loop.run(config(shapes_dir, train_steps=40), place / "run")
    whole = loop.run(config(shapes_dir, train_steps=40), place / "whole")
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(resumed), jax.device_get(whole))


def test_of_many_writes_that_fail_the_first_is_raised_and_none_is_logged(caplog):
    async def fail(number):
        raise ValueError(number)

    async def write():
        for task in [asyncio.create_task(fail(number)) for number in range(3)]:
            await task

    with pytest.raises(ValueError, match="0"):
        run_to_the_end(write())
    gc.collect()
    assert not caplog.records


def test_a_workdir_that_is_only_read_serves_every_command_but_training(shapes_dir, disk):
    place, change = disk
    change("size=20m")
    loop.run(config(shapes_dir, best="loss", best_mode="min"), place / "run")
    change("ro")
    for name in ("run", "new"):
        with pytest.raises(
            JaxstyleError, match=rf"the workdir '.*/{name}' cannot be written: '.*' is only for reading; na"
        ):
            loop.run(config(shapes_dir), place / name)
    assert [jaxstyle.evaluate(place / "run", checkpoint=which).step for which in ("newest", "2")] == [10, 2]
    assert jaxstyle.sample(place / "run", 2).shape == (2, 32, 32, 3)


@pytest.mark.parametrize(
    ("number", "way_out"), [(errno.ENOSPC, "make room"), (errno.EDQUOT, "make room"), (errno.EROFS, "make it writable")]
)
def test_errors_of_the_system_are_sentences(shapes_dir, tmp_path, monkeypatch, number, way_out):
    def write(self, line):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Writers, "write", write)
    with pytest.raises(
        JaxstyleError, match=rf"the workdir '.*' cannot be written: {os.strerror(number)}; {way_out}, and"
    ):
        loop.run(config(shapes_dir), tmp_path)


def test_errors_of_tensorstore_are_sentences(shapes_dir, tmp_path, monkeypatch):
    def save(self, *words, **more):
        raise ValueError("RESOURCE_EXHAUSTED: Error writing … [os_error_code='28'] [tensorstore_spec='{}']")

    monkeypatch.setattr("orbax.checkpoint.CheckpointManager.save", save)
    with pytest.raises(JaxstyleError, match=rf"a checkpoint in '.*' cannot be written: {os.strerror(28)}; make room"):
        loop.run(config(shapes_dir), tmp_path)


def test_other_errors_stay_what_they_are(shapes_dir, tmp_path, monkeypatch):
    def write(self, line):
        raise OSError(errno.EIO, "Input/output error", "/elsewhere/a.png")

    monkeypatch.setattr(Writers, "write", write)
    with pytest.raises(OSError, match="Input/output error"):
        loop.run(config(shapes_dir), tmp_path)


def test_a_place_without_permission(shapes_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: os.fspath(path) != str(tmp_path))
    with pytest.raises(JaxstyleError, match=rf"'{tmp_path}/a/b' cannot be written: '{tmp_path}' is only for reading"):
        loop.run(config(shapes_dir), tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())


def test_checkpoints_between_evaluations_are_no_warnings(shapes_dir, tmp_path, caplog):
    loop.run(config(shapes_dir, eval_steps=4, best="loss", best_mode="min", keep=1), tmp_path)
    assert not [record.getMessage() for record in caplog.records if record.levelno > 20]
    checkpoints = Checkpoints(loop.config_file.absolute(tmp_path) / "checkpoints", best="loss", mode="min")
    assert checkpoints.best_step() in (4, 8, 10) and checkpoints.steps()[-1] == 10
    checkpoints.close()


def test_without_an_evaluation_there_is_no_best_checkpoint(shapes_dir, tmp_path):
    loop.run(config(shapes_dir, eval_steps=0, eval_epochs=0.0, best="loss", keep=1), tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["10"]
    with pytest.raises(JaxstyleError, match="keeps no best checkpoint"):
        jaxstyle.evaluate(tmp_path, checkpoint="best")
