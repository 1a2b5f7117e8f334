"""The studio's tools: the pixel jobs and stylisation at once, and their settings as dials that the page draws."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import load
from jaxstyle.features.weights import registry
from jaxstyle.inference.apply import PRESERVE
from jaxstyle.jobs.registry import JOBS
from jaxstyle.pixels.job import Reads
from jaxstyle.runtime.settings import Settings, setting

HIDDEN = ("devices", "frames", "zoom", "fps")
"""Settings without a dial: of the machine, and of films, which the command line makes."""
Slider = tuple[float, float, float]
"""Low end, high end and step."""


@dataclasses.dataclass(frozen=True)
class AtOnceConfig(Settings):
    """Settings of stylising a picture in one pass of the network."""

    strength: float = setting(1.0, "how much painting: 0 keeps the photo", least=0, most=1)
    preserve_color: str = setting("none", "keep the photo's colours", PRESERVE)


class Tool(NamedTuple):
    """A tool of the studio.

    Attributes:
      name: The command that it is: a pixel job's, or `apply`.
      title: Its name on the page.
      config: Its settings.
      reads: The pictures that it reads.
      dials: The settings that are shown; those with numbers are sliders. All others are folded.
    """

    name: str
    title: str
    config: type[Settings]
    reads: tuple[Reads, ...]
    dials: Mapping[str, Slider | None]


SIZE, ITERATIONS = (128, 1024, 32), (20, 400, 10)
SHOWN: dict[str, tuple[str, dict[str, Slider | None]]] = {
    "stylize": (
        "Stylise",
        {
            "strength": (0, 1, 0.05),
            "size": SIZE,
            "style_scale": (0.25, 3, 0.05),
            "iterations": ITERATIONS,
            "preserve_color": None,
        },
    ),
    "texture": ("Texture", {"size": None, "iterations": ITERATIONS, "tileable": None}),
    "dream": (
        "Dream",
        {
            "layers": None,
            "size": SIZE,
            "octaves": (1, 8, 1),
            "iterations": (5, 100, 5),
            "learning_rate": (0.001, 0.02, 0.001),
            "preserve_color": None,
        },
    ),
    "visualize": ("Look inside", {"layer": None, "channels": None, "size": (64, 512, 32), "iterations": (32, 512, 32)}),
}
"""Title and dials of every pixel job that is on the page, in the order of its tabs."""

AT_ONCE = Tool(
    "apply",
    "At once",
    AtOnceConfig,
    tuple(kind for kind in JOBS["stylize"].reads if kind.least),
    {"strength": (0, 1, 0.05), "preserve_color": None},
)
TOOLS: dict[str, Tool] = {
    name: Tool(name, title, JOBS[name].config, JOBS[name].reads, dials) for name, (title, dials) in SHOWN.items()
} | {AT_ONCE.name: AT_ONCE}


def described(tool: Tool) -> dict[str, Any]:
    """A tool as the page draws it, in JSON values: its pictures and its dials."""
    order = list(tool.dials)
    fields = [field for field in dataclasses.fields(tool.config) if field.name not in HIDDEN]
    fields.sort(key=lambda field: order.index(field.name) if field.name in order else len(order))
    pictures = {kind.setting for kind in tool.reads if kind.setting and not kind.words}
    return {
        "name": tool.name,
        "title": tool.title,
        "pictures": [described_reads(kind) for kind in tool.reads],
        "dials": [described_dial(tool, field) for field in fields if field.name not in pictures],
    }


def described_reads(kind: Reads) -> dict[str, Any]:
    """A kind of picture that a tool reads; `several` of it where the tool blends them."""
    several = not kind.each and not kind.setting
    label = kind.name.replace("_", " ")
    return {
        "name": kind.name,
        "label": {"contents": "photo", "styles": "painting"}.get(kind.name, label),
        "help": kind.help,
        "needed": kind.least > 0 or kind.name == "contents",
        "several": several,
    }


def described_dial(tool: Tool, field: dataclasses.Field) -> dict[str, Any]:
    """A setting as a dial: its kind, what it can be, and its default."""
    kind, _ = tool.config.declared(field.name)
    slider, value = tool.dials.get(field.name), getattr(tool.config(), field.name)
    choices = choices_of(tool, field)
    number = kind in (int, float)
    return {
        "name": field.name,
        "label": field.name.replace("_", " ").replace("color", "colour").capitalize(),
        "help": re.sub(r" \([^()]*--[^()]*\)", "", field.metadata["help"]),  # the page lists layers itself
        "shown": field.name in tool.dials,
        "kind": "check"
        if kind is bool
        else "choice"
        if choices
        else "range"
        if slider
        else "number"
        if number
        else "text",
        "range": slider,
        "whole": kind is int,
        "least": field.metadata["least"],
        "most": field.metadata["most"],
        "choices": choices,
        "layers": field.name in ("layer", "layers"),
        "value": ",".join(map(str, value)) if isinstance(value, tuple) else value,
    }


def choices_of(tool: Tool, field: dataclasses.Field) -> list[str]:
    """Values that a setting can have; of one that names a file, the names that are none. No path comes from a page."""
    if field.name == "features":
        return networks()
    if field.metadata["path"]:
        return list(next(kind.words for kind in tool.reads if kind.setting == field.name))
    return list(field.metadata["choices"])


def networks() -> list[str]:
    """The networks that are on this machine, by name."""
    return [name for name, entry in registry.ENTRIES.items() if entry.shipped or registry.cached_path(name).exists()]


def layers(network: str) -> list[str]:
    """The layers of a network, shallow to deep."""
    if network not in networks():
        raise JaxstyleError(f"there is no network {network!r} here")
    return list(load(network).network.taps)


def read_config(tool: Tool, values: Mapping[str, Any], files: Mapping[str, Sequence[str]]) -> Any:
    """The checked settings of a tool.

    Args:
      tool: The tool.
      values: What the dials say; nothing and empty texts are defaults.
      files: Of pictures by the names of its `Reads`; those of settings become settings.

    Raises:
      JaxstyleError: An unknown setting, a value that cannot be, or one that would name a file.
    """
    given = {name: value for name, value in values.items() if value not in (None, "")}
    for field in dataclasses.fields(tool.config):
        if field.metadata["path"] and field.name in given and given[field.name] not in choices_of(tool, field):
            raise JaxstyleError(f"{field.name} {given[field.name]!r} is none of this page's choices")
    for kind in tool.reads:
        if kind.setting and files.get(kind.name):
            given[kind.setting] = files[kind.name][0]
    return tool.config.from_mapping(given)
