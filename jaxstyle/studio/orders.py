"""Orders: what the page asks for, read and checked, and the command and the Python call that make the same picture."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.studio.library import Entry, Library
from jaxstyle.studio.tools import TOOLS, Tool, read_config

FUNCTIONS = {"texture": "synthesize_texture", "apply": "apply_style"}
"""Python functions that are not called as their commands are."""


class Order(NamedTuple):
    """A picture that is asked for.

    Attributes:
      tool: That makes it.
      pictures: Which it reads, by the names of the tool's `Reads`.
      config: Its settings.
    """

    tool: Tool
    pictures: dict[str, list[Entry]]
    config: Any

    @property
    def sources(self) -> dict[str, list[str]]:
        """Pictures to be read, by the names of the tool's `Reads`; those that a setting names are left out."""
        by_setting = {kind.name for kind in self.tool.reads if kind.setting}
        return {name: [e.source for e in some] for name, some in self.pictures.items() if name not in by_setting}

    @property
    def changed(self) -> dict[str, Any]:
        """The settings that are not as they are by default; of pictures, their names as the user calls them."""
        default, named = self.tool.config(), {}
        for field in dataclasses.fields(self.config):
            value = getattr(self.config, field.name)
            if value != getattr(default, field.name):
                pictures = self.pictures.get(field.name)
                named[field.name] = called(pictures[0]) if pictures else value
        return named


def read_order(data: Any, library: Library) -> Order:
    """An order out of a page's JSON: `{"tool": …, "pictures": {name: [id, …]}, "settings": {…}}`.

    Raises:
      JaxstyleError: It is malformed, names what is not there, lacks a picture, or a setting cannot be.
    """
    wanted = data if isinstance(data, dict) else {}
    name, ids, values = wanted.get("tool"), wanted.get("pictures", {}), wanted.get("settings", {})
    if not isinstance(name, str) or not isinstance(ids, dict) or not isinstance(values, dict):
        raise JaxstyleError("an order has a tool, pictures and settings")
    if name not in TOOLS:
        raise JaxstyleError(f"there is no tool {name!r}; {did_you_mean(name, TOOLS)}")
    tool = TOOLS[name]
    pictures = read_pictures(tool, ids, library)
    config = read_config(tool, values, {name: [entry.source for entry in some] for name, some in pictures.items()})
    for kind in tool.reads:
        needed = kind.least or (kind.name == "contents" and getattr(config, "init", "") != "noise")
        if needed and not pictures[kind.name]:
            raise JaxstyleError("choose a photo" if kind.name == "contents" else "choose a painting")
    return Order(tool, pictures, config)


def read_pictures(tool: Tool, ids: Mapping[str, Any], library: Library) -> dict[str, list[Entry]]:
    """The pictures of an order by the names of the tool's `Reads`; raises `JaxstyleError` for one that is not there."""
    found = {kind.name: ids.get(kind.name, []) for kind in tool.reads}
    if not all(isinstance(some, list) for some in found.values()):
        raise JaxstyleError("an order's pictures are lists of ids")
    return {name: [library[id] for id in some] for name, some in found.items()}


def called(entry: Entry) -> str:
    """A picture as a command line names it."""
    return entry.source if entry.source.startswith("example:") else entry.name


def command(order: Order) -> str:
    """The command line that makes the picture."""
    return shlex.join(["jaxstyle", order.tool.name, *words(order), "-o", "out.png"])


def words(order: Order) -> Iterator[str]:
    """The pictures and options of the command line."""
    for kind in order.tool.reads:
        names = [called(entry) for entry in order.pictures.get(kind.name, ())]
        option = "style" if order.tool.name == "apply" and kind.name == "styles" else kind.option
        if not kind.setting:
            yield from (word for name in names for word in ((f"--{option}", name) if option else (name,)))
    for name, value in order.changed.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            yield option
        else:
            yield from (option, ",".join(map(str, value)) if isinstance(value, tuple) else str(value))


def python(order: Order) -> str:
    """The Python call that makes the picture, and the line that writes it."""
    function = FUNCTIONS.get(order.tool.name, order.tool.name)
    arguments = []
    for kind in order.tool.reads:
        names = [called(entry) for entry in order.pictures.get(kind.name, ())]
        if names and not kind.setting:
            value = repr(names[0] if len(names) == 1 else names)
            arguments.append(f"{kind.name}={value}" if kind.option else value)
    arguments += [f"{name}={value!r}" for name, value in order.changed.items()]
    made = "picture" if order.tool.name == "apply" else "result.picture"
    return (
        f"import jaxstyle\n\n{made.partition('.')[0]} = jaxstyle.{function}({', '.join(arguments)})\n"
        f'jaxstyle.write_picture("out.png", {made})'
    )
