"""Standard output that lacks letters, or whose reader has left: the work goes on, and no traceback is shown."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxstyle.inference.style_model import StyleModel, save_model
from jaxstyle.media.image_writing import write_picture
from jaxstyle.models.style_network import StyleNetwork

NAMES = "import sys; from jaxstyle.runtime.output import lasting_output\n"


def run(code, tmp_path, **options):
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run([sys.executable, "-c", NAMES + code], env=environment, capture_output=True, cwd=tmp_path)


def test_letters_that_the_encoding_lacks_are_escaped(tmp_path):
    code = "with lasting_output(): print('caf\\u00e9 \\u0416 \\udce9'); print('\\u0416', file=sys.stderr)"
    done = run(code, tmp_path, env={"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"})
    assert done.returncode == 0
    assert done.stdout.decode("cp1252").split() == ["café", "\\u0416", "\\udce9"]
    assert done.stderr.decode("cp1252").split() == ["\\u0416"]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_has_left_ends_nothing(tmp_path, stream):
    code = f"""
import time
with lasting_output():
    for i in range(50):
        print("x" * 10_000, file=sys.{stream})
open("done", "w").close()
"""
    read, write = os.pipe()
    with subprocess.Popen([sys.executable, "-c", NAMES + code], cwd=tmp_path, **{stream: write}) as process:
        os.close(write)
        os.read(read, 10)
        os.close(read)
        assert process.wait(60) == 0
    assert (tmp_path / "done").exists()


@pytest.fixture(scope="module")
def style_model(tmp_path_factory):
    """The folder of a model of one style."""
    network, folder = StyleNetwork(1, 4, 0), tmp_path_factory.mktemp("style") / "model"
    params = jax.jit(network.init)(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32), np.ones((1, 1), np.float32))
    save_model(folder, StyleModel(network, jax.device_get(params["params"]), ("only",)), np.zeros((8, 8, 3)))
    return folder


@pytest.mark.parametrize("reader", ["lacks letters", "has left"])
def test_a_command_goes_on(style_model, tmp_path, reader):
    """Both results of a whole command are written, though a name cannot be printed, or nobody reads."""
    for name in ("photos/caf\u00e9.png", "photos/\u0416.png"):
        (tmp_path / "photos").mkdir(exist_ok=True)
        write_picture(tmp_path / name, np.full((16, 16, 3), 0.5))
    words = ["-m", "jaxstyle.cli", "apply", "--model", str(style_model), "photos", "-o", "out/", "--devices=1"]
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    read, write = os.pipe()
    if reader == "has left":
        os.close(read)
    process = subprocess.Popen(
        [sys.executable, *words], env=environment, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 0 and b"Traceback" not in told, told
    assert sorted(os.listdir(tmp_path / "out")) == ["caf\u00e9.png", "\u0416.png"]
    if reader == "lacks letters":
        with open(read, encoding="cp1252") as out:
            assert out.read().splitlines() == ["out/caf\u00e9.png", "out/\\u0416.png"]
