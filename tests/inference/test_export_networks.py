"""Exported classifiers, segmentations, generators and forecasters give what the commands give."""

import json

import jax
import numpy as np
import pytest
from exported import close, needs, reloaded

from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.export import fixed, to_onnx
from jaxstyle.inference.export_networks import export_network, network_signature
from jaxstyle.inference.run import Run
from jaxstyle.tasks import classify, forecast, gan, segment, vae, vqvae
from jaxstyle.training.config import override
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo
from jaxstyle.training.task import template

CLASSES = ("cat", "dog", "owl")
SMALL = {
    "classify": (classify, {"model.name": "resnet", "model.depth": 8, "model.width": 2}),
    "segment": (segment, {"data.mask_classes": ("ground", "cell"), "model.width": 2, "model.levels": 2}),
    "vae": (vae, {"model.latents": 4, "model.widths": (4, 4), "model.hidden": 8, "model.conditional": True}),
    "gan": (gan, {"model.generator_width": 4, "model.discriminator_width": 4, "model.latents": 6}),
    "forecast": (forecast, {"model.inputs": 2, "model.outputs": 2, "model.widths": (4,), "model.patch": 8}),
    "vqvae": (vqvae, {"model.codes": 6, "model.code_width": 4, "model.widths": (4, 8), "model.blocks": 1}),
}


def opened(name):
    """A run of random parameters, as `open_run` gives it."""
    task, changes = SMALL[name]
    config = override(task.Config(), changes)
    spec = {"image": jax.ShapeDtypeStruct((16, 16, 3), np.uint8), "label": jax.ShapeDtypeStruct((), np.int32)}
    if name == "forecast":
        spec = {"video": jax.ShapeDtypeStruct((4, 16, 16, 3), np.uint8)}
    info = RunInfo(Extent(16, 8), 10, spec, CLASSES)
    made = task.make(config, info)
    rng = np.random.default_rng(0)
    state = jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(leaf.dtype) / 4 if leaf.dtype == np.float32 else leaf,
        template(made),
    )
    return Run("run", config, info, made, state.replace(collections=jax.tree.map(np.abs, state.collections)))


def uniform(*shape):
    return np.random.default_rng(1).uniform(size=shape).astype(np.float32)


def cases():
    """Name, part, what the function is given, and its result by the task."""
    labels = np.array([2], np.int32)
    yield "classify", "", (uniform(1, 16, 16, 3),), lambda run, x: jax.nn.softmax(run.task.features(run.state, x)[1])
    yield "segment", "", (uniform(1, 16, 24, 3),), lambda run, x: jax.nn.softmax(run.task.logits(run.state, x))
    yield "vae", "encoder", (uniform(1, 16, 16, 3), labels), lambda run, *x: run.task.encode(run.state, *x)
    yield "vae", "decoder", (uniform(1, 4), labels), lambda run, *x: run.task.decode(run.state, *x)
    yield "gan", "", (uniform(1, 6),), lambda run, x: run.task.decode(run.state, x, None)
    yield "forecast", "", (uniform(1, 2, 16, 16, 3),), lambda run, x: run.task.forecast(run.state, x, 2)


@pytest.mark.slow
@needs("flatbuffers")
@pytest.mark.parametrize(
    ("name", "part", "given", "wanted"), list(cases()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_stablehlo(tmp_path, name, part, given, wanted):
    run, path = opened(name), tmp_path / "network.stablehlo"
    export_network(run, path, part)
    several = [np.concatenate([argument] * 3) for argument in given]  # any number of them
    made, platforms = reloaded(path, tmp_path, *several)
    assert platforms == ["cpu", "cuda", "tpu"]
    close(made, np.concatenate([np.asarray(jax.jit(lambda *x: wanted(run, *x))(*given))] * 3))


@needs("jax2onnx", "onnxruntime")
@pytest.mark.filterwarnings("ignore")  # the converter's own
@pytest.mark.parametrize(
    ("name", "part", "given", "wanted"), list(cases()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_onnx(name, part, given, wanted):
    import onnxruntime

    run = opened(name)
    what = fixed(network_signature(run, part), 16, 24)
    session = onnxruntime.InferenceSession(to_onnx(what))
    assert [tuple(each.shape) for each in session.get_inputs()] == [argument.shape for argument in given]
    made = session.run([what.output], dict(zip(what.names, given, strict=True)))[0]
    close(made, jax.jit(lambda *x: wanted(run, *x))(*given))


def test_what_is_taken_and_given():
    assert network_signature(opened("segment")).shapes == (("n", "4*h", "4*w", 3),)
    what = network_signature(opened("vae"), "decoder")
    assert (what.names, what.shapes, what.output) == (("latents", "labels"), (("n", 4), ("n",)), "pictures")


@pytest.mark.parametrize(
    ("name", "part", "size", "sentence"),
    [
        ("vae", "", None, "has parts: choose one by --part encoder or decoder"),
        ("vae", "decodr", None, "has no part 'decodr'; did you mean 'decoder'?"),
        ("vqvae", "", None, "the task 'jaxstyle.tasks.vqvae' has no network that is exported"),
        ("classify", "", (32, 32), "--size is for networks that take pictures of any size"),
        ("segment", "", (32, 18), "--size is 18x32; its sides must be multiples of 4"),
    ],
)
def test_what_cannot_be_exported_is_told(tmp_path, name, part, size, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        export_network(opened(name), tmp_path / "network.onnx", part, size)
    assert not list(tmp_path.iterdir())


@needs("flatbuffers")
def test_the_command(tiny_run, tmp_path, capsys):
    out = tmp_path / "a.stablehlo"
    assert main(["export", str(tiny_run), "-o", str(out), "--checkpoint", "best"]) == 0
    classes = ", ".join(json.loads((tiny_run / "setting.json").read_text())["classes"])
    assert capsys.readouterr().out == f"{out}: takes pictures [n, 32, 32, 3]\ngives probabilities of {classes}\n"
    assert main(["export", str(tiny_run), "-o", str(out), "--style", "red"]) == 2
    assert "--style is of style models" in capsys.readouterr().err
