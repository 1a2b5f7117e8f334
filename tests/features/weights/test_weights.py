"""Every layout comes to the same canonical network, and what is saved comes back."""

import h5py
import numpy as np
import pytest
import safetensors.numpy
import scipy.io
from foreign_weights import (
    hwio_squeezenet,
    keras_1,
    keras_2,
    keras_3,
    keras_squeezenet_1,
    network,
    renamed,
    torchvision,
    with_color_map,
)

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.architectures import ARCHITECTURES, VGG_BLOCKS, deepest_layer, problems
from jaxstyle.features.weights import layouts
from jaxstyle.features.weights.files import Weights, read_weights, save_weights
from jaxstyle.features.weights.recognition import convert

CAFFE = ([[0, 0, 255], [0, 255, 0], [255, 0, 0]], [-103.939, -116.779, -123.68])


# name: (architecture, rename, kernels OIHW, tensors beside the network, preprocessing, ceil pooling)
FULLY = {
    "fc1/fc1/kernel:0": np.ones((4, 2), np.float32),
    "predictions/predictions/bias:0": np.ones(2, np.float32),
}
HEAD = {"classifier.0.weight": np.ones((2, 4), np.float32), "classifier.6.bias": np.ones(2, np.float32)}
FOREIGN = {
    "keras 1 vgg19": ("vgg19", keras_1, False, {}, "caffe", False),
    "keras 1 vgg16": ("vgg16", keras_1, False, {}, "caffe", False),
    "keras 2 vgg19": ("vgg19", keras_2, False, FULLY, "caffe", False),
    "keras 3 vgg16": ("vgg16", keras_3, False, {}, "caffe", False),
    "torchvision vgg19": ("vgg19", torchvision("vgg19"), True, HEAD, "torchvision", False),
    "torchvision vgg16": ("vgg16", torchvision("vgg16"), True, HEAD, "torchvision", False),
    "bare features": ("vgg16", torchvision("vgg16", ""), True, {}, "torchvision", False),
    "keras squeezenet": ("squeezenet1_1", keras_squeezenet_1, False, {}, "caffe", False),
    "keras squeezenet 1.0": ("squeezenet1_0", keras_2, False, {}, "caffe", False),
    "hwio squeezenet": ("squeezenet1_0", hwio_squeezenet, False, {}, "caffe-rounded", True),
    "torchvision 1.0": ("squeezenet1_0", torchvision("squeezenet1_0"), True, {}, "torchvision", True),
    "torchvision 1.1": ("squeezenet1_1", torchvision("squeezenet1_1"), True, {}, "torchvision", True),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_foreign_layout_becomes_the_canonical_network(case):
    architecture, rename, oihw, beside, preprocessing, ceil = FOREIGN[case]
    expected = with_color_map(network(architecture), preprocessing)
    found = convert(renamed(network(architecture), rename, oihw) | beside, {})
    assert (found.architecture, found.ceil_pooling) == (architecture, ceil)
    assert sorted(found.tensors) == sorted(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found.tensors[name], tensor, err_msg=name)


def test_the_distilled_network_brings_its_own_color_map():
    tensors = {name: t for name, t in network("vgg19").items() if name < "conv5_2"}
    theirs = renamed(
        tensors, lambda la, leaf: f"{la.replace('_', '')}.{'weight' if leaf == 'kernel' else 'bias'}", True
    )
    theirs["conv0.weight"] = np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1)  # [out, in, 1, 1]
    theirs["conv0.bias"] = np.array([1, 2, 3], np.float32)
    theirs["conv11_aux.weight"] = np.ones((64, 8, 1, 1), np.float32)
    found = convert(theirs, {})
    assert (found.layout, found.architecture, found.preprocessing) == ("distilled", "vgg19", None)
    np.testing.assert_array_equal(found.tensors["preprocess/kernel"], np.arange(9).reshape(3, 3).T)
    np.testing.assert_array_equal(found.tensors["conv4_3/kernel"], tensors["conv4_3/kernel"])
    assert len(found.tensors) == len(tensors) + 2


def test_color_maps_give_the_input_that_the_networks_were_trained_on():
    rgb = np.array([[1.0, 0.5, 0.25]])
    expected = {
        "caffe": [0.25 * 255 - 103.939, 0.5 * 255 - 116.779, 255 - 123.68],
        "caffe-rgb": [255 - 123.68, 0.5 * 255 - 116.779, 0.25 * 255 - 103.939],
        "caffe-rounded": [0.25 * 255 - 104, 0.5 * 255 - 117, 255 - 123],
        "torchvision": [(1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.25 - 0.406) / 0.225],
        "unit": [1, 0, -0.5],
    }
    assert sorted(expected) == sorted(layouts.PREPROCESSING)
    for name, (kernel, bias) in layouts.PREPROCESSING.items():
        np.testing.assert_allclose((rgb @ kernel + bias)[0], expected[name], rtol=1e-5, atol=1e-5)


def test_preprocessing_can_be_named_where_names_do_not_tell():
    theirs = renamed(network("vgg19"), torchvision("vgg19"), oihw=True)
    found = convert(theirs, {}, preprocessing="caffe")
    np.testing.assert_allclose(found.tensors["preprocess/kernel"], CAFFE[0])
    np.testing.assert_allclose(found.tensors["preprocess/bias"], CAFFE[1])
    with pytest.raises(JaxstyleError, match="did you mean 'caffe'"):
        convert(theirs, {}, preprocessing="cafe")
    with pytest.raises(JaxstyleError, match="carries its own colour map"):
        convert(with_color_map(network("vgg19")), {}, preprocessing="caffe")


@pytest.mark.parametrize("architecture", VGG_BLOCKS)
def test_a_file_may_end_after_any_convolution(architecture):
    whole = network(architecture)
    for end in range(2, len(whole) + 1, 2):
        part = dict(list(whole.items())[:end])
        last = list(part)[-1].removesuffix("/bias")
        for rename, oihw in ((keras_2, False), (torchvision(architecture), True)):
            found = convert(renamed(part, rename, oihw), {})
            assert deepest_layer(found.architecture, found.tensors) == last
            if last > "conv4_1":  # before, the two are the same network
                assert found.architecture == architecture


def test_a_squeezenet_may_end_after_a_fire_module_but_not_within():
    whole = with_color_map(network("squeezenet1_1"))
    until = {
        name: t
        for name, t in whole.items()
        if not name.startswith(("fire5", "fire6", "fire7", "fire8", "fire9", "conv10"))
    }
    assert problems("squeezenet1_1", until) == []
    del until["fire4/expand3x3/bias"], until["fire4/expand3x3/kernel"]
    assert problems("squeezenet1_1", until) == [
        "fire4/expand3x3/kernel is missing",
        "fire4/expand3x3/bias is missing",
    ]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_saved_weights_come_back_and_safetensors_agrees(tmp_path, architecture):
    ceil = architecture == "squeezenet1_0"
    weights = Weights(architecture, with_color_map(network(architecture)), ceil, {"layout": "keras", "licence": "CC0"})
    path = tmp_path / "own.safetensors"
    save_weights(path, weights)
    found = read_weights(path)
    assert (found.architecture, found.ceil_pooling, found.metadata) == (architecture, ceil, weights.metadata)
    for tensors in (found.tensors, safetensors.numpy.load_file(path)):
        assert sorted(tensors) == sorted(weights.tensors)
        for name, tensor in weights.tensors.items():
            np.testing.assert_array_equal(tensors[name], tensor)
    assert [p.name for p in tmp_path.iterdir()] == ["own.safetensors"]


def test_the_bytes_do_not_depend_on_the_order_of_things(tmp_path):
    tensors = with_color_map(network("vgg16"))
    for i, order in enumerate((1, -1)):
        metadata = dict([("a", "1"), ("b", "2"), ("c", "3")][::order])
        save_weights(tmp_path / str(i), Weights("vgg16", dict(list(tensors.items())[::order]), False, metadata))
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


def test_half_precision_keeps_biases_and_colors_exact(tmp_path):
    weights = Weights("vgg16", with_color_map(network("vgg16"), "caffe"))
    save_weights(tmp_path / "half", weights, "float16")
    found = read_weights(tmp_path / "half").tensors
    for name, tensor in weights.tensors.items():
        expected = tensor.astype(np.float16).astype(np.float32) if tensor.ndim == 4 else tensor
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], expected)
    assert (tmp_path / "half").stat().st_size < 0.6 * sum(t.nbytes for t in weights.tensors.values())


def test_nothing_is_written_that_could_not_be_read(tmp_path):
    path = tmp_path / "own.safetensors"
    path.write_bytes(b"before")
    large = with_color_map(network("vgg16"))
    large["conv1_1/kernel"] = large["conv1_1/kernel"] * 1e6
    with pytest.raises(JaxstyleError, match="conv1_1/kernel has NaN or infinite"):
        save_weights(path, Weights("vgg16", large), "float16")
    with pytest.raises(JaxstyleError, match="unknown architecture"):
        save_weights(path, Weights("vgg", large))
    with pytest.raises(JaxstyleError, match="unknown dtype"):
        save_weights(path, Weights("vgg16", large), "float8")
    with pytest.raises(JaxstyleError, match="cannot be written"):
        save_weights(tmp_path / "absent" / "own", Weights("vgg16", large))
    with pytest.raises(JaxstyleError, match="a folder"):
        save_weights(tmp_path, Weights("vgg16", large))
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["own.safetensors"]


def test_a_keras_file_written_by_h5py_is_read_and_errors_name_it(tmp_path):
    path = tmp_path / "vgg19.h5"
    with h5py.File(path, "w") as file:
        for name, tensor in renamed(network("vgg19"), keras_1).items():
            file[f"model_weights/{name}"] = tensor
    found = read_weights(path)
    assert (found.architecture, found.metadata) == ("vgg19", {"layout": "keras", "preprocessing": "caffe"})
    with h5py.File(path, "r+") as file:
        del file["model_weights/block2_conv1/block2_conv1_b_1:0"]
    with pytest.raises(JaxstyleError, match=f"^{path}: not a whole vgg19.*: conv2_1/bias is missing$"):
        read_weights(path)


REAL = {
    "vgg19_distilled_16x/encoder_relu5_1.pth": ("vgg19", False, "conv5_1"),
    "squeezenet_1_0/squeezenet_1_0.safetensors": ("squeezenet1_0", True, "conv10"),
    "squeezenet_1_1/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5": (
        "squeezenet1_1",
        False,
        "fire9/expand3x3",
    ),
}


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_published_files_are_recognized_and_survive_conversion(real_data, tmp_path, name):
    weights = read_weights(real_data / "features" / name)
    deepest = deepest_layer(weights.architecture, weights.tensors)
    assert (weights.architecture, weights.ceil_pooling, deepest) == REAL[name]
    np.testing.assert_allclose(weights.tensors["preprocess/kernel"], CAFFE[0], atol=0.4)
    np.testing.assert_allclose(weights.tensors["preprocess/bias"], CAFFE[1], atol=0.7)
    save_weights(tmp_path / "own", weights)
    again = read_weights(tmp_path / "own")
    assert again.ceil_pooling == weights.ceil_pooling
    for key, tensor in weights.tensors.items():
        np.testing.assert_array_equal(again.tensors[key], tensor)


@pytest.mark.realdata
def test_a_decoder_is_not_taken_for_an_encoder(real_data):
    with pytest.raises(JaxstyleError, match="preprocess/kernel is missing"):
        read_weights(real_data / "features" / "vgg19_distilled_16x" / "decoder_relu5_1.pth")


def batch_norms(architecture):
    """A network with batch norms under torchvision's names, and the canonical one that it equals."""
    rng, theirs, ours = np.random.default_rng(1), {}, {}
    place = 0
    for i, count in enumerate(VGG_BLOCKS[architecture], 1):
        for name in (f"conv{i}_{j}" for j in range(1, count + 1)):
            kernel, bias = (network(architecture)[f"{name}/{leaf}"] for leaf in ("kernel", "bias"))
            leaves = {leaf: rng.random(len(bias), np.float32) + 0.5 for leaf in ("weight", "bias", "running_mean")}
            leaves |= {"running_var": rng.random(len(bias), np.float32) * 1e-4}  # so that the epsilon matters
            theirs |= {f"features.{place}.weight": kernel.transpose(3, 2, 0, 1), f"features.{place}.bias": bias}
            theirs |= {f"features.{place + 1}.{leaf}": values for leaf, values in leaves.items()}
            theirs[f"features.{place + 1}.num_batches_tracked"] = np.asarray(3)
            scale = leaves["weight"] / np.sqrt(np.float64(leaves["running_var"]) + 1e-5)
            ours[f"{name}/kernel"] = kernel * scale
            ours[f"{name}/bias"] = (bias - leaves["running_mean"]) * scale + leaves["bias"]
            place += 3
        place += 1
    return theirs, ours


@pytest.mark.parametrize("architecture", VGG_BLOCKS)
def test_batch_norms_of_torchvision_are_folded(architecture):
    theirs, ours = batch_norms(architecture)
    found = convert(theirs | HEAD, {})
    assert (found.architecture, found.layout, found.preprocessing) == (architecture, "torchvision", "torchvision")
    for name, tensor in ours.items():
        np.testing.assert_allclose(found.tensors[name], tensor, rtol=1e-5, atol=1e-5, err_msg=name)
    assert len(found.tensors) == len(ours) + 2


def test_a_batch_norm_that_is_missing_is_told():
    theirs, _ = batch_norms("vgg16")
    cut = {name: leaf for name, leaf in theirs.items() if name != "features.4.running_mean"}
    with pytest.raises(JaxstyleError, match=r"not a whole vgg16 .*features\.3\.weight is not part of vgg16"):
        convert(cut, {})


@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("architecture", VGG_BLOCKS)
def test_vgg_under_the_names_of_gatys_and_of_caffe(architecture, separator):
    theirs = renamed(
        network(architecture), lambda la, leaf: f"{la}{separator}{'weight' if leaf == 'kernel' else 'bias'}", True
    )
    found = convert(theirs | {f"fc6{separator}weight": np.zeros((4, 8), np.float32)}, {})
    assert (found.architecture, found.layout, found.preprocessing) == (architecture, "caffe", "caffe")
    for name, tensor in network(architecture).items():
        np.testing.assert_array_equal(found.tensors[name], tensor, err_msg=name)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_vgg_of_matconvnet(tmp_path, old, packed):
    """`simplenn` before and after 2015, written by SciPy, of RGB minus the mean."""
    theirs, layers = network("vgg19"), []
    for layer in ARCHITECTURES["vgg19"]:
        filters, biases = theirs[f"{layer.name}/kernel"], theirs[f"{layer.name}/bias"][None]
        weights = np.empty((1, 2), object)
        weights[0, 0], weights[0, 1] = filters, biases
        leaves = {"filters": filters, "biases": biases} if old else {"weights": weights}
        layers += [{"name": layer.name, "type": "conv", "pad": 1.0, **leaves}, {"name": "relu", "type": "relu"}]
    layers.append({"name": "fc6", "type": "conv", "filters": np.ones((7, 7, 8, 4), np.float32), "biases": np.ones(4)})
    cell = np.empty((1, len(layers)), object)
    cell[0, :] = layers
    path = tmp_path / "imagenet-vgg-verydeep-19.mat"
    scipy.io.savemat(path, {"meta": {"note": "RGB"}, "layers": cell}, do_compression=packed, oned_as="column")
    found = read_weights(path)
    assert (found.architecture, found.metadata) == ("vgg19", {"layout": "matconvnet", "preprocessing": "caffe-rgb"})
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(found.tensors[name], tensor, err_msg=name)
