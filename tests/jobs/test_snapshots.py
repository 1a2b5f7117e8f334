"""Snapshots: what is read is what was written, and of this very run; anything else is one clear error."""

import io
import json
import os

import jax
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs import snapshots
from jaxstyle.pixels import optimizers, parametrizations
from jaxstyle.pixels.loop import Problem, Snapshot
from jaxstyle.pixels.method import Method, start
from jaxstyle.pixels.schedule import Stage

METHOD = Method(parametrizations.RGB, None, optimizers.adam())
STAGES = [Stage(8, 6, 8, 3), Stage(12, 9, 12, 3)]
IDENTITY = {"size": 12, "styles": ["a.png"], "pictures": "0123", "points": [{}]}


def snapshot(count=2, method=METHOD) -> Snapshot:
    images = np.random.default_rng(0).random((count, 9, 12, 3)).astype(np.float32)
    return Snapshot(1, 2, jax.device_get(jax.vmap(lambda image: start(method, image))(images)))


def load(path, count=2, method=METHOD, stages=STAGES, identity=IDENTITY):
    problem = Problem(method, stages, np.zeros((count, 6, 8, 3), np.float32), None, None, None)
    return snapshots.load_snapshot(path, problem, identity)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / ".out.png.resume"
    snapshots.save_snapshot(path, snapshot(), IDENTITY)
    return path


@pytest.mark.parametrize("optimizer", [optimizers.adam(), optimizers.lbfgs(2)], ids=["adam", "lbfgs"])
def test_what_is_read_is_what_was_written(tmp_path, optimizer):
    method = METHOD._replace(optimizer=optimizer)
    written = snapshot(method=method)
    snapshots.save_snapshot(tmp_path / "x", written, IDENTITY)
    found = load(tmp_path / "x", method=method)
    assert (found.stage, found.iteration) == (1, 2)
    assert jax.tree.structure(found.state) == jax.tree.structure(written.state)
    jax.tree.map(np.testing.assert_array_equal, found.state, written.state)
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.99])
def test_a_file_cut_short(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(JaxstyleError, match=r"cannot resume from '.*\.out\.png\.resume': it is damaged"):
        load(path)


def test_damaged_bytes_anywhere(path):
    data = bytearray(path.read_bytes())
    for at in range(0, len(data), len(data) // 40):
        torn = data.copy()
        torn[at : at + 16] = bytes(byte ^ 0xA5 for byte in torn[at : at + 16])
        path.write_bytes(torn)
        try:
            load(path)  # padding and time stamps may be anything
        except JaxstyleError as error:
            assert "cannot resume from" in str(error) and "\n" not in str(error)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a snapshot",
        npz(weights=np.ones(3)),
        npz(about=np.array("[1, 2]"), leaf0=np.ones(3)),
        npz(about=np.array('{"stage": "x"}')),
        npz(about=np.array(json.dumps({"stage": 0, "iteration": 0, "identity": 3}))),
        npz(about=np.array({"an": "object"}, dtype=object)),
    ],
)
def test_a_foreign_file(path, data):
    path.write_bytes(data)
    with pytest.raises(JaxstyleError, match="it is damaged or no snapshot; delete it"):
        load(path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"size": 13}, "another size;"),
        ({"size": 13, "styles": ["b.png"]}, "another size, styles;"),
        ({"pictures": "4567"}, "another pictures;"),
        ({"points": [{"tv_weight": 1}]}, "another points;"),
        ({"new": 1}, "another new;"),
    ],
)
def test_of_another_run(path, changes, named):
    with pytest.raises(JaxstyleError, match=named):
        load(path, identity=IDENTITY | changes)


def test_of_a_run_by_other_convolutions(path, monkeypatch):
    monkeypatch.setattr(snapshots.onednn, "used", lambda: True)
    with pytest.raises(JaxstyleError, match="of a run with another JAXSTYLE_ONEDNN;"):
        load(path)
    snapshots.save_snapshot(path, snapshot(), IDENTITY)
    load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 3},
        {"stages": [STAGES[0], Stage(13, 9, 13, 3)]},
        {"method": METHOD._replace(optimizer=optimizers.lbfgs())},
    ],
)
def test_arrays_of_another_run(path, changes):
    with pytest.raises(JaxstyleError, match="its arrays are not of this run's shapes"):
        load(path, **changes)


@pytest.mark.parametrize(("stage", "iteration"), [(2, 0), (-1, 0), (1, 4), (1, -1)])
def test_a_place_outside_the_plan(path, stage, iteration):
    snapshots.save_snapshot(path, snapshot()._replace(stage=stage, iteration=iteration), IDENTITY)
    with pytest.raises(JaxstyleError, match="cannot resume from"):
        load(path)


def test_it_is_never_half_written(path, monkeypatch):
    before = path.read_bytes()

    def savez(file, **_):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(JaxstyleError, match=r"cannot write the snapshot '.*': No space left on device"):
        snapshots.save_snapshot(path, snapshot(), IDENTITY)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_the_digest_tells_arrays_apart():
    a = np.arange(6, dtype=np.float32)
    digests = [snapshots.digest(x) for x in (a, a.reshape(2, 3), a.astype(np.float64), a + 1, [a, a], [a[::2], None])]
    assert len(set(digests)) == len(digests)
    assert snapshots.digest({"x": a}) == snapshots.digest({"x": a.copy()})
    assert snapshots.digest(a[::2]) == snapshots.digest(np.ascontiguousarray(a[::2]))
