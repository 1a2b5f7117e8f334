"""Inception-v3: every block against float64 NumPy, real weights, and checkpoints in torchvision's naming."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from inception_reference import inception
from network_reference import assert_taps
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import InceptionV3, Weights, build, load, read_weights, save_weights
from jaxstyle.features.architectures import ARCHITECTURES
from jaxstyle.features.inception import fid_preprocess, neighborhood_max, neighborhood_mean
from jaxstyle.features.inception_plan import BLOCKS, CONVOLUTIONS

LAYERS = ARCHITECTURES["inception_v3"]
WIDTHS_2015 = (
    *(32, 32, 64, 80, 192),
    *(width for pooled in (32, 64, 64) for width in (64, 48, 64, 64, 96, 96, pooled)),
    *(384, 64, 96, 96),
    *(width for c in (128, 160, 160, 192) for width in (192, c, c, 192, c, c, c, c, 192, 192)),
    *(192, 320, 192, 192, 192, 192),
    *(320, 384, 384, 384, 448, 384, 384, 384, 192) * 2,
    1008,
)
SHAPES_2015 = {
    "conv": (149, 149, 32),
    "pool": (73, 73, 64),
    "pool_1": (35, 35, 192),
    "mixed": (35, 35, 256),
    **dict.fromkeys(("mixed_1", "mixed_2"), (35, 35, 288)),
    **dict.fromkeys(("mixed_3", "mixed_4", "mixed_5", "mixed_6", "mixed_7"), (17, 17, 768)),
    "mixed_8": (8, 8, 1280),
    **dict.fromkeys(("mixed_9", "mixed_10"), (8, 8, 2048)),
    "pool_3": (2048,),
    "logits": (1008,),
}
PARAMETERS_2015 = 27_161_264 - 3_326_696 - sum(WIDTHS_2015[:-1]) + 8 * 2049 + 12
"""torchvision's published number, less its auxiliary classifier, with one number a channel where a batch norm has two,
eight more classes, and the colour map."""


def weights(until=None, seed=0, classes=1008):
    """Random weights of widths 2, 3 and 4 that keep the activations' scale; `until` is the last layer."""
    rng, widths, tensors = np.random.default_rng(seed), {"preprocess": 3}, {}
    tensors["preprocess/kernel"] = (2 * np.eye(3) + 0.1 * rng.normal(size=(3, 3))).astype(np.float32)
    tensors["preprocess/bias"] = rng.normal(size=3).astype(np.float32)
    for i, layer in enumerate(LAYERS):
        inputs = sum(widths[name] for name in layer.inputs)
        out = widths[layer.name] = classes if layer.name == "logits" else 2 + i % 3
        kernel = rng.normal(0, np.sqrt(2 / (inputs * np.prod(layer.size))), (*layer.size, inputs, out))
        tensors[f"{layer.name}/kernel"] = kernel.astype(np.float32)
        tensors[f"{layer.name}/bias"] = rng.normal(0.1, 0.2, out).astype(np.float32)
        if layer.name == until:
            break
    return Weights("inception_v3", tensors)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).uniform(size=(1, height, width, 3)).astype(np.float32)


def extract(features, image, taps):
    return jax.jit(lambda params, image: features.network.apply({"params": params}, image, taps))(
        features.params, image
    )[1]


@pytest.mark.parametrize(("classes", "last_pool"), [(1008, np.max), (1000, np.mean)])
def test_it_equals_the_reference_at_every_block(classes, last_pool):
    found = weights(classes=classes)
    features, image = build("random", found, padding="zeros"), picture(83, 110)  # mixed_8 is 1 x 2 pixels
    expected = inception(found.tensors, image[0], last_pool)
    assert set(BLOCKS) | {"pool_3", "logits"} < set(expected)
    assert_taps(extract(features, image, tuple(expected)), expected)


def test_the_first_convolution_may_repeat_the_edge():
    found = weights("conv_4")
    image = picture(40, 37)
    edged = np.pad(image[0], ((1, 1), (1, 1), (0, 0)), mode="edge")
    assert_taps(extract(build("short", found), image, ("conv", "conv_4")), inception(found.tensors, edged))


@pytest.mark.parametrize(
    ("until", "last", "beyond"),
    [
        ("conv_2", "pool", "conv_3"),
        ("mixed_8/tower_1_conv_3", "mixed_8", "mixed_9"),
        ("mixed_10/tower_2_conv", "pool_3", "logits"),
        ("logits", "logits", "mixed_11"),
    ],
)
def test_a_file_that_ends_early_has_taps_as_far_as_it_goes(until, last, beyond):
    features = build("short", weights(until))
    assert features.network.taps[-1] == last
    with pytest.raises(JaxstyleError, match=f"end at {last!r}"):
        features.check((beyond,))


def test_the_smallest_picture():
    features = build("random", weights("mixed_8/tower_1_conv_3"))
    # 32, and a repeated edge: 16, 14, 14, 6, 6, 4, 1 pixels. mixed_8 needs 75, of the powers of two 128.
    assert (features.least_side(("mixed_2",)), features.least_side(("mixed_8",))) == (32, 128)


def test_a_file_may_not_end_inside_a_block(tmp_path):
    with pytest.raises(JaxstyleError, match="mixed_4/tower_2_conv/kernel is missing"):
        save_weights(tmp_path / "torn.safetensors", weights("mixed_4/tower_1_conv_4"))


def test_it_stops_at_the_deepest_tap_asked_for():
    features, image = build("random", weights()), np.zeros((1, 96, 96, 3), np.float32)
    for taps, count in {("pool",): 3, ("mixed",): 12, ("mixed_4", "conv"): 40, ("pool_3",): 94}.items():
        program = jax.make_jaxpr(lambda x, t=taps: features.network.apply({"params": features.params}, x, t))(image)
        assert str(program).count("conv_general_dilated[") == count


@pytest.mark.parametrize("around", [neighborhood_mean, neighborhood_max])
def test_pools_around_have_their_gradient_in_a_compiled_program(around):
    x = np.random.default_rng(0).permutation(60).reshape(1, 6, 5, 2) / 60
    direction = np.random.default_rng(1).normal(size=x.shape)
    with jax.enable_x64(True):
        value = jax.jit(lambda x: jnp.sum(around(x) ** 3))
        gradient = jax.jit(jax.grad(value))(x)
        difference = (value(x + 1e-5 * direction) - value(x - 1e-5 * direction)) / 2e-5
        np.testing.assert_allclose(np.vdot(gradient, direction), difference, rtol=1e-7)


def test_its_own_form_is_read_back(tmp_path):
    save_weights(tmp_path / "own.safetensors", weights())
    found = read_weights(tmp_path / "own.safetensors")
    assert (found.architecture, found.metadata) == ("inception_v3", {})
    jax.tree.map(np.testing.assert_array_equal, found.tensors, weights().tensors)


def torch_names():
    """torchvision's names of the convolutions in the order of the plan, written from its source."""
    a = "branch1x1 branch5x5_1 branch5x5_2 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3 branch_pool"
    b = "branch3x3 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"
    c = "branch1x1 branch7x7_1 branch7x7_2 branch7x7_3 branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 branch7x7dbl_4 "
    c += "branch7x7dbl_5 branch_pool"
    d = "branch3x3_1 branch3x3_2 branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4"
    e = "branch1x1 branch3x3_1 branch3x3_2a branch3x3_2b branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a branch3x3dbl_3b "
    e += "branch_pool"
    names = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
    blocks = zip(names, (a, a, a, b, c, c, c, c, d, e, e), strict=True)
    stem = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"]
    return [*stem, *(f"Mixed_{name}.{branch}" for name, branches in blocks for branch in branches.split())]


def unfolded(tensors, seed=1):
    """A checkpoint as torchvision has it, whose convolutions and batch norms make these canonical tensors."""
    rng, state = np.random.default_rng(seed), {"AuxLogits.fc.bias": np.zeros(5, np.float32)}
    for theirs, node in zip(torch_names(), CONVOLUTIONS[:-1], strict=True):
        kernel, bias = (tensors[f"{node.name}/{leaf}"].astype(np.float64) for leaf in ("kernel", "bias"))
        scale, mean, variance = (
            rng.uniform(0.5, 2, len(bias)),
            rng.normal(size=len(bias)),
            rng.uniform(0.1, 3, len(bias)),
        )
        by = scale / np.sqrt(variance + 0.001)
        state[f"{theirs}.conv.weight"] = (kernel / by).transpose(3, 2, 0, 1)
        norm = {"weight": scale, "bias": bias + mean * by, "running_mean": mean, "running_var": variance}
        state |= {f"{theirs}.bn.{leaf}": value for leaf, value in norm.items()}
        state[f"{theirs}.bn.num_batches_tracked"] = np.int64(7)
    state["fc.weight"], state["fc.bias"] = tensors["logits/kernel"][0, 0].T, tensors["logits/bias"]
    return {name: np.asarray(value, None if "tracked" in name else np.float32) for name, value in state.items()}


def test_torchvisions_checkpoint_is_read_and_its_batch_norms_folded(tmp_path):
    expected = weights().tensors
    np.savez(tmp_path / "fid.npz", **unfolded(expected))
    found = read_weights(tmp_path / "fid.npz")
    assert (found.architecture, found.metadata["layout"]) == ("inception_v3", "torchvision")
    np.testing.assert_array_equal(found.tensors.pop("preprocess/kernel"), 2 * np.eye(3))  # [0, 1] to [-1, 1]
    np.testing.assert_array_equal(found.tensors.pop("preprocess/bias"), [-1, -1, -1])
    assert set(found.tensors) == set(expected) - {"preprocess/kernel", "preprocess/bias"}
    for name, tensor in found.tensors.items():
        # The checkpoint is float32: kernels are off by its rounding, biases by that of the norm's mean and shift.
        np.testing.assert_allclose(tensor, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ("Mixed_6a.branch3x3.bn.running_var", "mixed_3/conv/kernel is missing"),
        ("Conv2d_2a_3x3.conv.weight", "conv_1/kernel is missing"),
        ("fc.bias", "logits/bias is missing"),
    ],
)
def test_a_checkpoint_that_lacks_a_part_is_itemized(tmp_path, lost, sentence):
    state = unfolded(weights().tensors)
    del state[lost]
    np.savez(tmp_path / "torn.npz", **state)
    with pytest.raises(JaxstyleError, match=f"not a whole inception_v3 in the torchvision layout: .*{sentence}"):
        read_weights(tmp_path / "torn.npz")


@pytest.mark.parity
def test_activations_are_torchvisions(tmp_path, monkeypatch):
    """The whole network at its real widths, read from a checkpoint; patched as pytorch-fid patches it."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxstyle[parity]'")
    try:
        from torchvision.models import inception as models
    except (ImportError, RuntimeError) as error:  # the latter where it was built for another PyTorch
        pytest.skip(f"torchvision cannot be used: {error}")
    pool = torch.nn.functional.avg_pool2d
    monkeypatch.setattr(models.F, "avg_pool2d", lambda x, **o: pool(x, **o, count_include_pad=False))
    torch.manual_seed(0)
    network = models.Inception3(1008, aux_logits=False, init_weights=False).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1), module.running_var.uniform_(0.2, 0.6)
    last = network.Mixed_7c
    last.forward = lambda x: torch.cat(
        [
            last.branch1x1(x),
            *(branch(last.branch3x3_1(x)) for branch in (last.branch3x3_2a, last.branch3x3_2b)),
            *(b(last.branch3x3dbl_2(last.branch3x3dbl_1(x))) for b in (last.branch3x3dbl_3a, last.branch3x3dbl_3b)),
            last.branch_pool(torch.nn.functional.max_pool2d(x, 3, 1, 1)),
        ],
        1,
    )
    torch.save(network.state_dict(), tmp_path / "fid.pth")
    features, image = load(tmp_path / "fid.pth", padding="zeros"), picture(107, 90)
    taps = extract(features, image, ("mixed_8", "mixed_10", "pool_3", "logits"))
    activations = {}
    for name in ("Mixed_7a", "Mixed_7c", "avgpool"):
        getattr(network, name).register_forward_hook(lambda _, __, out, name=name: activations.update({name: out}))
    with torch.no_grad():
        activations["logits"] = network(torch.tensor(2 * image - 1).permute(0, 3, 1, 2))
    assert taps["pool_3"].shape == (1, 2048) and taps["logits"].shape == (1, 1008)
    for ours, theirs in (
        ("mixed_8", "Mixed_7a"),
        ("mixed_10", "Mixed_7c"),
        ("pool_3", "avgpool"),
        ("logits", "logits"),
    ):
        out = activations[theirs].numpy()
        out = out.transpose(0, 2, 3, 1) if ours.startswith("mixed") else out.reshape(1, -1)
        error = np.max(np.abs(taps[ours] - out)) / np.max(np.abs(out))
        assert error < 1e-4, (ours, error)  # float32 through 48 layers; the project promises 1e-4


def test_shapes_at_299_are_the_papers():
    """Table 1, at the widths of 2015; what FID looks at is 2048 numbers a picture."""
    network, images = InceptionV3(WIDTHS_2015, padding="zeros"), jnp.zeros((2, 299, 299, 3))
    (_, taps), params = jax.eval_shape(
        lambda: network.init_with_output(jax.random.key(0), images, tuple(SHAPES_2015)),
    )
    assert {name: tap.shape[1:] for name, tap in taps.items()} == SHAPES_2015
    assert sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(params)) == PARAMETERS_2015


def test_fids_resize_is_bilinear_between_pixel_centers():
    ramp = np.broadcast_to(np.linspace(0, 1, 13, dtype=np.float32)[None, :, None, None], (1, 13, 7, 1))
    resized = fid_preprocess(ramp)
    assert resized.shape == (1, 299, 299, 3)
    at = np.clip((np.arange(299) + 0.5) * 13 / 299 - 0.5, 0, 12) / 12
    np.testing.assert_allclose(resized, np.broadcast_to(at[None, :, None, None], resized.shape), atol=1e-6)
    large = picture(400, 300)[:, ::-1]  # made smaller without a low-pass filter, as pytorch-fid does
    row = (np.arange(299) + 0.5) * 400 / 299 - 0.5
    low, part = np.floor(row).astype(int), (row - np.floor(row))[:, None, None]
    column = (np.arange(299) + 0.5) * 300 / 299 - 0.5
    left, share = np.floor(column).astype(int), (column - np.floor(column))[None, :, None]
    up = large[0, low] * (1 - part) + large[0, low + 1] * part
    expected = up[:, left] * (1 - share) + up[:, np.minimum(left + 1, 299)] * share
    np.testing.assert_allclose(fid_preprocess(large)[0], expected, atol=1e-4)  # float32 places, up to 400


REACHED = {"conv", "pool", "pool_1", "mixed", *(f"mixed_{i}" for i in range(1, 9))}


@pytest.fixture
def to_mixed_8(real_data):
    return real_data / "features" / "inception_v3" / "inception_v3_to_mixed_8.safetensors"


@pytest.mark.realdata
def test_activations_of_real_weights_are_the_references(to_mixed_8, real_data):
    found = read_weights(to_mixed_8)
    assert (found.architecture, found.metadata["layout"]) == ("inception_v3", "inception-hwio")
    photo = Image.open(real_data / "images" / "content" / "tubingen.jpg").convert("RGB")
    image = np.asarray(photo)[None, 250:357, 300:390].astype(np.float32) / 255
    taps = extract(build("real", found, padding="zeros"), image, tuple(name for name in SHAPES_2015 if name in REACHED))
    assert set(taps) == REACHED
    assert_taps(taps, inception(found.tensors, image[0]), 1e-4)  # what the project promises
