"""Dials and orders: every setting has a dial, and the command and the call that are shown make the same picture."""

import argparse
import dataclasses
import json
import shlex
import types

import pytest

from jaxstyle.cli import pixel_jobs
from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs.registry import JOBS
from jaxstyle.studio import orders, tools
from jaxstyle.studio.library import Library

EXAMPLES = {
    "stylize": ({"size": 256, "strength": 0.7, "style_layers": "relu1_1,relu3_1", "preserve_color": "luminance"}, "2"),
    "texture": ({"size": "320x240", "tileable": True, "iterations": 30}, "1"),
    "dream": ({"layers": "relu3_1", "channels": "1,2", "octaves": 2, "init": "noise"}, "0"),
    "visualize": ({"layer": "relu3_1", "channels": "0:4", "size": 64}, "0"),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return Library(tmp_path_factory.mktemp("library"))


def order(library, name):
    pictures = {"stylize": {"contents": ["landscape"], "styles": ["brushwork", "mosaic"]}}
    pictures |= {"texture": {"styles": ["mosaic"]}, "dream": {}, "visualize": {}}
    return orders.read_order({"tool": name, "pictures": pictures[name], "settings": EXAMPLES[name][0]}, library)


def test_every_pixel_job_but_projection_is_a_tool_and_every_setting_a_dial():
    assert set(tools.TOOLS) == {*JOBS, "apply"} - {"project"}
    for tool in tools.TOOLS.values():
        told = json.loads(json.dumps(tools.described(tool)))
        seen = {dial["name"] for dial in told["dials"]} | {kind["name"] for kind in told["pictures"]}
        settings = {field.name for field in dataclasses.fields(tool.config)}
        assert settings - seen <= set(tools.HIDDEN)
        shown = [dial["name"] for dial in told["dials"] if dial["shown"]]
        assert shown == list(tool.dials)


@pytest.mark.parametrize("name", list(tools.TOOLS))
def test_the_dials_as_they_stand_are_the_defaults(name):
    tool = tools.TOOLS[name]
    values = {dial["name"]: dial["value"] for dial in tools.described(tool)["dials"]}
    assert tools.read_config(tool, values, {}) == tool.config()


def test_sliders_reach_only_what_can_be():
    for tool in tools.TOOLS.values():
        for name, slider in tool.dials.items():
            for value in slider[:2] if slider else ():
                whole = tool.config.declared(name)[0] is int
                tools.read_config(tool, {name: int(value) if whole else float(value)}, {})


@pytest.mark.parametrize("name", sorted({*JOBS} & {*tools.TOOLS}))
def test_the_command_line_is_of_the_same_settings(library, name):
    made = order(library, name)
    words = shlex.split(orders.command(made))
    assert words[:2] == ["jaxstyle", name]
    command, parser = pixel_jobs.commands()[name], argparse.ArgumentParser()
    command.add_arguments(parser)
    args = parser.parse_args(words[2:])
    assert pixel_jobs.read_settings(args, JOBS[name].config) == made.config
    assert {k: v for k, v in command.sources(args).items() if v} == {k: v for k, v in made.sources.items() if v}


@pytest.mark.parametrize("name", sorted({*JOBS} & {*tools.TOOLS}))
def test_the_python_call_is_of_the_same_settings(library, name, monkeypatch):
    made, calls = order(library, name), []
    function = orders.FUNCTIONS.get(name, name)

    def record(*pictures, **settings):
        calls.append((pictures, settings))
        return types.SimpleNamespace(picture=None)

    fake = types.SimpleNamespace(write_picture=lambda *_: None, **{function: record})
    exec(orders.python(made).removeprefix("import jaxstyle\n"), {"jaxstyle": fake})
    (pictures, settings), *_ = calls
    assert JOBS[name].config(**settings) == made.config
    given = [one for each in pictures for one in (each if isinstance(each, list) else [each])]
    assert given == [source for some in made.sources.values() for source in some]


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"features": "/etc/passwd"}, "features '/etc/passwd' is none of this page's choices"),
        ({"init": "../secret.png"}, "init '../secret.png' is none of this page's choices"),
        ({"size": 3}, "size is 3; it must be at least 16"),
        ({"size": "large"}, "size 'large' is not a whole number"),
        ({"strenght": 1}, "unknown setting 'strenght'; did you mean 'strength'"),
        ({"size": [1]}, "size is"),
        ({"seed": 1e999}, "seed is inf"),
    ],
)
def test_settings_that_cannot_be(library, settings, words):
    wanted = {"tool": "stylize", "pictures": {"contents": ["landscape"], "styles": ["mosaic"]}, "settings": settings}
    with pytest.raises(JaxstyleError, match=words.replace("(", r"\(")):
        orders.read_order(wanted, library)


@pytest.mark.parametrize(
    "data, words",
    [
        (None, "an order has a tool"),
        ([], "an order has a tool"),
        ({"tool": 3}, "an order has a tool"),
        ({"tool": "stylise"}, "did you mean 'stylize'"),
        ({"tool": "stylize"}, "choose a photo"),
        ({"tool": "stylize", "pictures": {"contents": ["landscape"]}}, "choose a painting"),
        ({"tool": "stylize", "pictures": {"contents": "landscape"}}, "lists of ids"),
        ({"tool": "stylize", "pictures": {"contents": [{"a": 1}]}}, "no such picture"),
        ({"tool": "dream", "settings": {"guide": "/etc/passwd"}}, "guide '/etc/passwd' is none"),
        ({"tool": "dream", "settings": []}, "an order has a tool"),
    ],
)
def test_orders_that_cannot_be(library, data, words):
    with pytest.raises(JaxstyleError, match=words):
        orders.read_order(data, library)


def test_a_guide_is_a_picture_of_the_session(library):
    wanted = {"tool": "dream", "pictures": {"contents": ["landscape"], "guide": ["mosaic"]}, "settings": {}}
    made = orders.read_order(wanted, library)
    assert made.config.guide == "example:mosaic"
    assert "guide" not in made.sources
    assert "--guide example:mosaic" in orders.command(made)
