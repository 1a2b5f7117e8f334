"""Runs a recipe: `python train.py --config configs/NAME.py --workdir DIR [--config.FIELD=VALUE …]`."""

import runpy
import sys
from importlib import import_module

from absl import app, flags, logging
from ml_collections import config_flags

from jaxstyle.errors import JaxstyleError
from jaxstyle.training import devices

CONFIG = config_flags.DEFINE_config_file("config", None, "The recipe, a file of configs/.", lock_config=True)
COORDINATOR = flags.DEFINE_string("coordinator", None, "host:port of process 0, or `cluster`: ask the scheduler.")
PROCESSES = flags.DEFINE_integer("processes", 0, "How many processes train together, with --coordinator.")
PROCESS = flags.DEFINE_integer("process", -1, "Which of them this is, from 0.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder for everything the run writes.")


def main(argv: list[str]) -> None:
    """Calls the function that the recipe's `run` names, `"package.module:function"`, with (config, workdir)."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; settings are written --config.NAME=VALUE")
    logging.set_verbosity(logging.WARNING)  # JAX tells at INFO of every backend it does not find
    module, _, function = CONFIG.value.run.partition(":")
    try:
        check_variant(config_flags.get_config_filename(flags.FLAGS["config"]))
        devices.join(COORDINATOR.value or "", PROCESSES.value, PROCESS.value)
        getattr(import_module(module), function)(CONFIG.value, WORKDIR.value)
    except JaxstyleError as error:
        print(f"train.py: {error}", file=sys.stderr)
        sys.exit(2)


def check_variant(recipe: str) -> None:
    """A word after a recipe, as in `file.py:test`, must change something: misspelt, it would train for hours.

    Raises:
      JaxstyleError: It does not.
    """
    path, _, variant = recipe.partition(".py:")
    if variant:
        get_config = runpy.run_path(f"{path}.py")["get_config"]
        if get_config(variant) == get_config(""):
            raise JaxstyleError(f"{path}.py has no variant {variant!r}; those of jaxstyle's recipes have one, 'test'")


def parse(argv: list[str]) -> list[str]:
    """Reads the flags; a setting that the recipe lacks is told in one sentence, with the nearest name."""
    try:
        return app.parse_flags_with_usage(argv)
    except (AttributeError, KeyError) as error:  # of ml_collections, the former with the latter in place of its text
        reason: object = error
        while isinstance(reason, Exception):
            reason = reason.args[0]
        print(f"train.py: unknown setting {' '.join(str(reason).split())}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir"])
    app.run(main, flags_parser=parse)
