"""Stock datasets prepared without TensorFlow, from files as they are published, small ones and the real MNIST."""

import gzip
import hashlib
import io
import pathlib
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds

from jaxstyle.data import stock
from jaxstyle.data.config import DataConfig
from jaxstyle.data.opening import open_dataset
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime import download

SMALL = {"train": 12, "test": 5}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Makes the folder of a dataset's files; no network is asked."""
    monkeypatch.setenv("JAXSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stock, "COUNTS", {name: dict(SMALL) for name in stock.COUNTS})

    def no_network(url, target, **_):
        raise JaxstyleError(f"{url} cannot be fetched (no connection); put the file into {target.parent}")

    monkeypatch.setattr(download, "fetch", no_network)

    def make(name):
        made = tmp_path / "cache" / "datasets" / name
        made.mkdir(parents=True)
        return made

    return make


def pictures(count, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def idx(values):
    return bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">i4").tobytes() + values.tobytes()


def seen(tmp_path, name, split):
    """The examples of a split as {bytes of the picture: label}; TFDS shuffles them."""
    data = open_dataset(DataConfig(name=name, data_dir=str(tmp_path / "tfds")), split)
    examples = [data.read(index) for index in range(data.count)]
    return {each["image"].tobytes(): int(each["label"]) for each in examples}, data, examples[0]


def wanted(images, labels):
    return {image.tobytes(): int(label) for image, label in zip(images, labels, strict=True)}


@pytest.mark.parametrize("packed", [True, False])
def test_the_four_files_of_mnist_and_its_kin(folder, tmp_path, packed, capsys):
    where = folder("kmnist")
    for split, part, seed in (("train", "train", 0), ("test", "t10k", 1)):
        images, labels = pictures(SMALL[split], 28, 28, seed=seed), np.arange(SMALL[split], dtype=np.uint8) % 10
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            name = where / f"{part}-{kind}-ubyte{'.gz' if packed else ''}"
            name.write_bytes(gzip.compress(idx(values)) if packed else idx(values))
    found, data, first = seen(tmp_path, "kmnist", "test")
    assert found == wanted(images, labels)
    assert (data.classes[:3], first["image"].shape) == (("o", "ki", "su"), (28, 28, 1))
    assert "has not the published file's hash, and is read as it is" in capsys.readouterr().err
    stocked = tfds.builder("kmnist", data_dir=tmp_path / "tfds")  # what TFDS takes for its own
    assert stocked.info.splits["train"].num_examples == SMALL["train"]


def test_letters_come_out_of_the_archive(folder, tmp_path):
    where, labels = folder("emnist"), np.arange(12, dtype=np.uint8) + 1
    with zipfile.ZipFile(where / "gzip.zip", "w") as archive:
        for split, count in SMALL.items():
            for kind, values in (("images-idx3", pictures(count, 28, 28)), ("labels-idx1", labels[:count])):
                archive.writestr(f"gzip/emnist-letters-{split}-{kind}-ubyte.gz", gzip.compress(idx(values)))
    found, data, _ = seen(tmp_path, "emnist/letters", "train")
    assert found == wanted(pictures(12, 28, 28), labels)
    assert len(data.classes) == 37


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_records_of_cifar(folder, tmp_path, name):
    fields, files = stock.CIFAR_LABELS[name], stock.CIFAR[name]
    names = {field: [f"{field}_{i}" for i in range(10 if name == "cifar10" else 100)] for field in fields}
    names |= {"coarse_label": [f"coarse_{i}" for i in range(20)]} if "coarse_label" in fields else {}
    images, labels = pictures(12, 32, 32, 3), np.arange(12) % 10
    columns = [np.full(12, 7), labels] if name == "cifar100" else [labels]
    records = np.concatenate([np.stack(columns, 1), images.transpose(0, 3, 1, 2).reshape(12, -1)], 1).astype(np.uint8)
    contents = {file: "\n".join([*names[field], ""]).encode() for field, file in fields.items()}
    shares = np.array_split(records, len(files["train"]))
    contents |= {file: share.tobytes() for file, share in zip(files["train"], shares, strict=True)}
    contents[files["test"][0]] = records[:5].tobytes()
    archive = f"cifar-{name.removeprefix('cifar')}-binary.tar.gz"
    with tarfile.open(folder(name) / archive, "w:gz") as tar:
        for file, content in contents.items():
            member = tarfile.TarInfo(f"batches/{file}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    found, data, first = seen(tmp_path, name, "train")
    assert found == wanted(images, labels)
    assert data.classes == tuple(names["label"])
    assert name == "cifar10" or first["coarse_label"] == 7


def test_house_numbers_of_which_ten_is_zero(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(stock.COUNTS, "svhn_cropped", {**SMALL, "extra": 3})
    where, labels = folder("svhn_cropped"), np.arange(12) % 10 + 1
    for split, count in stock.COUNTS["svhn_cropped"].items():
        content = {"X": np.moveaxis(pictures(count, 32, 32, 3), 0, -1), "y": labels[:count, None]}
        scipy.io.savemat(where / f"{split}_32x32.mat", content)
    assert seen(tmp_path, "svhn_cropped", "train")[0] == wanted(pictures(12, 32, 32, 3), labels % 10)


def test_without_a_network_the_folder_and_all_files_are_named(folder, tmp_path):
    with pytest.raises(
        JaxstyleError, match=r"put the file into .*datasets.mnist; mnist wants t10k-images.*, train-lab"
    ):
        seen(tmp_path, "mnist", "train")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x1f\x8b no gzip", "are damaged, or others"),
        (gzip.compress(idx(pictures(12, 28, 28)))[:-200], "are damaged, or others"),
        (gzip.compress(b"\0\0\x0d\1" + b"0" * 40), r"are damaged, or others \(not an idx file of bytes\)"),
        (gzip.compress(idx(pictures(11, 28, 28))), "has 11 pictures for 'train', not 12"),
    ],
)
def test_damaged_files_are_told(folder, tmp_path, content, sentence):
    where = folder("mnist")
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (where / f"{part}-{kind}-ubyte.gz").write_bytes(content)
    with pytest.raises(JaxstyleError, match=sentence):
        seen(tmp_path, "mnist", "train")


def test_every_file_has_a_published_address_size_and_hash():
    for name in stock.COUNTS:
        infos = tfds.builder_cls(name).url_infos
        assert infos
        assert all(info.size and len(info.checksum) == 64 for info in infos.values())


@pytest.mark.slow
@pytest.mark.realdata
def test_the_real_mnist(real_data, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXSTYLE_CACHE", str(tmp_path))
    shutil.copytree(real_data / "datasets" / "mnist", tmp_path / "datasets" / "mnist")
    for split, part in (("train", "train"), ("test", "t10k")):
        raw = [
            gzip.decompress(pathlib.Path(tmp_path, "datasets", "mnist", f"{part}-{kind}-ubyte.gz").read_bytes())
            for kind in ("images-idx3", "labels-idx1")
        ]
        images, labels = np.frombuffer(raw[0], np.uint8, offset=16).reshape(-1, 784), raw[1][8:]
        data = open_dataset(DataConfig(name="mnist", data_dir=str(tmp_path / "tfds")), split)
        found = [data.read(index) for index in range(data.count)]

        def digest(image, label):
            return hashlib.sha256(bytes(image) + bytes([label])).digest()

        assert sorted(digest(each["image"].tobytes(), int(each["label"])) for each in found) == sorted(
            map(digest, images, labels)
        )
