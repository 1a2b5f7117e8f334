"""The network that the package ships: whole, small, alive, and near enough to VGG-19."""

import json
import pathlib
import tarfile

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from networks import real_vgg19
from PIL import Image

import jaxstyle.features
from jaxstyle.features import DEFAULT, Weights, load
from jaxstyle.features.weights import pruning, registry
from jaxstyle.features.weights.pruning import active_channels
from jaxstyle.features.weights.readers import read_tensors
from jaxstyle.losses.distillation import activation_error, cosine
from jaxstyle.runtime import download

COSINES = {"relu1_1": 0.99, "relu2_1": 0.98, "relu3_1": 0.93}
"""What the features, mapped to full width, have to reach on pictures that were never trained on."""
FIT_STEPS = 150


@pytest.fixture(scope="module")
def bundled():
    return load("bundled")


def extract(features, images, layers=None):
    return jax.jit(lambda params, x: features.network.apply({"params": params}, x, layers)[1])(features.params, images)


def test_it_is_the_default_verified_and_small():
    entry, path = registry.ENTRIES["bundled"], registry.resolve("bundled")
    assert DEFAULT == "bundled" and path.parent == pathlib.Path(jaxstyle.features.__file__).parent
    assert path.stat().st_size == entry.size_bytes <= 3e6
    assert download.matches(path, entry.hash)


def test_it_tells_where_it_comes_from():
    tensors, metadata = read_tensors(registry.resolve("bundled"))
    assert {x.dtype.name for name, x in tensors.items() if name.endswith("kernel") and x.ndim == 4} == {"float16"}
    assert {"command", "licence", "teachers", "data", "seed", "step", "score"} <= set(metadata)
    assert set(COSINES) < set(json.loads(metadata["score"]))


def test_it_has_the_layers_of_vgg19(bundled):
    names = [f"relu{block}_{i}" for block, count in enumerate((2, 2, 4, 4, 1), 1) for i in range(1, count + 1)]
    assert [tap for tap in bundled.network.taps if tap.startswith("relu")] == names


@pytest.mark.realdata
@pytest.mark.slow
def test_no_channel_is_dead(bundled, real_data, monkeypatch):
    monkeypatch.setattr(pruning, "THRESHOLD", 0.0)
    archive = real_data / "datasets" / "imagenet_samples" / "photos_short_side_224.tar"
    with tarfile.open(archive) as photos:
        files = [photos.extractfile(member) for member in photos.getmembers() if member.isfile()]
        shown = [np.asarray(Image.open(file).convert("RGB").resize((224, 224)), np.float32) / 255 for file in files]
    tensors = {f"{layer}/{leaf}": x for layer, leaves in bundled.params.items() for leaf, x in leaves.items()}
    active = active_channels(Weights("vgg19", tensors), [image[None] for image in shown])
    assert {name: np.flatnonzero(~alive).tolist() for name, alive in active.items() if not alive.all()} == {}


def test_gradients_have_no_checkerboard(bundled):
    """No place of a 2 x 2 grid gets a larger share of the gradient: 64 x 64 places each, so 10 % is 4 deviations."""
    image = jnp.asarray(np.random.default_rng(0).random((1, 128, 128, 3), np.float32))

    def energy(image):
        activations = bundled.network.apply({"params": bundled.params}, image, ("relu5_1",))[1]
        return jnp.sum(jnp.square(activations["relu5_1"]))

    gradient = np.abs(np.asarray(jax.jit(jax.grad(energy))(image)))[0].mean(-1)[16:-16, 16:-16]
    cells = gradient.reshape(48, 2, 48, 2).mean((0, 2))
    assert cells.max() < 1.1 * cells.min()


def fitted(narrow, wide):
    """The linear map, followed by a ReLU, that brings features `[N, C]` nearest to `[N, wide]`."""
    scale = np.sqrt(np.mean(np.square(wide)))
    x, target = jnp.asarray(narrow)[None, None], jnp.asarray(wide / scale)[None, None]
    x = jnp.concatenate([x / jnp.std(x, (0, 1, 2), keepdims=True), jnp.ones((1, 1, len(narrow), 1))], -1)
    solver = optax.lbfgs()

    def error(matrix):
        return activation_error(x @ matrix, target)[0]

    value_and_grad = optax.value_and_grad_from_state(error)

    @jax.jit
    def step(matrix, state):
        value, grad = value_and_grad(matrix, state=state)
        updates, state = solver.update(grad, state, matrix, value=value, grad=grad, value_fn=error)
        return optax.apply_updates(matrix, updates), state

    with jax.numpy_dtype_promotion("standard"):
        matrix = jnp.zeros((x.shape[-1], wide.shape[-1]))
        state = solver.init(matrix)
        for _ in range(FIT_STEPS):
            matrix, state = step(matrix, state)
    matrix = np.asarray(matrix, np.float64) * scale
    matrix[:-1] /= narrow.std(0)[:, None]
    return matrix


@pytest.mark.realdata
@pytest.mark.slow
def test_its_activations_are_a_linear_map_of_vgg19s(bundled, real_data):
    """The map is fitted on some pictures and tested on others; neither were trained on."""
    vgg = real_vgg19(real_data, padding="replicate")  # as every network is shown the frame
    paths = sorted((real_data / "images").glob("content/*.jpg")) + sorted((real_data / "images").glob("style/*.jpg"))
    activations = []
    for path in paths:
        image = Image.open(path).convert("RGB")
        image.thumbnail((256, 256))
        pixels = jnp.asarray(np.asarray(image, np.float32)[None] / 255)
        activations.append([jax.device_get(extract(features, pixels, tuple(COSINES))) for features in (bundled, vgg)])
    rng = np.random.default_rng(0)
    for layer, least in COSINES.items():
        cosines = []
        for odd in (0, 1):
            pairs = [(ours[layer][0], theirs[layer][0]) for ours, theirs in activations[odd::2]]
            flat = [(a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])) for a, b in pairs]
            chosen = [rng.permutation(len(a))[:2000] for a, _ in flat]
            narrow, wide = (
                np.concatenate([pair[i][at] for pair, at in zip(flat, chosen, strict=True)]) for i in (0, 1)
            )
            matrix = fitted(narrow, wide)
            for ours, theirs in activations[1 - odd :: 2]:
                mapped = np.maximum(ours[layer] @ matrix[:-1] + matrix[-1], 0).astype(np.float32)
                cosines.append(float(cosine(jnp.asarray(mapped), theirs[layer])[0]))
        assert np.mean(cosines) >= least, f"{layer}: {np.mean(cosines):.4f}"
