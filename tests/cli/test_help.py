"""Help comes at once and names every command; the shells complete what is there; the doctor tells what is missing."""

import pathlib
import shutil
import subprocess
import sys

import pytest

from jaxstyle import cli
from jaxstyle.cli import completion, main
from jaxstyle.jobs import callbacks
from jaxstyle.jobs.registry import JOBS
from jaxstyle.pixels.schedule import Stage
from jaxstyle.runtime import huge_pages

AT_ONCE = """
import sys
from jaxstyle.cli import main
try:
    main([{word!r}])
finally:
    print(sorted({{"jax", "numpy", "flax", "optax", "PIL"}} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_waits_for_no_library(word):
    done = subprocess.run([sys.executable, "-c", AT_ONCE.format(word=word)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_a_command_that_is_misspelt_is_told_its_name(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["aply", "photo.jpg"])
    assert capsys.readouterr().err == "jaxstyle: unknown command 'aply'; did you mean 'apply'? (see jaxstyle --help)\n"


def test_every_command_is_listed_once():
    others = {path.stem for path in pathlib.Path(cli.__file__).parent.glob("*.py")}
    others -= {"__init__", "__main__", "pixel_jobs", "options"}
    assert set(cli.COMMANDS) == others | set(cli.PIXEL_JOBS)
    assert set(cli.PIXEL_JOBS) == set(JOBS)
    assert all(cli.COMMANDS[name] == job.help for name, job in JOBS.items())
    assert all(len(line) <= 80 for line in cli.overview().splitlines())


def test_help_of_a_command_begins_with_its_own_name_and_tells_no_empty_default():
    for name, parser in cli.parsers(*cli.COMMANDS)[1].items():
        text = parser.format_help()
        assert text.startswith(f"usage: jaxstyle {name} ")
        assert "(default: )" not in text


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    "words, found",
    [
        (["jaxstyle", "sty"], "stylize"),
        (["jaxstyle", "stylize", "--stre"], "--strength"),
        (["jaxstyle", "dream", "--oct"], "--octaves --octave-scale"),
        (["jaxstyle", "data", "de"], "describe"),
        (["jaxstyle", "apply", "photo"], ""),
    ],
)
def test_bash_completes(words, found, capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    script += f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _jaxstyle; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (found, "")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_takes_the_script_though_nothing_is_set_up(capsys):
    assert main(["completion", "zsh"]) == 0
    script = capsys.readouterr().out + "\nprint $_comps[jaxstyle]"
    done = subprocess.run(["zsh", "-fec", script], capture_output=True, text=True)
    assert "_jaxstyle" in done.stdout and (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
@pytest.mark.parametrize(
    "words, found", [("sty", "stylize"), ("stylize --stre", "--strength"), ("data de", "describe")]
)
def test_fish_completes(words, found, capsys):
    assert main(["completion", "fish"]) == 0
    script = f"{capsys.readouterr().out}\ncomplete -C 'jaxstyle {words}'"
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True)
    assert (done.stdout.split()[0], done.stderr) == (found, "")


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_shell_knows_every_command(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in cli.COMMANDS)
    assert "segment" in script and "strength" in script


def test_the_doctor_names_what_is_missing_and_what_adds_it(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(huge_pages, "on_request", lambda: True)
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "in scripts and notebooks GLIBC_TUNABLES=glibc.malloc.hugetlb=1" in text
    assert "pip install 'jaxstyle[studio]' adds it" in text
    assert "8 × cpu" in text
    assert "jaxstyle features fetch vgg19 adds it" in text


def test_progress_without_a_terminal_is_a_line_a_tenth(capsys, monkeypatch):
    monkeypatch.setattr(callbacks.Progress, "LEAST", 0.0)
    plan = [Stage(64, 48, 64, 20)]
    told = callbacks.Progress(plan)
    for iteration in range(1, 21):
        told.tell(iteration, plan[0])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("jaxstyle: 10 % done, 64×48, ") and lines[-1].startswith("jaxstyle: 100 % done")
    callbacks.Progress(plan, shown=False)
    monkeypatch.setattr(callbacks.Progress, "LEAST", 60.0)
    callbacks.Progress(plan).tell(20, plan[0])
    assert capsys.readouterr().err == ""
