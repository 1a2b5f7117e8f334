"""The settings: one source of defaults, read the same from text, mappings and Python."""

import argparse
import dataclasses
import importlib.util
import pathlib

import numpy as np
import pytest

from jaxstyle.cli.pixel_jobs import commands, described
from jaxstyle.errors import JaxstyleError
from jaxstyle.pixels.stylize import StyleTransferConfig
from jaxstyle.runtime.settings import FLAG, OPTION, named, spelled

DEFAULTS = StyleTransferConfig()
FIELDS = dataclasses.fields(StyleTransferConfig)
RECIPE = pathlib.Path(__file__).resolve().parents[2] / "configs" / "style_transfer.py"


def recipe(variant=""):
    spec = importlib.util.spec_from_file_location("recipe", RECIPE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(variant)


def arguments(*words):
    parser = argparse.ArgumentParser()
    commands()["stylize"].add_arguments(parser)
    return parser, parser.parse_args(["photo.png", "painting.png", "-o", "out.png", *words])


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("size", "640", 640),
        ("content_weight", "1e-2", 0.01),
        ("learning_rate", "0.5", 0.5),
        ("style_size", "99", 99),
        ("devices", "3", 3),
        ("style_weights", "1, 2.5,3", (1.0, 2.5, 3.0)),
        ("layer_weights", "1", (1.0,)),
        ("style_layers", "relu1_1, relu2_1", ("relu1_1", "relu2_1")),
        ("content_layers", "", ()),
        ("style_loss", "gram", "gram"),
        ("init", "a,b.png", "a,b.png"),
    ],
)
def test_text_becomes_the_declared_type(name, text, expected):
    assert StyleTransferConfig.parse(name, text) == expected
    assert StyleTransferConfig.as_declared(name, text) == expected
    assert type(getattr(StyleTransferConfig(**{name: text}), name)) is type(expected)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("size", "12.5", "size '12.5' is not a whole number"),
        ("content_weight", "much", "content_weight 'much' is not a number"),
        ("style_weights", "1,two", "style_weights '1,two' is not numbers, written a,b,c"),
        ("devices", "all", "devices 'all' is not a whole number"),
    ],
)
def test_text_of_another_kind(name, text, message):
    with pytest.raises(JaxstyleError, match=message):
        StyleTransferConfig.parse(name, text)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("style_layers", ["relu1_1"], ("relu1_1",)),
        ("layer_weights", [1, np.float32(2)], (1.0, 2.0)),
        ("content_weight", 3, 3.0),
        ("learning_rate", 1, 1.0),
        ("learning_rate", None, None),
        ("size", np.int64(64), 64),
        ("init", pathlib.PurePosixPath("a/b.png"), "a/b.png"),
    ],
)
def test_python_values_become_the_declared_type(name, value, expected):
    found = getattr(StyleTransferConfig(**{name: value}), name)
    assert found == expected and type(found) is type(expected)
    hash(StyleTransferConfig(**{name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", 64.5),
        ("size", None),
        ("content_weight", [1]),
        ("layer_weights", 3),
        ("style_layers", [1]),
        ("style_loss", 3),
        ("layer_weights", ["much"]),
    ],
)
def test_python_values_of_another_type(name, value):
    with pytest.raises(JaxstyleError, match=f"^{name} is .*; it must be"):
        StyleTransferConfig(**{name: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 15}, "size is 15; it must be at least 16"),
        ({"content_weight": -1}, "content_weight is -1; it must be at least 0"),
        ({"tv_weight": float("nan")}, "tv_weight is nan; it must be a finite number"),
        ({"layer_weights": (1, 1, float("inf"), 1, 1)}, "layer_weights is inf"),
        ({"style_loss": "grams"}, "style_loss 'grams' is unknown; did you mean 'gram'"),
        ({"avg_decay": 1}, "avg_decay is 1; it must be below 1"),
        ({"learning_rate": 0}, "learning_rate is 0; it must be above 0"),
        ({"style_scale": 0}, "style_scale is 0; it must be above 0"),
        ({"style_layers": ()}, "style_layers is empty"),
        ({"layer_weights": (1,)}, "layer_weights has 1 numbers for 5 style layers"),
        ({"style_weights": (0, 0)}, "style_weights are all zero"),
        ({"initial_iterations": 0}, "initial_iterations is 0; it must be at least 1"),
        ({"devices": 0}, "devices is 0; it must be at least 1"),
    ],
)
def test_values_that_cannot_be(changes, message):
    with pytest.raises(JaxstyleError, match=message):
        StyleTransferConfig.from_mapping(changes)


def test_an_unknown_setting_names_the_nearest():
    with pytest.raises(JaxstyleError, match="unknown setting 'contant_weight'; did you mean 'content_weight'"):
        StyleTransferConfig.from_mapping({"contant_weight": 1})


@pytest.mark.parametrize("field", FIELDS, ids=[field.name for field in FIELDS])
def test_every_setting_is_an_option_with_help_and_default(field):
    parser, _ = arguments()
    action = next(a for a in parser._actions if "--" + field.name.replace("_", "-") in a.option_strings)
    assert action.help.startswith(field.metadata["help"]) and len(field.metadata["help"]) > 8
    assert field.default in (None, ()) or "default: " in action.help
    for choice in field.metadata["choices"]:
        assert choice in action.metavar


def test_defaults_are_the_same_everywhere():
    _, args = arguments()
    assert all(getattr(args, field.name) is None for field in FIELDS)  # so the dataclass's own hold
    values = dict(recipe().items())
    assert StyleTransferConfig.from_mapping({field.name: values[field.name] for field in FIELDS}) == DEFAULTS
    assert StyleTransferConfig.from_mapping({}) == DEFAULTS
    DEFAULTS.check()


def test_the_defaults_shown_in_the_help_are_the_defaults():
    for field in FIELDS:
        shown = described(field).rpartition("(default: ")[2].removesuffix(")")
        if field.default not in (None, (), ""):  # of these the help says what they stand for
            assert StyleTransferConfig.parse(field.name, shown) == field.default


@pytest.mark.parametrize(
    ("spelling", "name"), [("{}", "avg_decay"), (OPTION, "--avg-decay"), (FLAG, "--config.avg_decay")]
)
def test_errors_name_a_field_as_the_caller_wrote_it(spelling, name):
    with spelled(spelling):
        assert named("avg_decay") == name
        with pytest.raises(JaxstyleError, match=f"^{name} is 1; it must be below 1"):
            StyleTransferConfig(avg_decay=1).check()
    assert named("avg_decay") == "avg_decay"
