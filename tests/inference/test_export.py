"""Exported models, reloaded where jaxstyle is not imported, paint what the models paint."""

import sys

import jax
import numpy as np
import pytest
import tiny
from exported import close, needs, reloaded
from tiny_models import any_model, known_model, transport_model

from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import export
from jaxstyle.inference.apply import StyleOptions, Stylizer
from jaxstyle.inference.style_model import save_model
from jaxstyle.media.image_writing import write_picture


def photos(count=2, height=23, width=30):
    return np.stack([tiny.picture(i, height, width) for i in range(count)])


def painted(model, style, pictures, **look):
    return np.stack(Stylizer(model, StyleOptions(style, devices=1, **look))(list(pictures)))


@pytest.mark.slow
@needs("flatbuffers")
def test_stablehlo_of_many_styles_for_any_size_and_number(tmp_path):
    model, path = known_model(), tmp_path / "model.stablehlo"
    assert export.export_model(model, path).names == ("pictures", "weights")
    made, platforms = reloaded(path, tmp_path, photos(), np.eye(2, dtype=np.float32))
    assert platforms == ["cpu", "cuda", "tpu"]
    wanted = [painted(model, name, photo[None])[0] for name, photo in zip(("red", "blue"), photos(), strict=True)]
    close(made, wanted)


@pytest.mark.slow
@needs("flatbuffers")
@pytest.mark.parametrize("make", [any_model, transport_model])
def test_stablehlo_of_any_style_takes_paintings(tmp_path, make):
    model, path = make(), tmp_path / "model.stablehlo"
    assert export.export_model(model, path).shapes[1] == ("n", "a", "b", 3)
    paintings = photos(2, 27, 21)[::-1]
    made, _ = reloaded(path, tmp_path, photos(), paintings)
    wanted = [painted(model, each, photo[None])[0] for each, photo in zip(paintings, photos(), strict=True)]
    close(made, wanted)


def test_paintings_are_built_in():
    model = any_model()
    style = [(tiny.picture(7, 20, 24), 0.25), (tiny.picture(8, 24, 20), 0.75)]
    what = export.signature(model, style, strength=0.5)
    assert what.names == ("pictures",)
    close(jax.jit(what.function)(photos()), painted(model, style, photos(), strength=0.5))


def test_a_style_is_built_in_where_there_is_one_or_it_is_chosen():
    model = known_model()
    only = model.params | {
        name: {key: leaf if key in ("kernel", "bias") else leaf[:1] for key, leaf in layer.items()}
        for name, layer in model.params.items()
    }
    one = type(model)(model.network.clone(styles=1), only, ("red",))
    for what in (export.signature(one), export.signature(model, "red")):
        assert what.names == ("pictures",)
        close(jax.jit(what.function)(photos()), painted(model, "red", photos()))


@needs("jax2onnx", "onnxruntime")
@pytest.mark.filterwarnings("ignore")  # the converter's own
@pytest.mark.parametrize("make", [known_model, any_model, transport_model])
def test_onnx_of_one_size(tmp_path, make):
    import onnxruntime

    model, path = make(), tmp_path / "model.onnx"
    what = export.export_model(model, path, size=(24, 31))
    second = photos(2, 24, 31)[1:] if model.any_style else np.array([[0.25, 0.75]], np.float32)
    session = onnxruntime.InferenceSession(str(path))
    assert [(given.name, tuple(given.shape)) for given in session.get_inputs()] == list(
        zip(what.names, what.shapes, strict=True)
    )
    pictures = photos(1, 24, 31)
    made = session.run(["stylised"], dict(zip(what.names, (pictures, second), strict=True)))[0]
    style = second[0] if model.any_style else {"red": 0.25, "blue": 0.75}
    close(made, painted(model, style, pictures))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_model("known", known_model(), np.zeros((8, 8, 3)))
    save_model("any", any_model(), np.zeros((8, 8, 3)))
    write_picture("photo.png", tiny.picture(0, 24, 32))
    return tmp_path


@needs("flatbuffers")
def test_the_command_tells_what_the_file_takes(here, capsys):
    assert main(["export", "known", "-o", "a.stablehlo", "--interpolate", "red:1,blue:1"]) == 0
    assert capsys.readouterr().out == "a.stablehlo: takes pictures [n, h, w, 3]\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("known", "-o", "a.pb"), "a model is exported as .stablehlo or .onnx, not 'a.pb'"),
        (("known", "-o", "no/a.onnx"), "cannot be written"),
        (("known", "-o", "a.onnx", "--size=6x"), "--size '6x' is neither a number of pixels nor WIDTHxHEIGHT"),
        (("known", "-o", "a.onnx", "--size=640x4"), "--size is 640x4; each side must be at least 16"),
        (("known", "-o", "a.stablehlo", "--size=64x64"), "--size is for .onnx"),
        (("known", "-o", "a.onnx", "--style=green"), "the model has no style 'green'"),
        (("known", "-o", "a.onnx", "--style=red", "--interpolate=red:1"), "--style and --interpolate both say"),
        (("known", "-o", "a.onnx", "--style=red", "--strength=0.5"), "style-size are for models of any style"),
        (("known", "-o", "a.onnx", "--style=red", "--style-size=0"), "style-size is 0; it must be at least 16"),
        (("any", "-o", "a.onnx", "--style-size=64"), "strength and style-size are of paintings that are built in"),
        (("photo.png", "-o", "a.onnx"), "the model 'photo.png' is a file"),
    ],
)
def test_bad_input_is_one_sentence(here, capsys, words, message):
    before = sorted(here.rglob("*"))
    assert main(["export", *words]) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1 and message in told.err and told.out == ""
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(("name", "package"), [("a.onnx", "jax2onnx"), ("a.stablehlo", "flatbuffers")])
def test_what_is_not_installed_is_told(tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(JaxstyleError, match=rf"needs {package}, which is not installed: pip install 'jaxstyle\["):
        export.export_model(known_model(), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore")
def test_what_the_converter_cannot_do_is_told(monkeypatch):
    def refuse(*_, **__):
        raise NotImplementedError("no such primitive\nand much more")

    monkeypatch.setitem(sys.modules, "jax2onnx", type(sys)("jax2onnx"))
    monkeypatch.setattr(sys.modules["jax2onnx"], "to_onnx", refuse, raising=False)
    with pytest.raises(JaxstyleError, match=r"jax2onnx cannot convert the model \(no such primitive\); name a"):
        export.to_onnx(export.fixed(export.signature(known_model()), 16, 16))
