"""Standard output that lacks letters, or whose reader has left: the work goes on, and no traceback is shown."""

import os
import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_command_goes_on(tmp_path, encoding):
    """A whole command, whose result has a name that cannot be printed, and is written to nobody."""
    code = "from jaxstyle.cli import main; sys.exit(main(['features', 'verify', 'tiny-\\u0416']))"
    done = run(code, tmp_path, env={"PYTHONIOENCODING": encoding})
    assert done.returncode == 2 and b"Traceback" not in done.stderr
