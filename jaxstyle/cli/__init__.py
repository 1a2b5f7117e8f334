"""The command line: `jaxstyle COMMAND …`. A command has `HELP`, `add_arguments` and `run`.

The commands of pixel jobs are made from the jobs (`pixel_jobs.py`), each of the others is a module of its own.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from jaxstyle._version import __version__
from jaxstyle.cli.pixel_jobs import commands as pixel_commands
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.output import lasting_output
from jaxstyle.runtime.platforms import existing_platform
from jaxstyle.runtime.settings import OPTION, spelled

ABOUT = "Stylise and generate pictures with JAX, on CPU, GPU and TPU."
COMMANDS = (
    *("stylize", "apply", "dream", "visualize", "texture", "train"),
    *("sample", "predict", "segment", "forecast", "evaluate"),
    *("features", "models", "export", "studio"),
)


class Parser(argparse.ArgumentParser):
    """Complains in one sentence, like every other bad input."""

    def error(self, message: str) -> NoReturn:
        """Prints the sentence and exits with status 2."""
        self.exit(2, f"jaxstyle: {message} (see {self.prog} --help)\n")

    def reject(self, word: str) -> NoReturn:
        """Complains of an argument that is none of this command's; names the nearest option."""
        name = word.partition("=")[0]
        near = difflib.get_close_matches(name, self._option_string_actions, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        self.error(f"unknown option {name}{hint}" if name.startswith("-") else f"unexpected argument {name!r}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
      argv: Arguments; None takes the process's.

    Returns:
      The exit status: 0 done, 2 bad input, 130 interrupted.
    """
    parser = Parser(prog="jaxstyle", description=ABOUT)
    parser.add_argument("--version", action="version", version=f"jaxstyle {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    pixel_jobs = pixel_commands()
    for name in COMMANDS:
        module: Any = pixel_jobs.get(name) or importlib.import_module(f"jaxstyle.cli.{name}")
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    args, unknown = parser.parse_known_args(argv)
    if unknown and args.command == "train":
        args.flags = unknown
    elif unknown:
        commands.choices[args.command].reject(unknown[0])
    try:
        with lasting_output(), spelled(OPTION), existing_platform():
            return args.run(args)
    except JaxstyleError as error:
        print(f"jaxstyle: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("jaxstyle: interrupted", file=sys.stderr)
        return 130
