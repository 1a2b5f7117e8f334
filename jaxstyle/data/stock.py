"""Stock datasets of small pictures, prepared from their published files without TensorFlow.

Builders are TFDS's, and so are name, version, features, splits, order of the classes, and the files' addresses, sizes
and hashes; only the files are fetched and read here, and pictures encoded, which TFDS does by TensorFlow.
"""

from __future__ import annotations

import gzip
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from jaxstyle.data.jaxstyle_shapes import encoded
from jaxstyle.data.records import idx, read_packed
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime import download
from jaxstyle.runtime.caching import cache_folder
from jaxstyle.runtime.regular import check_regular

Pairs = tuple[np.ndarray, Mapping[str, np.ndarray]]
"""Pictures `[N, H, W, C]` uint8, and labels `[N]` by their fields."""

MNIST = {"train": 60_000, "test": 10_000}
COUNTS: dict[str, Mapping[str, int]] = {
    "mnist": MNIST,
    "fashion_mnist": MNIST,
    "kmnist": MNIST,
    "emnist": {},  # TFDS's configs say
    "cifar10": {"train": 50_000, "test": 10_000},
    "cifar100": {"train": 50_000, "test": 10_000},
    "svhn_cropped": {"train": 73_257, "test": 26_032, "extra": 531_131},
}
"""Names of the datasets, and the pictures in their splits."""

CIFAR: dict[str, dict[str, tuple[str, ...]]] = {
    "cifar10": {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)},
    "cifar100": {"train": ("train.bin",), "test": ("test.bin",)},
}
CIFAR_LABELS = {
    "cifar10": {"label": "batches.meta.txt"},
    "cifar100": {"coarse_label": "coarse_label_names.txt", "label": "fine_label_names.txt"},
}
"""Fields in the order of their bytes in a record, and the files of their classes' names."""


def prepare(builder: Any) -> None:
    """Prepares a dataset of `COUNTS` by its TFDS builder, which has not been prepared.

    Files are looked for in a folder of jaxstyle's cache, and those that are missing are fetched there.

    Raises:
      JaxstyleError: A file cannot be fetched, or is damaged or another.
    """
    folder = cache_folder("datasets") / builder.name
    fetch(builder, folder)
    config = builder.builder_config
    counts = COUNTS[builder.name] or {"train": config.train_examples, "test": config.test_examples}
    ids = "id" in builder.info.features

    def generators(dl_manager: Any) -> dict[str, Any]:
        if builder.name in CIFAR_LABELS:
            name_classes(builder, folder)
        return {split: examples(builder, folder, split, count, ids) for split, count in counts.items()}

    builder._split_generators = generators
    builder.download_and_prepare()


def fetch(builder: Any, folder: Path) -> None:
    """Downloads the files that are missing; says on stderr where one that is there is not as published."""
    missing = {url: info for url, info in builder.url_infos.items() if not any(map(Path.exists, places(folder, url)))}
    for url, info in builder.url_infos.items():
        file = next(filter(Path.exists, places(folder, url)), None)
        if file:
            check_regular(file)
        if file and not download.matches(file, f"sha256:{info.checksum}"):
            print(f"jaxstyle: {file} has not the published file's hash, and is read as it is", file=sys.stderr)
    for url, info in missing.items():
        try:
            download.fetch(url, places(folder, url)[0], size=info.size, hash=f"sha256:{info.checksum}")
        except JaxstyleError as error:
            names = ", ".join(places(folder, each)[0].name for each in missing)
            all_of_them = f"; {builder.name} wants {names} there" if len(missing) > 1 else ""
            raise JaxstyleError(f"{error}{all_of_them}") from error


def places(folder: Path, url: str) -> list[Path]:
    """Paths where a file is looked for: its own, and of a single packed file also that of the unpacked one."""
    name = url.rpartition("/")[2]
    return [folder / name, *([folder / name.removesuffix(".gz")] if name.endswith("-ubyte.gz") else [])]


def examples(builder: Any, folder: Path, split: str, count: int, ids: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the examples of a split as TFDS wants them, in the order of the files.

    Raises:
      JaxstyleError: A file is damaged, or has another number of pictures.
    """
    read = read_cifar if builder.name in CIFAR else read_svhn if builder.name == "svhn_cropped" else read_idx
    try:
        pictures, labels = read(builder, folder, split)
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        zlib.error,
        tarfile.TarError,
        zipfile.BadZipFile,
    ) as error:
        raise JaxstyleError(
            f"the files of {builder.name} in {folder} are damaged, or others ({error}); delete them, and they are "
            "fetched again"
        ) from error
    if not len(pictures) == count == len(next(iter(labels.values()))):
        raise JaxstyleError(f"{folder} has {len(pictures)} pictures for {split!r}, not {count}; are the files others?")
    width = 6 if builder.name == "svhn_cropped" else 5
    for index, picture in enumerate(pictures):
        example: dict[str, Any] = {field: int(values[index]) for field, values in labels.items()}
        example["image"] = encoded(picture[..., 0] if picture.shape[-1] == 1 else picture)
        yield index, example | ({"id": f"{split}_{index:0{width}d}"} if ids else {})


def read_idx(builder: Any, folder: Path, split: str) -> Pairs:
    """Reads a split of MNIST and its kin."""
    kinds = ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz")
    if builder.name == "emnist":
        names = [f"emnist-{builder.builder_config.name}-{split}-{kind}" for kind in kinds]
        contents = unpacked(folder / archive_of(builder), names)
        found = [gzip.decompress(contents[name]) for name in names]
    else:
        files = [places(folder, f"{'t10k' if split == 'test' else split}-{kind}") for kind in kinds]
        found = [read_packed(next(filter(Path.exists, each), each[0])) for each in files]
    images, labels = map(idx, found)
    return images[..., None], {"label": labels}


def read_cifar(builder: Any, folder: Path, split: str) -> Pairs:
    """Reads a split of CIFAR: records of a byte for each label, then a picture's rows, channel by channel."""
    names, fields = CIFAR[builder.name][split], tuple(CIFAR_LABELS[builder.name])
    contents = unpacked(folder / archive_of(builder), names)
    records = np.frombuffer(b"".join(contents[name] for name in names), np.uint8).reshape(-1, len(fields) + 3072)
    pictures = records[:, len(fields) :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return pictures, {field: records[:, place] for place, field in enumerate(fields)}


def name_classes(builder: Any, folder: Path) -> None:
    """Gives CIFAR's labels the names in its files."""
    files = CIFAR_LABELS[builder.name]
    contents = unpacked(folder / archive_of(builder), tuple(files.values()))
    for field, file in files.items():
        builder.info.features[field].names = contents[file].decode().split()


def read_svhn(builder: Any, folder: Path, split: str) -> Pairs:
    """Reads a split of the street view house numbers, whose digit 0 is labelled 10."""
    content = scipy.io.loadmat(folder / f"{split}_32x32.mat")
    return np.moveaxis(content["X"], -1, 0), {"label": content["y"].reshape(-1) % 10}


def archive_of(builder: Any) -> str:
    """The name of the one file in which a dataset is published."""
    return next(iter(builder.url_infos)).rpartition("/")[2]


def unpacked(archive: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Reads files of an archive (zip or tar) by name, in whatever folder of it."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            members = {name.rpartition("/")[2]: name for name in packed.namelist()}
            return {name: packed.read(members[name]) for name in names}
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            if (name := member.name.rpartition("/")[2]) in names and (file := tar.extractfile(member)):
                found[name] = file.read()
    return {name: found[name] for name in names}
