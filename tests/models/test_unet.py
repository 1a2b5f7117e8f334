"""The U-Net: sizes, what a pixel's class depends on, and the same network in PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.models.unet import UNet, padded


def started(height=12, width=12, seed=0, **options):
    """A small network, its variables with batch statistics that are not 0 and 1, and a picture."""
    net = UNet(**{"classes": 2, "width": 4, "levels": 2, "axis": None, **options})
    picture = np.random.default_rng(seed).uniform(size=(1, height, width, 3)).astype(np.float32)
    variables = jax.jit(net.init)(jax.random.key(seed), jnp.zeros((1, net.factor, net.factor, 3)))
    rng = np.random.default_rng(seed)
    statistics = jax.tree.map(
        lambda x: x + rng.uniform(-0.4, 0.4, x.shape).astype(np.float32), variables["batch_stats"]
    )
    return net, {**variables, "batch_stats": statistics}, picture


@pytest.mark.parametrize("size", [(16, 24), (1, 1), (13, 30), (5, 4)])
def test_any_size_gives_logits_of_its_own_size(size):
    net = UNet(classes=5, width=2, levels=3)
    image = jax.ShapeDtypeStruct((2, *size, 1), np.float32)
    logits, _ = jax.eval_shape(lambda x: net.init_with_output(jax.random.key(0), x), image)
    assert (logits.shape, logits.dtype) == ((2, *size, 5), np.float32)


def test_widths_double_and_parameters_are_as_many_as_by_hand():
    variables = jax.eval_shape(UNet(classes=2, width=16).init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
    widths = [16, 32, 64, 128, 256]
    pairs = [9 * (a * b + b * b) + 4 * b for a, b in zip([3, *widths], widths, strict=False)]
    ups = [4 * 2 * b * b + 9 * (2 * b * b + b * b) + 4 * b for b in widths[:-1]]
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == sum(pairs) + sum(ups) + 2 * 16 + 2


def test_padding_repeats_the_edge():
    x = np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1)
    np.testing.assert_array_equal(padded(x, 4)[0, :, :, 0], [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]])
    assert padded(x, 1) is x


def test_a_pixel_depends_on_what_is_within_the_radius_and_no_further():
    """A pixel that is not a number makes so many others none."""
    net, variables, _ = started()
    places = 32 + np.arange(net.factor)  # the grid of halvings lies differently about each
    pictures = np.zeros((net.factor, 64, 64, 3), np.float32)
    pictures[np.arange(net.factor), places, places] = np.nan
    logits = jax.jit(net.apply)(variables, pictures)
    reached = [np.argwhere(np.isnan(one).any(-1)) for one in np.asarray(logits)]
    assert max(np.abs(at - place).max() for at, place in zip(reached, places, strict=True)) == net.radius == 23
    assert UNet(classes=2).radius == 107


@pytest.mark.slow
def test_rematerialized_gradients_are_the_same():
    net, variables, picture = started(levels=1)
    again = UNet(classes=2, width=4, levels=1, axis=None, remat=True)
    keep, redo = (
        jax.jit(jax.grad(lambda x, one=one: jnp.sum(one.apply(variables, x, True, mutable=["batch_stats"])[0] ** 2)))
        for one in (net, again)
    )
    a, b = keep(picture), redo(picture)
    np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(a).max())  # float32 sums in another order


def test_bfloat16_computes_with_float32_parameters():
    net, variables, picture = started(levels=1)
    low = UNet(classes=2, width=4, levels=1, axis=None, dtype=jnp.bfloat16)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(jax.eval_shape(low.init, jax.random.key(0), picture))} == {
        "float32"
    }
    exact, rounded = (np.asarray(jax.jit(one.apply)(variables, picture)) for one in (net, low))
    assert rounded.dtype == np.float32
    apart = np.abs(rounded - exact).max() / np.abs(exact).max()
    assert 1e-4 < apart < 0.1  # eight bits a number, through six layers


def torch_logits(params, statistics, x, levels, torch):
    """The same network, channels first, written with PyTorch's functions."""
    f = torch.nn.functional

    def convolved(x, layer):
        bias = torch.from_numpy(layer["bias"]) if "bias" in layer else None
        kernel = torch.from_numpy(layer["kernel"].transpose(3, 2, 0, 1).copy())
        return f.conv2d(x, kernel, bias, padding="same")

    def pair(x, name):
        for i in range(2):
            x = convolved(x, params[name][f"Conv_{i}"])
            norm, running = (tree[name][f"BatchNorm_{i}"]["BatchNorm_0"] for tree in (params, statistics))
            parts = [torch.from_numpy(leaf) for leaf in (running["mean"], running["var"], norm["scale"], norm["bias"])]
            x = f.relu(f.batch_norm(x, *parts, eps=1e-5))
        return x

    kept = []
    for level in range(levels):
        x = pair(x, f"down{level}")
        kept.append(x)
        x = f.max_pool2d(x, 2)
    x = pair(x, "bottom")
    for level in reversed(range(levels)):
        kernel = params[f"double{level}"]["kernel"]  # [C, 2 · 2 · D]
        kernel = torch.from_numpy(kernel.reshape(len(kernel), 2, 2, -1).transpose(0, 3, 1, 2).copy())
        x = pair(torch.cat([kept[level], f.conv_transpose2d(x, kernel, stride=2)], 1), f"up{level}")
    last = params["logits"]
    return convolved(x, {"kernel": last["kernel"][None, None], "bias": last["bias"]})


@pytest.mark.parity
def test_logits_are_pytorchs():
    torch = pytest.importorskip("torch")
    net, variables, picture = started(16, 8)
    host = jax.tree.map(np.array, variables)
    x = torch.from_numpy(picture * 2 - 1).permute(0, 3, 1, 2)
    theirs = torch_logits(host["params"], host["batch_stats"], x, 2, torch).permute(0, 2, 3, 1).numpy()
    ours = np.asarray(jax.jit(net.apply)(variables, picture))
    assert ours.std() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max())  # float32 sums in another order
