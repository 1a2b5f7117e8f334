"""The command line: `jaxstyle COMMAND …`. A command has `add_arguments` and `run`.

The commands of pixel jobs are made from the jobs (`pixel_jobs.py`), each of the others is a module of its own. Only the
one that is called is imported, so that help comes at once.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from jaxstyle._version import __version__
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.runtime import huge_pages
from jaxstyle.runtime.output import lasting_output
from jaxstyle.runtime.settings import OPTION, spelled

ABOUT = "Stylise and generate pictures with JAX, on CPU, GPU and TPU."
PIXEL_JOBS = ("stylize", "texture", "dream", "visualize", "project")
GROUPS = {
    "make pictures": {
        "stylize": "paint photos and films in the style of paintings",
        "apply": "stylise pictures and films at once, by a trained network",
        "texture": "synthesise a texture that looks like a picture, or like a mixture of several",
        "dream": "dream on a picture: more of what a network recognises in it",
        "visualize": "paint what channels of a network respond to: one picture, or a labelled atlas",
        "studio": "make pictures on a page in the browser, with live preview",
    },
    "train networks": {
        "train": "train a network, or run any other recipe",
        "data": "describe a folder of pictures or a dataset, and find what is wrong with it",
        "evaluate": "evaluate a trained network, and the pictures it generates",
    },
    "use what was trained": {
        "project": "find the latent from which a trained generator draws a photo, as nearly as it can",
        "sample": "draw pictures from a trained VAE or GAN",
        "predict": "classify pictures or clips by a trained classifier",
        "segment": "segment pictures by a trained network, into masks and overlays",
        "forecast": "predict the frames that follow a clip, by a trained forecaster",
    },
    "manage networks": {
        "features": "list, fetch, verify and convert pretrained feature extractors",
        "models": "show style models, and convert workdirs and published weights to them",
        "export": "write a trained network as StableHLO or ONNX, to run without jaxstyle",
    },
    "look after the installation": {
        "doctor": "show versions, devices, caches and optional parts, and how to add those that are missing",
        "completion": "print a script that makes a shell complete commands and options",
    },
}
COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}


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
      argv: Arguments; None takes the process's, which may then be started anew, see `huge_pages`.

    Returns:
      The exit status: 0 done, 2 bad input, 130 interrupted.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    name = next((word for word in words if not word.startswith("-")), "")
    parser, commands = parsers(name)
    if name and name not in COMMANDS:
        parser.error(f"unknown command {name!r}; {did_you_mean(name, COMMANDS)}")
    args, unknown = parser.parse_known_args(words)
    if unknown and args.command == "train":
        args.flags = unknown
    elif unknown:
        commands[args.command].reject(unknown[0])
    if argv is None:
        huge_pages.restart()
    from jaxstyle.runtime.platforms import existing_platform  # late, as it imports JAX

    try:
        with lasting_output(), spelled(OPTION), existing_platform():
            return args.run(args)
    except JaxstyleError as error:
        print(f"jaxstyle: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("jaxstyle: interrupted", file=sys.stderr)
        return 130


def parsers(*names: str) -> tuple[Parser, dict[str, Parser]]:
    """The parser of all commands, and those of each; only commands among `names` have their arguments."""
    parser = Parser(
        prog="jaxstyle",
        usage="jaxstyle COMMAND … [options]",
        description=ABOUT,
        epilog=overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"jaxstyle {__version__}")
    hidden: dict[str, Any] = {"required": True, "metavar": "COMMAND", "help": argparse.SUPPRESS}
    commands = parser.add_subparsers(dest="command", prog="jaxstyle", **hidden)
    found: dict[str, Parser] = {}
    for name, text in COMMANDS.items():
        found[name] = commands.add_parser(name, description=text[0].upper() + text[1:] + ".")
        if name in names:
            module = load(name)
            module.add_arguments(found[name])
            found[name].set_defaults(run=module.run)
    return parser, found


def load(name: str) -> Any:
    """A command: a module, or what is made of a pixel job."""
    if name in PIXEL_JOBS:
        return importlib.import_module("jaxstyle.cli.pixel_jobs").commands()[name]
    return importlib.import_module(f"jaxstyle.cli.{name}")


def overview() -> str:
    """All commands by what one wants to do."""
    lines = []
    for title, group in GROUPS.items():
        lines.append(f"{title}:")
        for name, text in group.items():
            lines += textwrap.wrap(text, 78, initial_indent=f"  {name:12}", subsequent_indent=" " * 14)
        lines.append("")
    return "\n".join([*lines, "`jaxstyle COMMAND --help` lists the options of a command."])
