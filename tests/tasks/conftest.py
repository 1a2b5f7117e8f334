"""Data of the tasks' small configs, and those configs."""

import numpy as np
import pytest
import tiny
from small_configs import CONFIGS

from jaxstyle.data.config import DataConfig
from jaxstyle.data.opening import open_dataset
from jaxstyle.features import Weights, save_weights


@pytest.fixture(scope="session")
def films_dir(tmp_path_factory):
    """A TFDS folder with `moving_shapes/tiny` in it."""
    folder = str(tmp_path_factory.mktemp("films"))
    open_dataset(DataConfig(name="moving_shapes/tiny", data_dir=folder), "train")
    return folder


@pytest.fixture(scope="session")
def teachers(tmp_path_factory):
    """Two files: a network that ends at relu2_1, and a distilled one with maps to 12 channels from relu3_1 on."""
    folder = tmp_path_factory.mktemp("teachers")
    tensors = tiny.weights().tensors
    early = {name: x for name, x in tensors.items() if name < "conv2_2" or name.startswith("preprocess")}
    save_weights(folder / "early.safetensors", Weights("vgg19", early))
    rng = np.random.default_rng(5)
    file = {"model.conv0.weight": tensors["preprocess/kernel"].T[..., None, None]}
    file["model.conv0.bias"] = tensors["preprocess/bias"]
    for name, x in tensors.items():
        layer, leaf = name.split("/")
        if layer != "preprocess":
            key = f"model.{layer.replace('_', '')}.{'weight' if leaf == 'kernel' else 'bias'}"
            file[key] = x.transpose(3, 2, 0, 1) if leaf == "kernel" else x
    for layer in ("31", "41", "51"):
        file[f"model.conv{layer}_aux.weight"] = rng.standard_normal((12, 8, 1, 1)).astype(np.float32)
        file[f"model.conv{layer}_aux.bias"] = rng.standard_normal(12).astype(np.float32)
    np.savez(folder / "deep.npz", **file)
    return folder


@pytest.fixture
def config(request):
    """The small config of the task that a module `test_TASK.py` tests."""
    return CONFIGS[request.module.__name__.rpartition("test_")[2]](request.getfixturevalue)
