"""`jaxstyle train RECIPE --workdir DIR [--config.FIELD=VALUE …]`, and `train.py`, which is the same with `--config`."""

from __future__ import annotations

import argparse
import os
import pathlib
import runpy
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from ml_collections import ConfigDict

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.media.image_writing import check_writable, write_picture
from jaxstyle.runtime.output import lasting_output
from jaxstyle.runtime.platforms import existing_platform
from jaxstyle.runtime.settings import FLAG, spelled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the recipe; settings and other flags are parsed as `train.py` does."""
    parser.usage = "jaxstyle train RECIPE --workdir DIR [--config.FIELD=VALUE …]"
    known = f"a file, or one of {', '.join(sorted(shipped_recipes()))}; with :test a variant that takes seconds"
    parser.add_argument("recipe", metavar="RECIPE", help=known)
    parser.add_argument("--workdir", metavar="DIR", help="folder for everything the run writes; required")
    find = "train some steps with a rising learning rate, draw the loss over it, propose one; nothing else is written"
    parser.add_argument("--find-rate", metavar="PICTURE", help=find)
    parser.set_defaults(flags=[])


def run(args: argparse.Namespace) -> int:
    """Runs a recipe; 0 when it is done, 2 for bad input."""
    recipe = find_recipe(args.recipe)
    if args.find_rate is not None:
        check_writable(args.find_rate)
        return run_flags(["jaxstyle train", f"--config={recipe}", "--workdir=unused", *args.flags], args.find_rate)
    workdir = [] if args.workdir is None else [f"--workdir={args.workdir}"]
    return run_flags(["jaxstyle train", f"--config={recipe}", *workdir, *args.flags])


def shipped_recipes() -> dict[str, pathlib.Path]:
    """The recipes that come with jaxstyle, by name; they lie beside the package, or in it when it is installed."""
    package = pathlib.Path(__file__).resolve().parent.parent
    folder = next((place for place in (package / "configs", package.parent / "configs") if place.is_dir()), package)
    return {path.stem: path for path in folder.glob("*.py") if not path.stem.startswith("_")}


def find_recipe(name: str) -> str:
    """The file of a recipe by its name or path, its variant behind it; raises `JaxstyleError` where there is none."""
    path, colon, variant = name.partition(":")
    known = shipped_recipes()
    if not os.path.isfile(path) and path not in known:
        raise JaxstyleError(f"there is no recipe {path!r}; {did_you_mean(pathlib.Path(path).stem, sorted(known))}")
    return f"{path if os.path.isfile(path) else known[path]}{colon}{variant}"


def run_flags(argv: Sequence[str], picture: str = "") -> int:
    """Calls the function that a recipe's `run` names, `"package.module:function"`, with (config, workdir).

    `argv` is the program's name and its flags; with a `picture` to draw, a learning rate is found instead. Returns the
    exit status.
    """
    from absl import flags, logging  # late: no other command needs flags
    from ml_collections import config_flags

    from jaxstyle.training import devices

    values = flags.FlagValues()
    recipe = "The recipe, a file of configs/."
    config = config_flags.DEFINE_config_file("config", None, recipe, values, lock_config=True, sys_argv=list(argv))
    add_flags(flags, values)
    logging.set_verbosity(logging.WARNING)  # JAX tells at INFO of every backend it does not find
    program = os.path.basename(argv[0])
    try:
        check_recipe(argv)
        rest = parse(values, argv)
        if rest:
            raise JaxstyleError(f"unexpected argument {rest[0]!r}; settings are written --config.NAME=VALUE")
        devices.join(values.coordinator or "", values.processes, values.process)
        run = named_function(config.value.run)
        with lasting_output(), spelled(FLAG), existing_platform():
            run(config.value, values.workdir) if not picture else tell_rate(config.value, picture)
    except JaxstyleError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    return 0


def tell_rate(config: ConfigDict, picture: str) -> None:
    """Finds a learning rate, says it and draws how it was found."""
    from jaxstyle.media.charts import curve_chart
    from jaxstyle.training.config import TrainingConfig
    from jaxstyle.training.finding import find_rate

    if config.run != TrainingConfig.run:
        raise JaxstyleError("--find-rate is for the trainings of networks, and this recipe optimises pictures")
    rates, losses, rate = find_rate(config)
    title = f"loss over learning rate; a tenth of where it is least is {rate:.1e}"
    write_picture(picture, curve_chart(rates, losses, rate, title))
    print(f"{picture}: {len(rates)} steps, learning rates {rates[0]:.1e} to {rates[-1]:.1e}")
    print(f"a tenth of the rate where the loss is least: --config.optimizer.learning_rate={rate:.1e}")


def check_recipe(argv: Sequence[str]) -> None:
    """Raises `JaxstyleError` where no recipe or no workdir is named, or the recipe is none."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config")
    parser.add_argument("--workdir")
    try:
        given = parser.parse_known_args(argv[1:])[0]
    except argparse.ArgumentError as error:
        raise JaxstyleError(str(error)) from None
    if not given.config:
        raise JaxstyleError("no recipe: name one by --config configs/NAME.py")
    path, _, variant = find_recipe(given.config).partition(":")
    config = read_recipe(path, variant)
    if variant and config == read_recipe(path):  # misspelt, it would train on
        raise JaxstyleError(f"{path} has no variant {variant!r}; those of jaxstyle's recipes have one, 'test'")
    if not given.workdir:
        raise JaxstyleError("no workdir: name a folder for everything the run writes by --workdir DIR")


def read_recipe(path: str, variant: str = "") -> ConfigDict:
    """Runs a recipe; raises `JaxstyleError` where it fails, or gives no config."""
    try:
        get_config: Any = runpy.run_path(path).get("get_config")
        config = get_config(variant) if variant else get_config() if get_config else None
    except JaxstyleError:
        raise
    except (Exception, SystemExit) as error:  # a recipe may do anything
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        where = f" in line {lines[-1]}" if lines else ""
        raise JaxstyleError(f"the recipe {path!r} fails{where}: {error} ({type(error).__name__})") from error
    if not isinstance(config, ConfigDict) or not isinstance(config.get("run"), str):
        raise JaxstyleError(f"the recipe {path!r} has no get_config() that returns a ConfigDict with `run`")
    return config


def named_function(name: str) -> Callable[..., Any]:
    """Imports the function that a recipe's `run` names; raises `JaxstyleError` where there is none."""
    module, _, function = name.partition(":")
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        if isinstance(error, ModuleNotFoundError) and not module.startswith(error.name or module):
            raise
        raise JaxstyleError(f"the recipe's run is {name!r}, and no function's name as package.module:name") from None


def add_flags(flags: Any, values: Any) -> None:
    """Defines the flags beside the recipe's."""
    of_all = "host:port of process 0, or `cluster`: ask the scheduler."
    flags.DEFINE_string("workdir", None, "Folder for everything the run writes.", flag_values=values)
    flags.DEFINE_string("coordinator", None, of_all, flag_values=values)
    flags.DEFINE_integer("processes", 0, "How many processes train together, with --coordinator.", flag_values=values)
    flags.DEFINE_integer("process", -1, "Which of them this is, from 0.", flag_values=values)


def parse(values: Any, argv: Sequence[str]) -> list[str]:
    """Reads the flags; the words between them come back.

    Raises:
      JaxstyleError: A recipe, a flag or a setting that there is not, or a value it cannot have.
    """
    from absl import flags

    try:
        return values(argv)[1:]
    except flags.Error as error:
        raise JaxstyleError(" ".join(str(error).split())) from None
    except (AttributeError, KeyError, ValueError) as error:  # of ml_collections, one within the other
        reason: object = error
        while isinstance(reason, Exception):
            reason = reason.args[0]
        raise JaxstyleError(f"unknown setting {' '.join(str(reason).split())}") from None
