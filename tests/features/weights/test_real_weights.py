"""Activations and classes of networks with real ImageNet weights."""

import io
import tarfile

import jax
import numpy as np
import pytest
from network_reference import assert_taps, vgg
from networks import extract, real_vgg19
from PIL import Image

from jaxstyle.features.features import load
from jaxstyle.features.weights.readers import read_tensors

pytestmark = pytest.mark.realdata

CROP_SIDE = 227  # what SqueezeNet 1.0 was trained on


def crop(path, height, width):
    """A piece of a photo, `[1, height, width, 3]` in [0, 1]: sky, roofs and trees, some of it sharp."""
    pixels = np.asarray(Image.open(path).convert("RGB"))[250 : 250 + height, 300 : 300 + width]
    return pixels[None].astype(np.float32) / 255


@pytest.fixture
def photo(real_data):
    return real_data / "images" / "content" / "tubingen.jpg"


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
def test_the_original_vgg19_has_the_references_activations(real_data, photo, padding):
    features = real_vgg19(real_data, padding)
    tensors = {f"{layer}/{leaf}": x for layer, leaves in features.params.items() for leaf, x in leaves.items()}
    image = crop(photo, 41, 48)
    _, taps = extract(features, image)
    # Caffe's preprocessing once more, by hand: BGR, 0 to 255, minus the mean of ImageNet.
    caffe = image[0].astype(np.float64)[..., ::-1] * 255 - [103.939, 116.779, 123.68]
    by_hand = {**tensors, "preprocess/kernel": np.eye(3), "preprocess/bias": np.zeros(3)}
    expected = vgg(by_hand, caffe, replicate=padding == "replicate")
    assert list(taps) and list(features.network.taps) == [*VGG_TAPS]
    assert_taps(taps, expected, 1e-4)  # what the project promises
    assert np.mean(np.asarray(taps["relu3_1"]) > 0) > 0.1  # and they are not all 0


VGG_TAPS = (
    *("conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1"),
    *("conv2_1", "relu2_1", "conv2_2", "relu2_2", "pool2"),
    *("conv3_1", "relu3_1"),
)
RELUS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@pytest.fixture
def distilled(real_data):
    return real_data / "features" / "vgg19_distilled_16x" / "encoder_relu5_1.pth"


def test_the_distilled_vgg19_has_the_references_activations(distilled, photo):
    image = crop(photo, 64, 80)
    _, taps = extract(load(distilled, padding="zeros"), image, RELUS)
    raw, _ = read_tensors(distilled)
    tensors = {
        "preprocess/kernel": raw["conv0.weight"][:, :, 0, 0].T,
        "preprocess/bias": raw["conv0.bias"],
    }
    for name, tensor in raw.items():
        layer, leaf = name.split(".")
        if layer != "conv0" and not layer.endswith("_aux"):
            ours = f"conv{layer[4]}_{layer[5:]}/" + ("kernel" if leaf == "weight" else "bias")
            tensors[ours] = tensor.transpose(2, 3, 1, 0) if leaf == "weight" else tensor
    assert set(taps) == set(RELUS)
    assert_taps(taps, vgg(tensors, image[0]), 1e-4)


@pytest.mark.parity
def test_the_distilled_vgg19_has_torchs_activations(distilled, photo):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxstyle[parity]'")
    image = crop(photo, 64, 80)
    _, taps = extract(load(distilled, padding="zeros"), image, RELUS)
    state = torch.load(distilled, map_location="cpu", weights_only=True)["model"]
    x = torch.tensor(image.transpose(0, 3, 1, 2), dtype=torch.float64)
    x = torch.nn.functional.conv2d(x, state["conv0.weight"].double(), state["conv0.bias"].double())
    for block, count in enumerate((2, 2, 4, 4, 1), 1):
        for i in range(1, count + 1):
            weight, bias = (state[f"conv{block}{i}.{leaf}"].double() for leaf in ("weight", "bias"))
            # It was trained with reflected borders; ours pads by zeros as VGG does, so here it does too.
            x = torch.relu(torch.nn.functional.conv2d(x, weight, bias, padding=1))
            if i == 1:
                expected = x.numpy().transpose(0, 2, 3, 1)
                error = np.max(np.abs(np.asarray(taps[f"relu{block}_1"]) - expected))
                assert error <= 1e-4 * np.max(np.abs(expected)), (block, error)
        x = torch.nn.functional.max_pool2d(x, 2)


def photos(real_data, every):
    """`(image [1, 227, 227, 3], class)` of every so many-th photo: short side 227, centre crop."""
    folder = real_data / "datasets" / "imagenet_samples"
    classes = {synset: i for i, synset in enumerate((folder / "synsets.txt").read_text().split())}
    with tarfile.open(folder / "photos_short_side_224.tar") as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name)[::every]:
            photo = Image.open(io.BytesIO(archive.extractfile(member).read())).convert("RGB")
            scale = CROP_SIDE / min(photo.size)
            width, height = (max(CROP_SIDE, round(side * scale)) for side in photo.size)
            photo = photo.resize((width, height), Image.Resampling.BICUBIC)
            left, top = (width - CROP_SIDE) // 2, (height - CROP_SIDE) // 2
            photo = photo.crop((left, top, left + CROP_SIDE, top + CROP_SIDE))
            image = np.asarray(photo, np.float32)[None] / 255
            yield image, classes[member.name.rpartition("/")[2].partition("_")[0]]


def top_1(real_data, every):
    """Share of the photos that SqueezeNet 1.0 puts in the right class of a thousand, and how many photos."""
    path = real_data / "features" / "squeezenet_1_0" / "squeezenet_1_0.safetensors"
    features = load(path, padding="zeros")  # that is how it was trained
    classify = jax.jit(lambda params, image: features.network.apply({"params": params}, image, ("logits",))[0])
    params = jax.device_put(features.params)
    right = [int(classify(params, image).argmax()) == label for image, label in photos(real_data, every)]
    return np.mean(right), len(right)


@pytest.mark.slow
def test_squeezenet_names_what_is_in_a_sample_of_photos(real_data):
    share, count = top_1(real_data, every=7)
    assert count == 142
    # All 989 give 63 %, these 66 %; the standard error of 142 is 4 %. 57 % leaves two of them, while RGB for BGR
    # (49 %) falls below.
    assert share >= 0.57


@pytest.mark.slow
def test_squeezenet_names_what_is_in_the_photos(real_data):
    share, count = top_1(real_data, every=1)
    assert count == 989
    assert share >= 0.60  # what the project promises; measured 62.7 % here, published 57.5 % on the validation set
