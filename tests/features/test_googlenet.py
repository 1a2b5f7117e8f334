"""GoogLeNet against float64 NumPy and torch, and read from checkpoints with the names that there are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from network_reference import INCEPTION, assert_taps, googlenet
from networks import extract, picture, weights
from torch_writer import contiguous, legacy_form, ordered, zip_form

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import build, read_weights
from jaxstyle.features.layers import local_response_norm

FOUND = weights("googlenet")
SIDES = (70, 83)  # odd ones on the way: 35, 18, 9, 5, 3 and 42, 21, 11, 6, 3


@pytest.mark.parametrize(("pooling", "padding"), [("max", "zeros"), ("average", "replicate")])
def test_it_equals_the_reference_at_every_tap(pooling, padding):
    features, image = build("random", FOUND, pooling=pooling, padding=padding), picture(*SIDES)
    output, taps = extract(features, image)
    expected = googlenet(FOUND.tensors, image[0], pooling=pooling, replicate=padding == "replicate")
    assert_taps(taps, expected)
    assert set(expected) == set(features.network.taps)
    np.testing.assert_array_equal(output, taps["loss3/classifier"])


def test_its_layers_and_sizes_are_the_papers():
    features = build("random", FOUND)
    image = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    shapes = jax.eval_shape(lambda image: features.network.apply({"params": features.params}, image)[1], image)
    for name, shape in {
        "conv1/7x7_s2": (112, 112, 64),
        "pool1/norm1": (56, 56, 64),
        "pool2/3x3_s2": (28, 28, 192),
        "inception_3a/output": (28, 28, 256),
        "inception_3b/output": (28, 28, 480),
        "inception_4a/output": (14, 14, 512),
        "inception_4e/output": (14, 14, 832),
        "inception_5b/output": (7, 7, 1024),
        "pool5/7x7_s1": (1024,),
    }.items():
        assert shapes[name].shape[1:] == shape, name
    assert len(shapes) == 140
    for number, widths in INCEPTION.items():
        parts = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")
        assert tuple(shapes[f"inception_{number}/{part}"].shape[-1] for part in parts) == widths


@pytest.mark.parametrize(
    ("until", "last", "beyond"),
    [
        ("conv1/7x7_s2", "pool1/norm1", "conv2/3x3"),
        ("conv2/3x3", "pool2/3x3_s2", "inception_3a/1x1"),
        ("inception_3b/pool_proj", "pool3/3x3_s2", "inception_4a/1x1"),
        ("inception_5b/pool_proj", "pool5/7x7_s1", "loss3/classifier"),
    ],
)
def test_it_may_end_after_any_module(until, last, beyond):
    features = build("short", weights("googlenet", until))
    assert features.network.taps[-1] == last
    with pytest.raises(JaxstyleError, match=f"end at {last!r}"):
        features.check((beyond,))


def test_it_stops_at_the_deepest_tap_asked_for():
    features = build("random", FOUND)
    for taps, count in ((("conv1/relu_7x7",), 1), (("inception_3a/3x3_reduce", "conv2/norm2"), 5), ((), 0)):
        program = jax.make_jaxpr(
            lambda image, taps=taps: features.network.apply({"params": features.params}, image, taps)
        )(jnp.zeros((1, 64, 64, 3)))
        assert str(program).count("conv_general_dilated[") == count, taps


def test_local_response_normalization_has_a_gradient_as_central_differences_have():
    rng = np.random.default_rng(0)
    x, along = rng.normal(0, 100, (2, 3, 9)), rng.normal(size=(2, 3, 9))
    with jax.enable_x64():
        weigh = jnp.asarray(rng.normal(size=x.shape))

        def total(x):
            return jnp.sum(weigh * local_response_norm(x))

        slope = jnp.vdot(jax.grad(total)(jnp.asarray(x)), along)
        ahead, behind = (total(jnp.asarray(x + h * along)) for h in (1e-4, -1e-4))
        np.testing.assert_allclose((ahead - behind) / 2e-4, slope, rtol=1e-6)


@pytest.mark.parity
def test_it_is_torchs():
    """The graph written once more with torch's own layers, local response normalisation and ceiled pools included."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxstyle[parity]'")
    functional, image = torch.nn.functional, picture(*SIDES)
    taps = ("conv2/norm2", "inception_3a/output", "inception_4e/output", "loss3/classifier")
    tensors = {name: torch.tensor(tensor) for name, tensor in FOUND.tensors.items()}

    def conv(x, name, **options):
        kernel, bias = tensors[f"{name}/kernel"].permute(3, 2, 0, 1), tensors[f"{name}/bias"]
        return functional.relu(functional.conv2d(x, kernel, bias, **options))

    def pool(x):
        return functional.max_pool2d(x, 3, 2, ceil_mode=True)

    def normalized(x):
        return functional.local_response_norm(x, size=5, alpha=1e-4, beta=0.75, k=1.0)

    activations = {}
    x = torch.tensor(image) @ tensors["preprocess/kernel"] + tensors["preprocess/bias"]
    x = normalized(pool(conv(x.permute(0, 3, 1, 2), "conv1/7x7_s2", stride=2, padding=3)))
    activations["conv2/norm2"] = x = normalized(conv(conv(x, "conv2/3x3_reduce"), "conv2/3x3", padding=1))
    x = pool(x)
    for number in INCEPTION:
        name = f"inception_{number}"
        branches = (
            conv(x, f"{name}/1x1"),
            conv(conv(x, f"{name}/3x3_reduce"), f"{name}/3x3", padding=1),
            conv(conv(x, f"{name}/5x5_reduce"), f"{name}/5x5", padding=2),
            conv(functional.max_pool2d(x, 3, 1, 1), f"{name}/pool_proj"),
        )
        activations[f"{name}/output"] = x = torch.cat(branches, 1)
        x = pool(x) if number in ("3b", "4e") else x
    logits = x.mean((2, 3)) @ tensors["loss3/classifier/kernel"][0, 0] + tensors["loss3/classifier/bias"]
    expected = {name: activation[0].permute(1, 2, 0).numpy() for name, activation in activations.items()}
    expected["loss3/classifier"] = logits[0].numpy()
    assert_taps(extract(build("random", FOUND, padding="zeros"), image, taps)[1], expected)


# Beside the network in every checkpoint that was trained with Caffe: two classifiers in its midst.
BESIDE = {
    f"{name}/{leaf}": np.ones(shape, np.float32)
    for head in ("loss1", "loss2")
    for name, shape in ((f"{head}/conv", (128, 512, 1, 1)), (f"{head}/fc", (1024, 2048)))
    for leaf in ("weight", "bias")
}


def checkpoint(until=None):
    """The network's tensors as Caffe has them: kernels [out, in, h, w], the classifier's a matrix."""
    found = {}
    for name, tensor in weights("googlenet", until).tensors.items():
        layer, _, leaf = name.rpartition("/")
        if layer != "preprocess":
            turned = tensor.transpose(3, 2, 0, 1) if leaf == "kernel" else tensor
            turned = turned[:, :, 0, 0] if layer == "loss3/classifier" and leaf == "kernel" else turned
            found[f"{layer}/{'weight' if leaf == 'kernel' else 'bias'}"] = np.ascontiguousarray(turned)
    return found


def assert_read(path, layout, until=None):
    found = read_weights(path)
    assert (found.architecture, found.metadata["layout"]) == ("googlenet", layout)
    expected = weights("googlenet", until).tensors
    assert set(found.tensors) == set(expected)
    for name, tensor in expected.items():
        if not name.startswith("preprocess"):
            np.testing.assert_array_equal(found.tensors[name], tensor, err_msg=name)
    np.testing.assert_array_equal(found.tensors["preprocess/bias"], [-104, -117, -123])  # of BGR, as Caffe trained it


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: name.replace("/weight", "_w").replace("/bias", "_b"),  # Caffe2
        lambda name: name.replace("/weight", "/weights").replace("/bias", "/biases"),  # caffe-tensorflow
    ],
    ids=["plain", "caffe2", "plural"],
)
def test_caffes_names_are_read(rename, tmp_path):
    np.savez(tmp_path / "net.npz", **{rename(name): tensor for name, tensor in (checkpoint() | BESIDE).items()})
    assert_read(tmp_path / "net.npz", "caffe")


@pytest.mark.parametrize("container", [zip_form, legacy_form])
def test_neural_dreams_checkpoint_is_read(container, tmp_path):
    """`bvlc_googlenet.pth` has the auxiliary classifiers and not the last; names as in its `BVLC_GOOGLENET`."""
    last = "inception_5b/pool_proj"
    renames = {"loss1_fc": "loss1_fc_1", "loss2_fc": "loss2_fc_1"}
    theirs = {}
    for name, tensor in (checkpoint(last) | BESIDE).items():
        layer, _, leaf = name.rpartition("/")
        layer = layer.replace("/", "_")
        theirs[f"{renames.get(layer, layer)}.{leaf}"] = tensor
    assert {"conv1_7x7_s2.weight", "inception_3a_5x5_reduce.bias", "loss1_fc_1.weight"} < set(theirs)
    tree, storages = contiguous(theirs)
    (tmp_path / "bvlc_googlenet.pth").write_bytes(container(ordered(tree), storages))
    assert_read(tmp_path / "bvlc_googlenet.pth", "neural-dream", last)


def number(value):
    """A varint."""
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(index, value):
    """A field of a protocol buffer: bytes with their length, or a number."""
    if isinstance(value, int):
        return number(index << 3) + number(value)
    return number(index << 3 | 2) + number(len(value)) + value


def caffemodel(tensors, old):
    """A net as Caffe writes it (src/caffe/proto/caffe.proto), with today's layers or with those of its first years."""
    layers = {}
    for name, tensor in tensors.items():
        layer, _, leaf = name.rpartition("/")
        if old:
            sizes = (1,) * (4 - tensor.ndim) + tensor.shape
            shape = b"".join(field(i, size) for i, size in enumerate(sizes, 1))
        else:
            shape = field(7, field(1, b"".join(map(number, tensor.shape))))
        values = field(5, tensor.astype("<f4").tobytes())
        layers.setdefault(layer, {})[leaf] = shape + values if old else values + shape
    net = field(1, b"GoogleNet") + b"".join(field(2 if old else 100, field(2, b"x") + field(3, b"y")) for _ in range(2))
    for name, blobs in layers.items():
        of_blobs = b"".join(field(6 if old else 7, blobs[leaf]) for leaf in ("weight", "bias"))
        about = field(4, name.encode()) + field(5, 4) if old else field(1, name.encode()) + field(2, b"Convolution")
        net += field(
            2 if old else 100, about + number(7 << 3 | 5) + b"\0\0\x80\x3f" + of_blobs if old else about + of_blobs
        )
    return net


@pytest.mark.parametrize("old", [False, True])
def test_caffes_own_file_is_read(old, tmp_path):
    path = tmp_path / "bvlc_googlenet.caffemodel"
    path.write_bytes(caffemodel(checkpoint() | BESIDE, old))
    assert_read(path, "caffe")
    whole = path.read_bytes()
    for end in (len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(JaxstyleError, match="damaged or cut short"):
            read_weights(path)


@pytest.mark.parametrize("head", [b"\n\n\n\nhello", b"\n\x05hello world", b"\n\x03abc", b"\n"])
def test_text_is_not_taken_for_a_net(head, tmp_path):
    (tmp_path / "net").write_bytes(head)
    with pytest.raises(JaxstyleError, match="in no format known here"):
        read_weights(tmp_path / "net")


def test_a_torn_module_is_refused(tmp_path):
    tensors = checkpoint()
    del tensors["inception_4c/5x5/weight"]
    tensors["inception_3a/1x1/weight"] = tensors["inception_3a/1x1/weight"][:, :100]
    np.savez(tmp_path / "net.npz", **tensors)
    with pytest.raises(JaxstyleError, match="not a whole googlenet in the caffe layout") as caught:
        read_weights(tmp_path / "net.npz")
    assert "inception_4c/5x5/kernel is missing" in str(caught.value)
    assert "inception_3a/1x1/kernel takes 100 inputs, but gets 192 from conv2/3x3" in str(caught.value)
