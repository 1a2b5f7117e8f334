"""ffmpeg and ffprobe as processes: whether they are there, what they can do, and one under way."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from jaxstyle.errors import JaxstyleError

QUIET = ("-v", "error", "-nostdin")
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg"
STRICT = ("-err_detect", "explode")  # a damaged frame is left out, not guessed at


def check_installed(name: str) -> None:
    """Raises `JaxstyleError` where the film of that name cannot be read or written for want of ffmpeg."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        raise JaxstyleError(
            f"{name!r} needs ffmpeg, which is not installed: install it, or use a .gif or a folder of numbered frames"
        )


def has(kind: str, name: str) -> bool:
    """Tells whether the installed ffmpeg was built with one of its "filters" or "bsfs" (bitstream filters)."""
    done = subprocess.run(["ffmpeg", "-hide_banner", f"-{kind}"], capture_output=True, check=False)
    return any(name.encode() in line.split()[:2] for line in done.stdout.splitlines())


def passthrough() -> tuple[str, str]:
    """Returns the option that keeps every frame and its time, which ffmpeg 5.1 renamed."""
    done = subprocess.run(["ffmpeg", "-hide_banner", "-h", "long"], capture_output=True, check=False)
    return ("-fps_mode" if b"-fps_mode" in done.stdout else "-vsync"), "passthrough"


def source(path: pathlib.Path) -> tuple[str, ...]:
    """Returns the options that read a film, and never what a playlist under a film's name leads to."""
    return ("-format_whitelist", CONTAINERS, "-i", file_url(path))


def file_url(path: pathlib.Path) -> str:
    """Names a file so that it is taken for neither an option nor a protocol."""
    return f"file:{path}"


def probe(path: pathlib.Path, *arguments: str) -> tuple[list[dict[str, str]], str]:
    """Asks ffprobe about a film.

    Returns:
      The entries, each as its values by name, with the name of its section as `""`; and ffprobe's complaints.
    """
    command = ["ffprobe", "-v", "error", *arguments, "-of", "compact", *source(path)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return [_entry(line) for line in done.stdout.splitlines() if line], " ".join(done.stderr.split())


def _entry(line: str) -> dict[str, str]:
    """Parses a line `section|name=value|…`."""
    section, *fields = line.split("|")
    pairs = (field.partition("=") for field in fields)
    return {"": section} | {name: value for name, equals, value in pairs if equals}


@contextlib.contextmanager
def running(arguments: list[str], **pipes: Any) -> Iterator[tuple[Any, Callable[[], str]]]:
    """Runs ffmpeg for the block, where Ctrl-C does not reach it; yields the process, and what returns its complaints.

    `pipes` are `stdin` or `stdout`, as for `subprocess.Popen`.
    """
    quiet = QUIET if "stdin" not in pipes else QUIET[:2]
    with tempfile.TemporaryFile() as said:

        def complaints() -> str:
            said.seek(0)
            return " ".join(said.read().decode(errors="replace").split())

        process = subprocess.Popen(["ffmpeg", *quiet, *arguments], stderr=said, start_new_session=True, **pipes)
        try:
            yield process, complaints
        finally:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    if pipe is not None:
                        pipe.close()
            process.wait()
