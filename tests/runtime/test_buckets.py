"""Runs and datasets in a bucket: a server of the protocol on this machine, whose client libraries are the real ones.

Needs `pip install '.[gcs]' gcp-storage-emulator`.
"""

import os
import socket
import subprocess
import sys

import pytest
from etils import epath

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime import buckets
from jaxstyle.tasks.classify import Config
from jaxstyle.training.loop import run
from jaxstyle.training.writers import read_metrics

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


@pytest.fixture(scope="module")
def bucket():
    """The address of an empty bucket, and the environment in which it is found."""
    server = pytest.importorskip("gcp_storage_emulator.server")
    pytest.importorskip("gcsfs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = server.create_server("127.0.0.1", port, in_memory=True, default_bucket="bucket")
    running.start()
    here = f"http://127.0.0.1:{port}"
    patch = pytest.MonkeyPatch()
    for name in ("STORAGE_EMULATOR_HOST", "TENSORSTORE_GCS_HTTP_URL"):
        patch.setenv(name, here)
    patch.setenv("GOOGLE_AUTH_TEST_TOKEN", "any")
    patch.setenv("GOOGLE_CLOUD_PROJECT", "test")
    yield "gs://bucket"
    patch.undo()
    running.stop()


def train(workdir, steps, cache):
    """The seconds-long recipe, in a process of its own as users run it; its rows of numbers."""
    recipe = ["--config", "configs/classify_shapes.py:test", f"--config.train_steps={steps}"]
    command = [sys.executable, "train.py", *recipe, "--workdir", str(workdir)]
    environment = {**os.environ, "JAXSTYLE_CACHE": str(cache)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return read_metrics(epath.Path(workdir))


def numbers(rows):
    """What is the same in every run: all but the speed."""
    return [{name: value for name, value in row.items() if "second" not in name and "wait" not in name} for row in rows]


@pytest.mark.slow
def test_a_run_in_a_bucket_is_the_run_on_disk_and_goes_on_there(bucket, tmp_path):
    train(tmp_path / "run", 10, tmp_path / "cache")
    expected = train(tmp_path / "run", 20, tmp_path / "cache")
    workdir = epath.Path(f"{bucket}/run")
    train(workdir, 10, tmp_path / "one")
    assert numbers(train(workdir, 20, tmp_path / "another")) == numbers(expected)  # the dataset was fetched, not made
    local, remote = (
        {path.name for path in (place / "pictures").iterdir()} for place in (epath.Path(tmp_path / "run"), workdir)
    )
    assert remote >= local
    assert (workdir / "pictures" / max(local)).read_bytes() == (tmp_path / "run" / "pictures" / max(local)).read_bytes()
    assert len(list((workdir / "tensorboard").iterdir())) == 2
    assert {path.name for path in (workdir / "checkpoints").iterdir()} >= {"20"}
    source, copy = (
        next((tmp_path / name / "data").rglob("*train.array_record*")).read_bytes() for name in ("one", "another")
    )
    assert copy == source


@pytest.mark.slow
def test_a_bucket_that_is_not_there(bucket):
    with pytest.raises(JaxstyleError, match=r"the workdir 'gs://none/run' cannot be reached: .*none"):
        buckets.check("the workdir", "gs://none/run")


def test_a_profile_is_not_written_in_a_bucket():
    with pytest.raises(JaxstyleError, match="profiles are written on disk only"):
        run(Config(profile_steps=3), "gs://bucket/run")


def test_without_the_libraries_the_way_out_is_told(monkeypatch):
    def missing(self):
        raise ImportError("Please install gcsfs")

    monkeypatch.setattr(epath.Path("gs://bucket/run").__class__, "exists", missing)
    with pytest.raises(JaxstyleError, match=r"pip install 'jaxstyle\[gcs\]'"):
        buckets.check("the workdir", "gs://bucket/run")
