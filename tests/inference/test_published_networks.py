"""Style networks of lengstrom and of gordicaleksa, in their own layouts, against forward passes in NumPy."""

import re

import jax
import numpy as np
import pytest
from style_reference import convolved, enlarged, normalised
from tensorflow_writer import version_1, write_bundle
from torch_writer import contiguous, ordered, zip_form

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.converters import convert
from jaxstyle.inference.style_model import load_model, save_model

WIDTH = 4
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
"""Of ImageNet, as gordicaleksa's `utils.py` gives them."""


def lengstrom_tensors():
    """The variables of `src/transform.py` in the order in which it makes them, with those of Adam beside."""
    rng, tensors = np.random.default_rng(0), {}
    sizes = [(9, 3, 1), (3, 1, 2), (3, 2, 4), *[(3, 4, 4)] * 10, (3, 4, 2), (3, 2, 1), (9, 1, 3)]
    for number, (size, *widths) in enumerate(sizes):
        inputs, outputs = (side if side == 3 and number in (0, 15) else side * WIDTH for side in widths)
        shape = (size, size, *((outputs, inputs) if number in (13, 14) else (inputs, outputs)))
        leaves = (rng.standard_normal(shape) / size, rng.standard_normal(outputs), rng.standard_normal(outputs))
        for i, leaf in enumerate(leaves, 3 * number):
            tensors[f"Variable_{i}".removesuffix("_0")] = np.asarray(leaf, np.float32)
    return tensors | {"Variable/Adam": np.ones(3, np.float32), "global_step": np.asarray(7, np.int64)}


def lengstrom_forward(tensors, x):
    """`src/transform.py` on `[H, W, 3]` in 0 to 255; with stride 2 "SAME" adds a row and a column of zeros behind."""

    def leaves(number):
        return [np.float64(tensors[f"Variable_{3 * number + i}".removesuffix("_0")]) for i in range(3)]

    def norm(number, x):
        _, shift, scale = leaves(number)
        return (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-3) * scale + shift

    def same(number, x, stride=1):
        kernel = leaves(number)[0]
        before = len(kernel) // 2 if stride == 1 else 0
        padded = np.pad(x, ((before, len(kernel) - 1 - before),) * 2 + ((0, 0),))
        return sum(
            padded[u : u + len(x), v : v + x.shape[1]][::stride, ::stride] @ kernel[u, v]
            for u, v in np.ndindex(kernel.shape[:2])
        )

    def transposed(number, x):
        kernel = leaves(number)[0]
        out = np.zeros((2 * len(x) + 1, 2 * x.shape[1] + 1, kernel.shape[2]))
        for u, v in np.ndindex(3, 3):
            out[u : u + 2 * len(x) : 2, v : v + 2 * x.shape[1] : 2] += x @ kernel[u, v].T
        return out[:-1, :-1]

    def relu(x):
        return np.maximum(x, 0)

    for number, stride in enumerate((1, 2, 2)):
        x = relu(norm(number, same(number, x, stride)))
    for number in range(3, 13, 2):
        x = x + norm(number + 1, same(number + 1, relu(norm(number, same(number, x)))))
    for number in (13, 14):
        x = relu(norm(number, transposed(number, x)))
    return np.tanh(norm(15, same(15, x))) * 150 + 255 / 2


def run(model, x):
    apply = jax.jit(lambda params, x: model.network.apply({"params": params}, x, np.ones((1, 1), np.float32)))
    return np.asarray(apply(model.params, x[None])[0])


def test_a_checkpoint_of_lengstrom(tmp_path):
    tensors, x = lengstrom_tensors(), np.random.default_rng(1).random((16, 12, 3), np.float32)
    (tmp_path / "wave.ckpt").write_bytes(version_1(tensors))
    write_bundle(tmp_path / "udnie.ckpt", tensors)
    expected = lengstrom_forward(tensors, np.float64(x) * 255) / 255
    assert np.ptp(expected) > 1  # the wide tanh reaches beyond [0, 1]
    model = convert(tmp_path / "wave.ckpt")
    assert model.styles == ("wave",) and model.network.width == WIDTH
    np.testing.assert_allclose(run(model, x), expected, atol=1e-4)
    for name in ("udnie.ckpt", "udnie.ckpt.index"):
        other = convert(tmp_path / name)
        jax.tree.map(np.testing.assert_array_equal, other.params, model.params)
    save_model(tmp_path / "saved", model, np.zeros((8, 8, 3)))
    assert load_model(tmp_path / "saved").network == model.network


def test_a_checkpoint_of_gordicaleksa(tmp_path):
    rng, tensors = np.random.default_rng(0), {}
    layers = [("conv1", 9, 3, 32), ("conv2", 3, 32, 64), ("conv3", 3, 64, 128)]
    layers += [(f"res{i}.conv{j}", 3, 128, 128) for i in range(1, 6) for j in (1, 2)]
    layers += [("up1.conv2d", 3, 128, 64), ("up2.conv2d", 3, 64, 32), ("up3", 9, 32, 3)]
    for name, size, inputs, outputs in layers:
        kernel = rng.standard_normal((outputs, inputs, size, size)) / np.sqrt(inputs * size**2)
        tensors[f"{name}.conv2d.weight"] = np.asarray(kernel, np.float32)
        tensors[f"{name}.conv2d.bias"] = rng.standard_normal(outputs).astype(np.float32)
        norm = re.sub(r"up(\d).*", lambda found: f"in{int(found[1]) + 3}", name.replace("conv", "in"))
        for leaf in ("weight", "bias") if name != "up3" else ():
            tensors[f"{norm}.{leaf}"] = rng.standard_normal(outputs).astype(np.float32)

    def layer(name, x, stride=1):
        kernel = tensors[f"{name}.conv2d.weight"].transpose(2, 3, 1, 0)
        return convolved(x, kernel, stride) + tensors[f"{name}.conv2d.bias"]

    def norm(name, x):
        return normalised(x, np.float64(tensors[f"{name}.weight"]), tensors[f"{name}.bias"])

    picture = np.random.default_rng(1).random((16, 12, 3), np.float32)
    x = (np.float64(picture) - MEAN) / DEVIATION
    for i, stride in ((1, 1), (2, 2), (3, 2)):
        x = np.maximum(norm(f"in{i}", layer(f"conv{i}", x, stride)), 0)
    for i in range(1, 6):
        y = np.maximum(norm(f"res{i}.in1", layer(f"res{i}.conv1", x)), 0)
        x = x + norm(f"res{i}.in2", layer(f"res{i}.conv2", y))
    for i in (1, 2):
        x = np.maximum(norm(f"in{i + 3}", layer(f"up{i}.conv2d", enlarged(x))), 0)
    expected = layer("up3", x) * DEVIATION + MEAN
    tree, storages = contiguous({f"state_dict.{name}": tensor for name, tensor in tensors.items()})
    (tmp_path / "mosaic.pth").write_bytes(zip_form(ordered(tree), storages))
    np.testing.assert_allclose(
        run(convert(tmp_path / "mosaic.pth"), picture), expected, atol=1e-4 * np.abs(expected).max()
    )


@pytest.mark.parametrize(
    "change",
    [
        {"Variable_20": None},
        {"Variable": np.ones((), np.float32)},
        {"Variable": None},
        {"Variable_39": np.ones((5, 5, 8, 16), np.float32)},
    ],
)
def test_a_checkpoint_of_lengstrom_that_is_not_whole(tmp_path, change):
    tensors = {name: leaf for name, leaf in (lengstrom_tensors() | change).items() if leaf is not None}
    np.savez(tmp_path / "cut.npz", **tensors)
    with pytest.raises(JaxstyleError, match=r"cut\.npz' is not a whole network of fast-style-transfer"):
        convert(tmp_path / "cut.npz")
