"""Hostile folders of style models."""

import json

import numpy as np
import pytest
import tiny_models
from hostile.corpus import PLACES, nested

from jaxstyle.features.weights.files import encode
from jaxstyle.inference.style_model import described, flat


def models():
    """Files of a style model's folder that are not as they should be."""
    model = tiny_models.known_model()
    config = described(model)
    network = config["network"]
    changes = {
        "kind": ["known", None, 3, "adain"],
        "styles": [None, 3, "ab", ["red", "red"], [1, 2], [["a"], ["b"]], ["two\nlines", "\x1b[31m"]],
        "notes": [None, [], {"a": 1}],
        "version": [2, None],
    }
    for name, values in changes.items():
        for value in values:
            yield f"{name} {value!r}", {"config.json": json.dumps(config | {name: value})}
    for name in network:
        for value in (None, "x", -1, 10**9, 1e400, [], {"a": 1}, [[1] * 9] * 9):
            yield (
                f"network's {name} {value!r:.9}",
                {"config.json": json.dumps(config | {"network": network | {name: value}})},
            )
    for name, text in {"nothing": "", "a list": "[]", "nested": nested(10**5), "a number": "9" * 10**5}.items():
        yield f"config {name}", {"config.json": text}
    yield "config no text", {"config.json": b"\xff\xfe{}"}
    tensors = flat(model.params)
    yield "NaN", {"params.safetensors": encode({n: np.full_like(t, np.nan) for n, t in tensors.items()}, {})}
    yield "nested names", {"params.safetensors": encode({"a/" * 2000 + "b": np.zeros(1, np.float32)}, {})}
    yield (
        "a name in another",
        {"params.safetensors": encode({"a": np.zeros(1, np.float32), "a/b": np.zeros(1, np.float32)}, {})},
    )
    yield "half", {"params.safetensors": encode(dict(list(tensors.items())[::2]), {})}


MODELS = dict(models())


@pytest.mark.parametrize("name", MODELS)
def test_models(attempt, here, name):
    (here / "model").mkdir()
    for path in (here / "known").iterdir():
        (here / "model" / path.name).write_bytes(path.read_bytes())
    for file, data in MODELS[name].items():
        (here / "model" / file).write_bytes(data if isinstance(data, bytes) else data.encode())
    attempt("models", "show", "model")


@pytest.mark.parametrize("file", ["config.json", "params.safetensors"])
@pytest.mark.parametrize("place", PLACES)
def test_places_of_models(attempt, here, file, place):
    (here / "model").mkdir()
    for path in (here / "known").iterdir():
        if path.name != file:
            (here / "model" / path.name).write_bytes(path.read_bytes())
    PLACES[place](here / "model" / file)
    assert attempt("models", "show", "model")[0] == 2


@pytest.mark.parametrize("place", PLACES)
def test_places_of_raw_weights(attempt, here, place):
    (here / "magenta").mkdir()
    PLACES[place](here / "magenta" / "transformer_expand_conv3_conv_InstanceNorm_beta")
    PLACES[place](here / "magenta" / "transformer_contract_conv1_weights")
    assert attempt("models", "convert", "magenta", "out/m")[0] == 2
