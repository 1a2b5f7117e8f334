"""Every test runs with 8 CPU devices, rank promotion an error, and warnings errors (see pyproject.toml)."""

import atexit
import gc
import os
import pathlib
import shutil
import tempfile

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8 " + os.environ.get("XLA_FLAGS", "")
# LLVM's optimisations, as compiling is most of what tests do. --xla_cpu_use_fusion_emitters=false would take a third of
# that away; but after two steps of a U-Net parameters were 11 % of their norm off, and 6e-6 with all optimisations.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # workers, and the processes that tests start, inherit it
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="jaxstyle-tests-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)

import jax
import numpy as np
import pytest
import tiny

from jaxstyle.features import save_weights
from jaxstyle.media.image_writing import write_picture

jax.config.update("jax_numpy_rank_promotion", "raise")

ROOT = pathlib.Path(__file__).resolve().parent.parent
STRICT_ROOMS = {"losses", "models", "metrics", "features", "ops"}


def pytest_collection_finish():
    """Modules and tests never go, and tracing makes many objects: walking them again and again took the garbage
    collector more than a twentieth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def pytest_collection_modifyitems(config, items):
    """`slow` tests run only when they are asked for by `-m`."""
    if config.getoption("-m"):
        return
    skip = pytest.mark.skip(reason="slow: select with -m slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def dtype_promotion(request):
    """Losses, models, metrics and features must not promote dtypes silently; optax itself cannot be that strict."""
    strict = STRICT_ROOMS & set(request.node.path.relative_to(ROOT / "tests").parts)
    with jax.numpy_dtype_promotion("strict" if strict else "standard"):
        yield


@pytest.fixture(autouse=True, scope="module")
def no_hoard_of_programs():
    """After some thousand compiled programs in one process XLA's CPU compiler crashes (segmentation fault)."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def real_data() -> pathlib.Path:
    """The folder of real weights and pictures, or a skip with the reason."""
    folder = pathlib.Path(os.environ.get("JAXSTYLE_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: JAXSTYLE_TEST_DATA names {folder}, which is not a folder")
    return folder


@pytest.fixture(scope="session")
def shapes_dir(tmp_path_factory) -> str:
    """A TFDS folder with `jaxstyle_shapes/tiny` in it."""
    from jaxstyle.data.config import DataConfig
    from jaxstyle.data.opening import open_dataset

    folder = str(tmp_path_factory.mktemp("tfds"))
    open_dataset(DataConfig(name="jaxstyle_shapes/tiny", data_dir=folder), "train")
    return folder


@pytest.fixture(scope="session")
def tiny_run(shapes_dir, tmp_path_factory) -> pathlib.Path:
    """The workdir of ten steps of the tiny task (`tiny_task.py`), whose best checkpoint is not its newest."""
    from tiny_task import tiny_config

    from jaxstyle.training import loop

    workdir = tmp_path_factory.mktemp("tiny_run")
    loop.run(tiny_config(shapes_dir, best="loss", best_mode="max", keep=1, devices=2), workdir)
    return workdir


@pytest.fixture(scope="session")
def lopsided_run(tmp_path_factory) -> pathlib.Path:
    """The workdir of a training of the tiny task on two classes, 19 dark pictures against a brighter one.

    Their colours are those that the task draws of the labels, plus the same noise.
    """
    from tiny_task import tiny_config

    from jaxstyle.training import loop

    folder, rng = tmp_path_factory.mktemp("lopsided"), np.random.default_rng(0)
    for split in ("train", "test"):
        for number in range(20):
            picture = 0.05 + 0.1 * (number == 19) + 0.02 * rng.standard_normal((8, 8, 3)).repeat(4, 0).repeat(4, 1)
            place = folder / "data" / split / ("rare" if number == 19 else "common")
            place.mkdir(parents=True, exist_ok=True)
            write_picture(place / f"{number}.png", picture)
    loop.run(tiny_config("", data__name="", data__folder=str(folder / "data"), train_steps=1), folder / "run")
    return folder / "run"


@pytest.fixture(scope="session")
def tiny_features(tmp_path_factory) -> pathlib.Path:
    """A weights file of the tiny network (`tiny.py`)."""
    path = tmp_path_factory.mktemp("features") / "tiny.safetensors"
    save_weights(path, tiny.weights())
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> pathlib.Path:
    """A folder with `photo.png` (64×48), `painting.png` (56×40) and `other.png` (40×48)."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed, (name, height, width) in enumerate([("photo", 48, 64), ("painting", 40, 56), ("other", 48, 40)]):
        write_picture(folder / f"{name}.png", tiny.picture(seed, height, width))
    return folder
