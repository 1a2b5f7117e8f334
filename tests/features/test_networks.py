"""The networks with random weights against float64 NumPy, tap by tap, and how they are built and asked."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from network_reference import assert_taps, squeezenet, vgg
from networks import SQUEEZENETS, extract, picture, weights

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.architectures import VGG_BLOCKS
from jaxstyle.features.features import build, load
from jaxstyle.features.layers import deepest_tap, pool2, pool3
from jaxstyle.features.squeezenet import PLANS
from jaxstyle.features.weights.files import save_weights


def convolutions(features, taps, side=64):
    """How many convolutions the program for these taps has."""
    image = jnp.zeros((1, side, side, 3))
    program = jax.make_jaxpr(lambda image: features.network.apply({"params": features.params}, image, taps))(image)
    return str(program).count("conv_general_dilated[")


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_vgg_equals_the_reference_at_every_tap(pooling, padding):
    # Odd sides: 37 and 22 lose a row or a column at every second pool.
    found = weights("vgg16", seed=1)
    features, image = build("tiny", found, pooling=pooling, padding=padding), picture(37, 50)
    output, taps = extract(features, image)
    expected = vgg(found.tensors, image[0], pooling=pooling, replicate=padding == "replicate")
    # float32 through 13 layers; the project promises 1e-4.
    assert_taps(taps, expected)
    assert tuple(expected) == features.network.taps == tuple(sorted(taps, key=features.network.taps.index))
    np.testing.assert_array_equal(output, taps["pool5"])


def test_vgg19_has_the_published_taps():
    features = build("tiny", weights("vgg19"))
    names = features.network.taps
    assert names[:5] == ("conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1")
    assert len(names) == 2 * 16 + 5 and {"relu3_4", "relu4_2", "relu5_4", "pool5"} <= set(names)


def test_a_batch_is_a_loop_over_pictures():
    features = build("tiny", weights("vgg16", "conv2_1"))
    images = np.concatenate([picture(9, 12, seed) for seed in range(3)])
    _, together = extract(features, images, ("relu1_2", "conv2_1"))
    for i in range(3):
        _, alone = extract(features, images[i : i + 1], ("relu1_2", "conv2_1"))
        for name, activation in alone.items():
            np.testing.assert_allclose(together[name][i], activation[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_the_gradient_is_finite_where_whole_windows_are_zero(pooling):
    found = weights("vgg16", "conv2_1")
    found.tensors["conv1_2/bias"][:] = -1e3  # nothing survives the ReLU before the pool
    features = build("tiny", found, pooling=pooling)

    def loss(image):
        output, taps = features.network.apply({"params": features.params}, image, ("pool1", "conv2_1"))
        return jnp.sum(output**2) + jnp.sum(taps["pool1"])

    gradient = jax.jit(jax.grad(loss))(picture(8, 8))
    np.testing.assert_array_equal(gradient, np.zeros((1, 8, 8, 3)))


@pytest.mark.parametrize("sides", [2, 3])
def test_smooth_pooling_is_max_pooling_with_a_gradient_shared_by_squares(sides):
    x = np.random.default_rng(0).random((1, 7, 7, 2))
    x[:, :3, :3] = 0  # a window of noughts has no gradient
    cotangent = np.random.default_rng(1).normal(size=(1, 3, 3, 2))
    pool = {2: pool2, 3: functools.partial(pool3, ceil=False)}[sides]
    expected = np.zeros_like(x)
    for i, j in np.ndindex(3, 3):
        rows, columns = slice(2 * i, 2 * i + sides), slice(2 * j, 2 * j + sides)
        squares = x[:, rows, columns] ** 2
        total = squares.sum((1, 2), keepdims=True)
        shares = np.divide(squares, total, out=np.zeros_like(squares), where=total > 0)
        expected[:, rows, columns] += shares * cotangent[:, i : i + 1, j : j + 1]
    found, pull = jax.vjp(lambda x: pool(x, "smooth"), jnp.asarray(x, jnp.float32))
    np.testing.assert_array_equal(found, pool(jnp.asarray(x, jnp.float32), "max"))
    np.testing.assert_allclose(pull(jnp.asarray(cotangent, jnp.float32))[0], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("pool", [lambda x: pool2(x, "l2"), lambda x: pool3(x, "l2", True)])
def test_l2_pooling_of_zeros_is_zero_with_a_finite_gradient(pool):
    value, gradient = jax.value_and_grad(lambda x: jnp.sum(pool(x)))(jnp.zeros((1, 6, 6, 2)))
    assert abs(value) < 1e-6
    np.testing.assert_array_equal(gradient, np.zeros((1, 6, 6, 2)))


@pytest.mark.parametrize("pooling", ["average", "l2"])
def test_pooling_in_bfloat16_stays_near_and_in_its_dtype(pooling):
    x = np.abs(np.random.default_rng(0).normal(size=(1, 6, 7, 3))).astype(np.float32)
    for pool in (lambda x: pool2(x, pooling), lambda x: pool3(x, pooling, True)):
        pooled = pool(jnp.asarray(x, jnp.bfloat16))
        assert pooled.dtype == jnp.bfloat16
        np.testing.assert_allclose(np.asarray(pooled, np.float32), pool(jnp.asarray(x)), rtol=0.03)  # of 8 bits


@pytest.mark.parametrize(
    ("architecture", "taps", "count"),
    [
        ("vgg19", ("relu1_1",), 1),
        ("vgg19", ("pool1",), 2),
        ("vgg19", ("relu4_2", "conv1_1"), 10),
        ("vgg19", ("conv5_4",), 16),
        ("vgg19", (), 0),
        ("squeezenet1_0", ("relu1",), 1),
        ("squeezenet1_0", ("pool1",), 1),
        ("squeezenet1_0", ("fire3", "conv1"), 7),
        ("squeezenet1_1", ("pool5",), 13),
    ],
)
def test_a_network_stops_at_the_deepest_tap_asked_for(architecture, taps, count):
    assert convolutions(build("tiny", weights(architecture)), taps) == count


@pytest.mark.parametrize(
    ("architecture", "ceil", "pooling", "padding", "shape"),
    [
        ("squeezenet1_0", True, "max", "zeros", (70, 83)),
        ("squeezenet1_0", True, "l2", "replicate", (65, 60)),
        ("squeezenet1_1", False, "max", "replicate", (53, 64)),
        ("squeezenet1_1", True, "average", "zeros", (55, 50)),
    ],
)
def test_squeezenet_equals_the_reference_at_every_tap(architecture, ceil, pooling, padding, shape):
    found = weights(architecture, ceil_pooling=ceil)
    features, image = build("random", found, pooling=pooling, padding=padding), picture(*shape)
    _, taps = extract(features, image)
    options = {**SQUEEZENETS[architecture], "ceil": ceil, "pooling": pooling, "replicate": padding == "replicate"}
    expected = squeezenet(found.tensors, image[0], stages=10, **options)
    assert taps["logits"].shape == (1, 1000)
    assert_taps(taps, expected)
    assert tuple(expected) == features.network.taps


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_pools_of_three_have_their_gradient_in_a_compiled_program(pooling):
    x = np.random.default_rng(0).permutation(60).reshape(1, 6, 5, 2) / 60 + 0.1
    direction = np.random.default_rng(1).normal(size=x.shape)
    with jax.enable_x64(True):
        value = jax.jit(lambda x: jnp.sum(pool3(x, pooling, True) ** 3))
        gradient = jax.jit(jax.grad(value))(x)
        difference = (value(x + 1e-5 * direction) - value(x - 1e-5 * direction)) / 2e-5
        np.testing.assert_allclose(np.vdot(gradient, direction), difference, rtol=1e-7)


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("side", range(3, 11))
def test_pools_of_three_have_the_sizes_of_caffe_and_of_keras(ceil, side):
    # Caffe: ceil((side - 3) / 2) + 1; Keras, "valid": floor.
    expected = int(np.ceil((side - 3) / 2) if ceil else np.floor((side - 3) / 2)) + 1
    shape = jax.eval_shape(lambda x: pool3(x, "max", ceil), jax.ShapeDtypeStruct((1, side, 12, 1), np.float32)).shape
    assert shape[1] == expected


@pytest.mark.parity
@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("shape", [(8, 7), (5, 6)])
def test_pools_of_three_are_torchs(ceil, shape):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxstyle[parity]'")
    x = np.random.default_rng(0).uniform(size=(1, *shape, 4)).astype(np.float32)
    theirs = torch.tensor(x.transpose(0, 3, 1, 2))
    functional = torch.nn.functional
    expected = {
        "max": functional.max_pool2d(theirs, 3, 2, ceil_mode=ceil),
        "average": 2 * functional.avg_pool2d(theirs, 3, 2, ceil_mode=ceil),
        # torch's L2 pool is of the sum of nine squares; ours keeps the scale that 0.78 has for windows of four.
        "l2": 0.78 * 2 / 3 * functional.lp_pool2d(theirs, 2, 3, 2, ceil_mode=ceil),
    }
    for pooling, activation in expected.items():
        found = pool3(jnp.asarray(x), pooling, ceil)
        np.testing.assert_allclose(found, activation.numpy().transpose(0, 2, 3, 1), rtol=1e-5, err_msg=pooling)


@pytest.mark.parity
def test_pools_of_two_are_crowsonkbs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxstyle[parity]'")
    x = np.random.default_rng(1).uniform(size=(2, 7, 6, 4)).astype(np.float32)
    theirs = torch.tensor(x.transpose(0, 3, 1, 2))
    expected = {
        "max": torch.nn.functional.max_pool2d(theirs, 2),
        "average": 2 * torch.nn.functional.avg_pool2d(theirs, 2),
        "l2": 0.78 * torch.nn.functional.lp_pool2d(theirs, 2, 2),
    }
    for pooling, activation in expected.items():
        found = pool2(jnp.asarray(x), pooling)
        np.testing.assert_allclose(found, activation.numpy().transpose(0, 2, 3, 1), rtol=1e-5, err_msg=pooling)


@pytest.mark.parametrize("architecture", ["vgg19", "squeezenet1_0"])
def test_an_unknown_tap_is_refused_with_the_nearest_name(architecture):
    features = build("net", weights(architecture))
    typed, meant = {"vgg19": ("relu4-2", "relu4_2"), "squeezenet1_0": ("fire4/squeeze", "fire4/squeeze1x1")}[
        architecture
    ]
    with pytest.raises(JaxstyleError, match=rf"{typed}.*{meant}"):
        features.network.apply({"params": features.params}, picture(64, 64), (typed,))
    with pytest.raises(JaxstyleError, match=rf"{typed}.*'net'.*{features.network.taps[-1]}.*{meant}"):
        features.check(("conv1_1" if architecture == "vgg19" else "conv1", typed))
    features.check(features.network.taps)


def test_deepest_tap_is_by_depth_not_by_order():
    assert deepest_tap(("c", "a"), ("a", "b", "c")) == 2
    assert deepest_tap((), ("a", "b")) == -1


@pytest.mark.parametrize(
    ("architecture", "until", "last", "beyond"),
    [
        ("vgg19", "conv3_1", "relu3_1", "pool3"),
        ("vgg19", "conv1_1", "relu1_1", "conv1_2"),
        ("vgg16", "conv5_3", "pool5", "conv5_4"),
        ("squeezenet1_1", "fire3/expand3x3", "pool3", "fire4"),
        ("squeezenet1_0", "fire3/expand3x3", "fire3", "pool4"),
        ("squeezenet1_0", "conv1", "pool1", "fire2"),
        ("squeezenet1_0", "conv10", "logits", "fire10"),
    ],
)
def test_a_file_that_ends_early_has_taps_as_far_as_it_goes(architecture, until, last, beyond):
    features = build("short", weights(architecture, until))
    assert features.network.taps[-1] == last
    features.check((last,))
    with pytest.raises(JaxstyleError, match=f"end at {last!r}"):
        features.check((beyond,))


@pytest.mark.parametrize(("architecture", "until"), [("vgg19", "conv2_1"), ("squeezenet1_1", "fire3/expand3x3")])
def test_a_network_that_ends_early_has_the_whole_ones_activations(architecture, until):
    short, whole = build("short", weights(architecture, until)), build("whole", weights(architecture))
    image, taps = picture(32, 40), short.network.taps
    ours, expected = extract(short, image, taps)[1], extract(whole, image, taps)[1]
    assert ours.keys() == set(taps)
    jax.tree.map(np.testing.assert_array_equal, ours, expected)


def test_loading_a_file_is_building_from_its_weights(tmp_path):
    found = weights("squeezenet1_0", "fire2/expand3x3", ceil_pooling=True)
    save_weights(tmp_path / "net.safetensors", found)
    loaded = load(tmp_path / "net.safetensors", pooling="average", padding="zeros")
    built = build("net.safetensors", found, pooling="average", padding="zeros")
    assert (loaded.name, loaded.network) == (built.name, built.network)
    assert hash(loaded.network) == hash(built.network)  # it is static under jit
    assert loaded.network.ceil_pooling
    jax.tree.map(np.testing.assert_array_equal, loaded.params, built.params)


def test_every_parameter_is_used():
    for architecture in VGG_BLOCKS.keys() | PLANS.keys():
        features = build("net", weights(architecture))
        shapes = jax.eval_shape(features.network.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))["params"]
        assert jax.tree.map(jnp.shape, features.params) == jax.tree.map(lambda leaf: leaf.shape, shapes)


def test_an_unknown_pooling_is_refused_with_the_nearest_name():
    with pytest.raises(JaxstyleError, match=r"'averge'.*'average'"):
        build("net", weights("vgg19", "conv1_1"), pooling="averge")
    with pytest.raises(JaxstyleError, match="'mean'"):
        pool2(jnp.zeros((1, 2, 2, 1)), "mean")
