"""Published generators of CycleGAN, in their own layout, against a forward pass in NumPy."""

import jax
import numpy as np
import pytest
from torch_writer import contiguous, ordered, zip_form

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.converters import convert

WIDTH, BLOCKS = 6, 2


def generator_tensors(dropout=False):
    """A `ResnetGenerator` with random numbers under its published names, in torch's layout."""
    rng, tensors = np.random.default_rng(0), {}

    def add(name, first, second, size):
        kernel = rng.standard_normal((first, second, size, size)) / np.sqrt(second * size**2)
        tensors[f"model.{name}.weight"] = np.asarray(kernel, np.float32)

    add("1", WIDTH, 3, 7)
    add("4", 2 * WIDTH, WIDTH, 3)
    add("7", 4 * WIDTH, 2 * WIDTH, 3)
    for block in range(BLOCKS):
        add(f"{10 + block}.conv_block.1", 4 * WIDTH, 4 * WIDTH, 3)
        add(f"{10 + block}.conv_block.{6 if dropout else 5}", 4 * WIDTH, 4 * WIDTH, 3)
    add(f"{10 + BLOCKS}", 4 * WIDTH, 2 * WIDTH, 3)  # transposed convolutions: inputs first
    add(f"{13 + BLOCKS}", 2 * WIDTH, WIDTH, 3)
    add(f"{17 + BLOCKS}", 3, WIDTH, 7)
    for name, tensor in list(tensors.items()):
        transposed = name in (f"model.{10 + BLOCKS}.weight", f"model.{13 + BLOCKS}.weight")
        count = tensor.shape[1 if transposed else 0]
        tensors[name.replace("weight", "bias")] = rng.standard_normal(count).astype(np.float32)
    return tensors


def forward(tensors, x, dropout=False):
    """`ResnetGenerator` on `[H, W, 3]` in [-1, 1], in float64."""

    def convolved(name, x, stride=1, padding=1, mode="constant"):
        kernel = np.float64(tensors[f"model.{name}.weight"])
        x = np.pad(x, ((padding, padding), (padding, padding), (0, 0)), mode=mode)
        size = kernel.shape[-1]
        rows, columns = ((side - size) // stride + 1 for side in x.shape[:2])
        out = np.zeros((rows, columns, len(kernel))) + tensors[f"model.{name}.bias"]
        for i, j in np.ndindex(size, size):
            window = x[i : i + (rows - 1) * stride + 1 : stride, j : j + (columns - 1) * stride + 1 : stride]
            out += window @ kernel[:, :, i, j].T
        return out

    def transposed(name, x):
        """Each pixel adds a patch; a row and a column of the border are cut off, and one is added at the end."""
        kernel = np.float64(tensors[f"model.{name}.weight"])
        out = np.zeros((2 * len(x) + 2, 2 * x.shape[1] + 2, kernel.shape[1]))
        for (i, j), (k, m) in ((a, b) for a in np.ndindex(*x.shape[:2]) for b in np.ndindex(3, 3)):
            out[2 * i + k, 2 * j + m] += x[i, j] @ kernel[:, :, k, m]
        return out[1:-1, 1:-1] + tensors[f"model.{name}.bias"]

    def norm(x):
        return (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-5)

    x = np.maximum(norm(convolved("1", x, padding=3, mode="reflect")), 0)
    for name in ("4", "7"):
        x = np.maximum(norm(convolved(name, x, stride=2)), 0)
    for block in range(10, 10 + BLOCKS):
        y = np.maximum(norm(convolved(f"{block}.conv_block.1", x, mode="reflect")), 0)
        x = x + norm(convolved(f"{block}.conv_block.{6 if dropout else 5}", y, mode="reflect"))
    for number in (10 + BLOCKS, 13 + BLOCKS):
        x = np.maximum(norm(transposed(str(number), x)), 0)
    return np.tanh(convolved(str(17 + BLOCKS), x, padding=3, mode="reflect"))


@pytest.mark.parametrize("dropout", [False, True])
def test_a_generator_of_cyclegan(tmp_path, dropout):
    tensors, x = generator_tensors(dropout), np.random.default_rng(1).random((16, 12, 3), np.float32)
    tree, storages = contiguous({f"module.{name}": tensor for name, tensor in tensors.items()})
    (tmp_path / "latest_net_G_A.pth").write_bytes(zip_form(ordered(tree), storages))
    model = convert(tmp_path / "latest_net_G_A.pth")
    assert model.styles == ("latest_net_G_A",)
    assert (model.network.width, model.network.blocks) == (WIDTH, BLOCKS)
    apply = jax.jit(lambda params, x: model.network.apply({"params": params}, x, np.ones((1, 1), np.float32)))
    made = 2 * np.asarray(apply(model.params, x[None])[0]) - 1
    np.testing.assert_allclose(made, forward(tensors, 2 * np.float64(x) - 1, dropout), atol=1e-4)


def test_generators_that_cannot_be_converted(tmp_path):
    tensors = generator_tensors()
    cases = {
        "batch": {**tensors, "model.2.running_mean": np.zeros(6, np.float32)},  # it normalises by batches
        "few": {name: tensors[name] for name in ("model.1.weight", "model.10.conv_block.1.weight")},
        "torn": {name: leaf for name, leaf in tensors.items() if "conv_block.5" not in name},
    }
    for name, found in cases.items():
        np.savez(tmp_path / f"{name}.npz", **found)
        with pytest.raises(JaxstyleError, match="is not a whole residual generator of pytorch-CycleGAN"):
            convert(tmp_path / f"{name}.npz")
