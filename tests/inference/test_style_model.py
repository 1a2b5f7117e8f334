"""Style models saved, loaded and converted: the same numbers come back, and what is wrong is one sentence."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from style_reference import convolved, enlarged, normalised
from torch_writer import contiguous, ordered, zip_form

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.weights.files import encode
from jaxstyle.inference.converters import convert
from jaxstyle.inference.style_model import StyleModel, check_folder, flat, load_model, save_model
from jaxstyle.models.adain import Styles
from jaxstyle.models.style_network import StyleNetwork

PREVIEW = np.zeros((8, 8, 3))


def tiny_model(styles=2):
    """A model of random parameters."""
    network = StyleNetwork(styles, 4, 1)
    params = jax.jit(network.init)(
        jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32), np.zeros((1, styles), np.float32)
    )
    return StyleModel(network, jax.device_get(params["params"]), tuple("ab"[:styles]), {"licence": "MIT"})


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, tiny_model(), PREVIEW)
    return folder


def test_a_model_comes_back(saved):
    model, loaded = tiny_model(), load_model(saved)
    assert (loaded.network, loaded.styles, loaded.notes) == (model.network, model.styles, model.notes)
    for name, leaf in flat(model.params).items():
        np.testing.assert_array_equal(flat(loaded.params)[name], leaf)
    assert sorted(path.name for path in saved.iterdir()) == ["config.json", "params.safetensors", "preview.png"]
    assert [path.name for path in saved.parent.iterdir()] == ["tiny"]  # nothing temporary is left


def test_a_model_in_one_file_comes_back_in_half_precision(tmp_path):
    model, path = tiny_model(), tmp_path / "tiny.safetensors"
    save_model(path, model)
    loaded = load_model(path)
    assert (loaded.network, loaded.styles, loaded.notes) == (model.network, model.styles, model.notes)
    for name, leaf in flat(model.params).items():
        np.testing.assert_allclose(flat(loaded.params)[name], leaf, rtol=2**-11, atol=1e-7)
        assert flat(loaded.params)[name].dtype == np.float32
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]
    with pytest.raises(JaxstyleError, match="is there already"):
        save_model(path, model)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "is no style model, it has no config among its metadata"),
        ("[", "is no style model, it has no config among its metadata"),
        ("[]", "is not of a style model of version 1"),
        ('{"format": "jaxstyle-style-model", "version": 1, "kind": "x"}', "unknown network 'x'"),
        ('{"format": "jaxstyle-style-model", "version": 1, "kind": "adain"}', "is damaged, or of another version"),
    ],
)
def test_files_that_are_no_model(tmp_path, config, message):
    path = tmp_path / "a.safetensors"
    path.write_bytes(encode({"a/kernel": np.ones(3, np.float16)}, {} if config is None else {"config": config}))
    with pytest.raises(JaxstyleError, match=message):
        load_model(path)


def config_of(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "is no style model, it has no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "a config.json that cannot be read"),
        (lambda folder: config_of(folder, version=2), "is not of a style model of version 1"),
        (lambda folder: config_of(folder, kind="adian"), "unknown network 'adian'; did you mean 'adain'"),
        (lambda folder: config_of(folder, kind=["adain"]), "unknown network"),
        (lambda folder: config_of(folder, network={"layers": 3}), "is damaged, or of another version"),
        (lambda folder: config_of(folder, network={"styles": 2, "width": 4, "parent": 1}), "is damaged, or of another"),
        (lambda folder: config_of(folder, notes=["MIT"]), "is damaged, or of another version"),
        (
            lambda folder: config_of(folder, network={"styles": 2, "width": 0, "blocks": 1}),
            "no network has 2 styles, 0",
        ),
        (
            lambda folder: config_of(folder, network={"styles": -1, "width": 4, "blocks": 1}),
            "is damaged, or of another version",
        ),
        (lambda folder: config_of(folder, styles=["a", "a"]), "1 different names for 2 styles"),
        (lambda folder: config_of(folder, network={"styles": 2, "width": 8, "blocks": 1}), "has shape"),
        (lambda folder: config_of(folder, network={"styles": 2, "width": 4, "blocks": 0}), "is not of this network"),
        (lambda folder: (folder / "params.safetensors").unlink(), "no such file"),
        (lambda folder: (folder / "params.safetensors").write_bytes(b"\0" * 99), "in no format known"),
    ],
)
def test_damaged_folders(saved, tmp_path, break_it, message):
    folder = tmp_path / "broken"
    shutil.copytree(saved, folder)
    break_it(folder)
    with pytest.raises(JaxstyleError, match=message):
        load_model(folder)


def test_a_model_that_is_not_finite_is_not_written(tmp_path):
    model = tiny_model()
    model.params["expand3"]["kernel"] = np.full_like(model.params["expand3"]["kernel"], np.nan)
    with pytest.raises(JaxstyleError, match="expand3/kernel has NaN or infinite values"):
        save_model(tmp_path / "new", model, PREVIEW)
    assert not list(tmp_path.iterdir())


def test_folders_that_cannot_be(saved, tmp_path):
    with pytest.raises(JaxstyleError, match="is there already"):
        check_folder(saved)
    with pytest.raises(JaxstyleError, match="does not exist"):
        check_folder(tmp_path / "no" / "model")
    with pytest.raises(JaxstyleError, match="is missing; name a folder"):
        load_model(tmp_path / "no")


def torch_tensors():
    """A checkpoint of pytorch/examples with random numbers, old running statistics among them."""
    rng, tensors = np.random.default_rng(0), {}

    def convolution(name, inputs, outputs, size):
        kernel = rng.standard_normal((outputs, inputs, size, size)) / np.sqrt(inputs * size**2)
        tensors[f"{name}.conv2d.weight"] = np.asarray(kernel, np.float32)
        tensors[f"{name}.conv2d.bias"] = rng.standard_normal(outputs).astype(np.float32)

    def norm(name, width):
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{name}.{leaf}"] = rng.standard_normal(width).astype(np.float32)

    for i, (inputs, outputs, size) in enumerate(((3, 32, 9), (32, 64, 3), (64, 128, 3)), 1):
        convolution(f"conv{i}", inputs, outputs, size)
        norm(f"in{i}", outputs)
    for i in range(1, 6):
        for j in (1, 2):
            convolution(f"res{i}.conv{j}", 128, 128, 3)
            norm(f"res{i}.in{j}", 128)
    for i, (inputs, outputs, size) in enumerate(((128, 64, 3), (64, 32, 3), (32, 3, 9)), 1):
        convolution(f"deconv{i}", inputs, outputs, size)
        if i < 3:
            norm(f"in{i + 3}", outputs)
    return tensors


def torch_forward(tensors, x):
    """`transformer_net.py` on `[H, W, 3]` in 0 to 255."""

    def layer(name, x, stride=1):
        kernel = tensors[f"{name}.conv2d.weight"].transpose(2, 3, 1, 0)
        return convolved(x, kernel, stride) + tensors[f"{name}.conv2d.bias"]

    def norm(name, x):
        return normalised(x, np.float64(tensors[f"{name}.weight"]), tensors[f"{name}.bias"])

    for i, stride in ((1, 1), (2, 2), (3, 2)):
        x = np.maximum(norm(f"in{i}", layer(f"conv{i}", x, stride)), 0)
    for i in range(1, 6):
        y = np.maximum(norm(f"res{i}.in1", layer(f"res{i}.conv1", x)), 0)
        x = x + norm(f"res{i}.in2", layer(f"res{i}.conv2", y))
    for i in (1, 2):
        x = np.maximum(norm(f"in{i + 3}", layer(f"deconv{i}", enlarged(x))), 0)
    return layer("deconv3", x)


@pytest.mark.parametrize("wrapper", ["", "module.", "state_dict.", "model.module."])
def test_a_checkpoint_of_pytorch_examples(tmp_path, wrapper):
    tensors, x = torch_tensors(), np.random.default_rng(1).random((16, 12, 3), np.float32)
    beside = {"optimizer.exp_avg": np.ones(3, np.float32)} if wrapper else {}
    tree, storages = contiguous({wrapper + name: tensor for name, tensor in tensors.items()} | beside)
    (tmp_path / "candy.pth").write_bytes(zip_form(ordered(tree), storages))
    model = convert(tmp_path / "candy.pth")
    assert model.styles == ("candy",)
    apply = jax.jit(lambda params, x: model.network.apply({"params": params}, x, np.ones((1, 1), np.float32)))
    expected = torch_forward(tensors, np.float64(x) * 255) / 255
    np.testing.assert_allclose(apply(model.params, x[None])[0], expected, atol=1e-4 * np.abs(expected).max())


ADAIN = ((4, 4), (5, 5), (6, 6, 6, 6), (7,))  # channels, as VGG-19's but for their number


def adain_files(folder, wrapper):
    """pytorch-AdaIN's two checkpoints, narrow, with random numbers; the layers' kernels and biases."""
    rng, channels = np.random.default_rng(0), [3, *(width for block in ADAIN for width in block)]
    shapes = list(zip(channels[1:], channels, strict=False))

    def layer(outputs, inputs, size=3):
        kernel = rng.standard_normal((outputs, inputs, size, size)) / np.sqrt(inputs * size**2)
        return np.asarray(kernel, np.float32), rng.standard_normal(outputs).astype(np.float32)

    encoder = [layer(3, 3, 1), *(layer(*shape) for shape in shapes), layer(8, 7)]  # and one behind relu4_1
    decoder = [layer(inputs, outputs) for outputs, inputs in reversed(shapes)]
    numbers = {"vgg_normalised.pth": (0, 2, 5, 9, 12, 16, 19, 22, 25, 29, 32), "decoder.pth": range(1, 30, 3)}
    for (name, places), layers in zip(numbers.items(), (encoder, decoder), strict=True):
        leaves = ("weight", "bias")
        pairs = zip(places, layers, strict=False)
        tensors = {f"{wrapper}{i}.{leaf}": array for i, each in pairs for leaf, array in zip(leaves, each, strict=True)}
        tree, storages = contiguous(tensors)
        (folder / name).write_bytes(zip_form(ordered(tree), storages))
    return encoder[:-1], decoder


@pytest.mark.parametrize("wrapper", ["", "state_dict.module."])
def test_weights_of_pytorch_adain(tmp_path, wrapper):
    encoder, decoder = adain_files(tmp_path, wrapper)
    photo, painting = np.random.default_rng(1).random((2, 32, 24, 3), np.float32)

    def encoded(x):
        x, rest = x @ np.float64(encoder[0][0][:, :, 0, 0].T) + encoder[0][1], iter(encoder[1:])
        for i, block in enumerate(ADAIN):
            if i:
                x = x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).max((1, 3))
            for _ in block:
                kernel, bias = next(rest)
                x = np.maximum(convolved(x, kernel.transpose(2, 3, 1, 0)) + bias, 0)
        return x

    x, style = encoded(photo), encoded(painting)
    scale = np.sqrt(style.var((0, 1)) + 1e-5) / np.sqrt(x.var((0, 1)) + 1e-5)
    x = (x - x.mean((0, 1))) * scale + style.mean((0, 1))
    for i, (kernel, bias) in enumerate(decoder):
        x = enlarged(x) if i in (1, 5, 7) else x  # the upsamplings of net.py
        x = convolved(x, kernel.transpose(2, 3, 1, 0)) + bias
        x = np.maximum(x, 0) if i < len(decoder) - 1 else x
    model = convert(tmp_path)
    assert model.any_style and model.network.widths == ADAIN

    @jax.jit
    def apply(params, photo, painting):
        seen = model.network.apply({"params": params}, painting, method="style_of")
        styles = Styles(jax.tree.map(lambda leaf: leaf[None], seen), jnp.ones(1))
        return model.network.apply({"params": params}, photo, jnp.ones((1, 32, 24, 1)), styles)

    made = apply(model.params, photo[None], painting[None])[0]
    np.testing.assert_allclose(made, x, atol=1e-4 * np.abs(x).max())
    (tmp_path / "vgg_normalised.pth").unlink()
    with pytest.raises(JaxstyleError, match=r"has a decoder\.pth and no vgg_normalised\.pth"):
        convert(tmp_path)


def test_weights_of_something_else(tmp_path):
    with pytest.raises(JaxstyleError, match="is not a folder of magenta's weights: it has no file"):
        convert(tmp_path)
    np.savez(tmp_path / "net.npz", **{"conv1.weight": np.zeros(3)})
    with pytest.raises(JaxstyleError, match="is not a style network of pytorch/examples"):
        convert(tmp_path / "net.npz")
    cut = {name: leaf for name, leaf in torch_tensors().items() if name != "res3.in2.bias"}
    np.savez(tmp_path / "cut.npz", **cut)
    with pytest.raises(JaxstyleError, match=r"not a whole style network of pytorch/examples: 'res3.in2.bias'"):
        convert(tmp_path / "cut.npz")


@pytest.mark.realdata
def test_a_torn_file_of_magenta(real_data, tmp_path):
    for path in (real_data / "faststyle" / "magenta_multistyle_varied").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    torn = tmp_path / "transformer_residual_residual2_conv1_weights"
    torn.write_bytes(torn.read_bytes()[:-4])
    with pytest.raises(JaxstyleError, match=r"residual2_conv1_weights' has 589820 bytes, and .* take 589824"):
        convert(tmp_path)
