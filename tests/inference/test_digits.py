"""The shipped classifier of digits: its file, its accuracy, and how it scores pictures of several channels."""

import gzip
import types

import jax
import numpy as np
import pytest

from jaxstyle.features.weights.readers import read_tensors
from jaxstyle.inference import digits
from jaxstyle.inference.feature_space import open_space, suited


def info(shape, classes):
    return types.SimpleNamespace(spec={"image": jax.ShapeDtypeStruct(shape, np.uint8)}, classes=classes)


def test_the_file_is_small_and_tells_its_accuracy_and_hash():
    tensors, notes = read_tensors(digits.PATH)
    assert digits.PATH.stat().st_size < 600_000 and {leaf.dtype.name for leaf in tensors.values()} == {"float16"}
    assert notes["sha256"] == digits.digest(tensors) and float(notes["accuracy"].split()[0]) > 0.99
    assert {"command", "data", "licence"} < set(notes)


def test_a_stack_of_digits_is_scored_channel_by_channel():
    space = open_space("digits")
    stacks = suited(space, info((28, 28, 3), tuple(f"{i:03}" for i in range(1000))))
    pictures = np.random.default_rng(0).random((4, 28, 28, 3), np.float32)
    features, probabilities = jax.jit(stacks.extract)(stacks.params, pictures)
    each = [jax.jit(space.extract)(space.params, pictures[..., c : c + 1]) for c in range(3)]
    np.testing.assert_allclose(features, np.concatenate([f for f, _ in each], -1), rtol=1e-4, atol=1e-4)
    red, green, blue = (np.float64(p) for _, p in each)
    for number in (0, 7, 385, 999):
        expected = red[:, number // 100] * green[:, number // 10 % 10] * blue[:, number % 10]
        np.testing.assert_allclose(probabilities[:, number], expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(np.sum(probabilities, 1), 1, rtol=1e-5)
    assert stacks.shape == (28, 28, 3) and stacks.classes[42] == "042"


def test_other_pictures_in_colour_are_not_taken_for_stacks():
    space = open_space("digits")
    for shape, classes in (((28, 28, 3), digits.CLASSES), ((28, 28, 1), digits.CLASSES), ((32, 32, 3), ("a", "b"))):
        assert suited(space, info(shape, classes)) is space


@pytest.mark.realdata
@pytest.mark.slow
def test_it_reads_the_test_digits_of_mnist(real_data):
    folder = real_data / "datasets" / "mnist"
    images, labels = (
        np.frombuffer(gzip.decompress((folder / f"t10k-{name}-ubyte.gz").read_bytes()), np.uint8, offset=skip)
        for name, skip in (("images-idx3", 16), ("labels-idx1", 8))
    )
    pictures = images.reshape(-1, 28, 28, 1)[:2000] / np.float32(255)
    space = open_space("digits")
    _, probabilities = jax.jit(space.extract)(space.params, pictures)
    assert np.mean(np.argmax(probabilities, -1) == labels[:2000]) > 0.985  # the first 5,000 are the harder ones
