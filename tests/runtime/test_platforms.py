"""`JAX_PLATFORMS` that names what is not there: one sentence, of every command that computes."""

import os
import subprocess
import sys

import pytest

COMMANDS = {
    "stylize": ["stylize", "example:landscape", "example:mosaic", "-o", "out.png", "--size=32", "--iterations=1"],
    "train": ["train", "vae_mnist:test", "--workdir=work"],
    "train.py": [],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("platform", ["cuda", "gpu", "nonsense"])
def test_a_platform_that_is_not_there(tmp_path, command, platform):
    if command != "stylize" and platform != "cuda":
        pytest.skip("the same code")
    words = [sys.executable, "-m", "jaxstyle.cli", *COMMANDS[command]]
    if command == "train.py":
        train = "import sys; from jaxstyle.cli.train import run_flags, find_recipe\n"
        train += "sys.exit(run_flags(['train.py', '--config=' + find_recipe('vae_mnist:test'), '--workdir=work']))"
        words = [sys.executable, "-c", train]
    environment = os.environ | {"JAX_PLATFORMS": platform}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 2 and not (tmp_path / "out.png").exists()
    assert done.stderr.count("\n") == 1 and f"JAX_PLATFORMS is '{platform}'" in done.stderr and "cpu" in done.stderr


def test_what_does_not_compute_needs_none(tmp_path):
    words = [sys.executable, "-m", "jaxstyle.cli", "features", "list"]
    environment = os.environ | {"JAX_PLATFORMS": "cuda"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0 and "vgg" in done.stdout
