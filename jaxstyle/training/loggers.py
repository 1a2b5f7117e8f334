"""Loggers of one's own: what TensorBoard gets goes to another service, too, such as Weights & Biases or MLflow."""

from __future__ import annotations

import dataclasses
import os
import runpy
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol

import jax
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.settings import named


class Logger(Protocol):
    """An object that a run tells of what it reports."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Takes numbers by name, such as `train/loss` and `eval/accuracy`."""
        ...

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Takes a sheet of pictures, float32 `[H, W, 3]` in [0, 1]."""
        ...

    def close(self) -> None:
        """Ends, when the run does or stops."""
        ...


def find_logger(name: str) -> Callable[[str, dict[str, Any]], Logger] | None:
    """Finds the function, or class, that makes a logger of (workdir, config).

    Args:
      name: `file.py:function` or `package.module:function`; "" is none.

    Raises:
      JaxstyleError: There is no such file, module or function, or it fails when it is read.
    """
    place, _, function = name.rpartition(":")
    if not name:
        return None
    try:
        return runpy.run_path(place)[function] if place.endswith(".py") else getattr(import_module(place), function)
    except Exception as error:  # a file may do anything
        raise JaxstyleError(
            f"{named('logger')} is {name!r}, of which no logger comes ({type(error).__name__}: {error}); write "
            "file.py:function or package.module:function"
        ) from error


def make_logger(name: str, config: Any, workdir: Any) -> Guarded | None:
    """Makes the logger of a run, on process 0; see `find_logger`. Raises `JaxstyleError` where it cannot begin."""
    make = find_logger(name) if jax.process_index() == 0 else None
    try:
        return Guarded(make(os.fspath(workdir), dataclasses.asdict(config))) if make else None
    except Exception as error:
        raise JaxstyleError(f"{named('logger')} {name!r} cannot begin: {type(error).__name__}: {error}") from error


class Guarded:
    """A logger that is left alone once it fails, so that no training ends by it; a line on stderr says so."""

    def __init__(self, logger: Logger):
        self.logger: Any = logger

    def tell(self, method: str, *values: Any) -> None:
        """Calls a method of `Logger`."""
        try:
            if self.logger:
                getattr(self.logger, method)(*values)
        except Exception as error:  # of a network, mostly
            print(f"jaxstyle: the logger gets no more: {type(error).__name__}: {error}", file=sys.stderr)
            self.logger = None
