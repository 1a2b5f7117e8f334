"""Checkpoints that are whole, torn or foreign."""

import pathlib
import shutil
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath

from jaxstyle.errors import JaxstyleError
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.state import TrainState
from jaxstyle.training.step import on_all


def a_state(step, width=3, name="kernel"):
    params = {"dense": {name: jnp.full((2, width), float(step)), "bias": jnp.zeros(width)}}
    return on_all(TrainState(jnp.int32(step), params, {"mu": params}), jax.devices())


@pytest.fixture
def folder(tmp_path):
    checkpoints = Checkpoints(epath.Path(tmp_path))
    for step in (5, 10):
        checkpoints.save(a_state(step))
    checkpoints.close()
    return epath.Path(tmp_path)


def test_resume_takes_the_newest(folder):
    checkpoints = Checkpoints(folder)
    restored = checkpoints.restore(a_state(0))
    assert isinstance(restored, TrainState)
    np.testing.assert_array_equal(restored.params["dense"]["kernel"], np.full((2, 3), 10.0))
    np.testing.assert_array_equal(checkpoints.restore(a_state(0), step=5).step, 5)


def test_foreign_checkpoint_is_itemised(folder):
    with pytest.raises(JaxstyleError, match="of another network") as caught:
        Checkpoints(folder).restore(a_state(0, width=4, name="weight"))
    for part in ("params/dense/bias is 3 float32, wanted 4 float32", "weight is missing", "kernel is not known here"):
        assert part in str(caught.value)


@pytest.mark.parametrize("torn", ["_METADATA", "_CHECKPOINT_METADATA", "manifest.ocdbt", "d", "ocdbt.process_0"])
def test_torn_checkpoint_is_told_and_the_last_good_one_is_used_if_asked(folder, torn):
    for path in [path for path in pathlib.Path(folder / "10").rglob("*") if path.name == torn]:
        shutil.rmtree(path) if path.is_dir() else path.write_text("torn")
    whole = torn in ("_CHECKPOINT_METADATA", "ocdbt.process_0")  # orbax does not need these to read
    checkpoints = Checkpoints(folder)
    if not whole:
        with pytest.raises(
            JaxstyleError, match=r"the checkpoint of step 10 .* cannot be read, it is torn: .*--checkpoint 5 takes"
        ):
            checkpoints.restore(a_state(0))
    assert int(checkpoints.restore(a_state(0), fallback=True).step) == (10 if whole else 5)


def test_reads_that_are_under_way_when_one_fails_report_to_nobody(tmp_path, monkeypatch):
    """orbax closed its event loop, and tensorstore printed "Event loop is closed" for each array that it still read."""
    lost = []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    kernels = np.random.default_rng(0).random((100, 64, 64), np.float32)
    params = {f"layer{i}": {"kernel": kernel, "bias": np.zeros(64, np.float32)} for i, kernel in enumerate(kernels)}
    state = TrainState(np.int32(5), params, {}, healthy=np.True_)
    checkpoints = Checkpoints(epath.Path(tmp_path))
    checkpoints.save(state)
    checkpoints.wait()
    largest = max((path for path in tmp_path.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
    with pytest.raises(JaxstyleError, match=r"the checkpoint of step 5 .* cannot be read, it is torn"):
        checkpoints.restore(state)
    checkpoints.close()
    time.sleep(0.2)
    assert not lost


def test_no_checkpoint_is_told(tmp_path, folder):
    with pytest.raises(JaxstyleError, match="no checkpoint of step 7"):
        Checkpoints(folder).restore(a_state(0), step=7)


def test_a_state_may_be_donated_as_soon_as_it_is_saved(tmp_path):
    checkpoints = Checkpoints(epath.Path(tmp_path))
    state = a_state(1)
    move = jax.jit(lambda tree: jax.tree.map(lambda leaf: leaf * 0, tree), donate_argnums=0)
    checkpoints.save(state)
    move(state)
    restored = checkpoints.restore(a_state(0)) if checkpoints.manager.wait_until_finished() is None else None
    np.testing.assert_array_equal(restored.params["dense"]["kernel"], np.full((2, 3), 1.0))
