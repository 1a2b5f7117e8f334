"""The wheel and the sdist install elsewhere and run from there, with the page, the recipes and the network in them."""

import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def run(*words, cwd, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    done = subprocess.run(words, cwd=cwd, env=kept, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_what_is_built_runs_outside(tmp_path):
    pytest.importorskip("build", reason="pip install build")
    source = tmp_path / "source"
    run("git", "clone", "--quiet", str(ROOT), str(source), cwd=tmp_path)
    run(sys.executable, "-m", "build", "--outdir", str(tmp_path / "dist"), str(source), cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"jaxstyle/studio/page/index.html", "jaxstyle/configs/gan_mnist.py"} <= set(names)
    assert not [name for name in names if name.startswith(("docs", "tests", "jaxstyle/docs"))]
    for built in (tmp_path / "dist").iterdir():
        place = tmp_path / built.name.replace(".", "_")
        run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(place), str(built), cwd=tmp_path)
        command = [sys.executable, "-m", "jaxstyle.cli"]
        assert "make pictures" in run(*command, "--help", cwd=tmp_path, PYTHONPATH=str(place))
        small = ["example:landscape", "example:mosaic", "-o", "out.png", "--size=64", "--min-size=64"]
        made = run(*command, "stylize", *small, "--initial-iterations=2", cwd=tmp_path, PYTHONPATH=str(place))
        assert made == "out.png\n"
        assert str(place) in run(*command, "doctor", cwd=tmp_path, PYTHONPATH=str(place))
