"""Settings: frozen dataclasses with declared types, least values and choices, and how their fields are spelled.

A job's settings are one frozen dataclass whose fields are made by `setting`; the command line, the recipes in
`configs/` and Python all read it. An error names a field as the caller wrote it (`named`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import operator
import os
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Self

from jaxstyle.errors import JaxstyleError, did_you_mean

_spelling: ContextVar[str] = ContextVar("spelling", default="{}")


def named(field: str) -> str:
    """A field as the caller writes it: `avg_decay`, `--avg-decay` or `--config.avg_decay`; see `spelled`."""
    spelling = _spelling.get()
    return spelling.format(field.replace("_", "-") if spelling == OPTION else field)


def parse_size(text: str, name: str) -> tuple[int, int]:
    """Parses a size in pixels, `512` or `640x480`, as height and width; raises `JaxstyleError`, which says `name`."""
    found = re.fullmatch(r"(\d+)(?:[x×](\d+))?", text.strip())
    if not found:
        raise JaxstyleError(f"{name} {text!r} is neither a number of pixels nor WIDTHxHEIGHT, as in 640x480")
    return int(found[2] or found[1]), int(found[1])


OPTION, FLAG = "--{}", "--config.{}"
"""Spellings of the command line and of train.py."""


@contextlib.contextmanager
def spelled(spelling: str) -> Iterator[None]:
    """Errors inside name fields by a spelling, `OPTION` or `FLAG`; outside they are named as in Python."""
    before = _spelling.set(spelling)
    try:
        yield
    finally:
        _spelling.reset(before)


def setting(
    default: Any,
    help: str,
    choices: Iterable[str] = (),
    least: float | None = None,
    *,
    most: float | None = None,
    path: bool = False,
    word: bool = False,
    alias: str = "",
) -> Any:
    """A dataclass field with what the command line needs to know of it.

    Args:
      default: Its default.
      help: What it is, for `--help`.
      choices: The texts it may be; empty where any will do.
      least: The least it (or each of its numbers) may be.
      most: The most it (or each of its numbers) may be.
      path: Whether it names a file (or something jaxstyle knows): metadata then keeps the file's name alone.
      word: Whether the command line has it as its first word, in place of an option.
      alias: Another name of its option on the command line.
    """
    about = {"help": help, "choices": tuple(choices), "least": least, "most": most, "path": path, "word": word}
    about["alias"] = alias
    return dataclasses.field(default=default, metadata=about)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The base of a job's settings."""

    def __post_init__(self) -> None:
        """Gives every field its declared type: a list will do for a tuple, 1 for 1.0, a path for its name."""
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, self.as_declared(field.name, getattr(self, field.name)))

    def check(self) -> None:
        """Raises `JaxstyleError` for the first setting that cannot be."""
        for field in dataclasses.fields(self):
            value, choices = getattr(self, field.name), field.metadata["choices"]
            if choices and value not in choices:
                raise JaxstyleError(f"{named(field.name)} {value!r} is unknown; {did_you_mean(value, choices)}")
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, float) and not math.isfinite(number):
                    raise JaxstyleError(f"{named(field.name)} is {number}; it must be a finite number")
                if isinstance(number, int) and abs(number) >= 2**63:
                    raise JaxstyleError(f"{named(field.name)} is a number beyond 2^63, which nothing here can be")
        for field in dataclasses.fields(self):
            value, least, most = getattr(self, field.name), field.metadata["least"], field.metadata["most"]
            for number in value if isinstance(value, tuple) else (value,):
                if least is not None and number is not None and number < least:
                    raise JaxstyleError(f"{named(field.name)} is {number:g}; it must be at least {least:g}")
                if most is not None and number > most:
                    raise JaxstyleError(f"{named(field.name)} is {number:g}; it must be at most {most:g}")
        self.check_relations()

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""

    @classmethod
    def parse(cls, name: str, text: str) -> Any:
        """A field's value from its command-line spelling.

        Raises:
          JaxstyleError: The text is not of the field's type.
        """
        kind, _ = cls.declared(name)
        try:
            if typing.get_origin(kind) is tuple:
                element = typing.get_args(kind)[0]
                return tuple(element(part.strip()) for part in text.split(",") if part.strip())
            return CONVERT[bool](text) if kind is bool else kind(text)
        except ValueError:
            wanted = WANTED.get(kind, "numbers, written a,b,c")
            raise JaxstyleError(f"{named(name)} {text!r} is not {wanted}") from None

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Checked settings out of a mapping's items.

        Raises:
          JaxstyleError: A key is no setting (the nearest is named), or a value cannot be.
        """
        for name in values:
            if name not in (known := typing.get_type_hints(cls)):
                raise JaxstyleError(f"unknown setting {name!r}; {did_you_mean(name, known)}")
        settings = cls(**values)
        settings.check()
        return settings

    @classmethod
    def as_declared(cls, name: str, value: Any) -> Any:
        """A field's value in its declared type: text is parsed, lists become tuples, whole numbers floats.

        Raises:
          JaxstyleError: It is of another type.
        """
        kind, optional = cls.declared(name)
        if isinstance(value, str) and kind is not str:
            return cls.parse(name, value)
        if value is None and optional:
            return None
        try:
            if typing.get_origin(kind) is tuple:
                return tuple(CONVERT[typing.get_args(kind)[0]](element) for element in value)
            return CONVERT[kind](value)
        except (TypeError, ValueError, OverflowError):
            raise JaxstyleError(f"{named(name)} is {value!r}; it must be {WANTED.get(kind, 'a tuple')}") from None

    @classmethod
    @functools.cache  # for each field the hints of all are evaluated
    def declared(cls, name: str) -> tuple[Any, bool]:
        """A field's type without its `| None`, and whether it had one."""
        declared = typing.get_type_hints(cls)[name]
        kinds = [kind for kind in typing.get_args(declared) if kind is not type(None)]
        return (kinds[0], True) if type(None) in typing.get_args(declared) else (declared, False)


def truth(value: Any) -> bool:
    """True or False, itself or spelt out; raises `ValueError` where it is neither."""
    if str(value).lower() not in ("true", "false"):
        raise ValueError(value)
    return str(value).lower() == "true"


CONVERT: dict[Any, Callable[[Any], Any]] = {int: operator.index, float: float, str: os.fspath, bool: truth}
WANTED = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
