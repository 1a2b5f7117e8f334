"""Pictures inside files: arrays, idx, Parquet and tars give what the same pictures in folders give."""

import io
import json
import struct
import tarfile

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from jaxstyle.cli import main
from jaxstyle.data.config import DataConfig
from jaxstyle.data.fingerprints import fingerprint
from jaxstyle.data.opening import open_dataset
from jaxstyle.data.records import split_in
from jaxstyle.data.splits import held_out
from jaxstyle.errors import JaxstyleError

COUNT = 24
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 5, 3), np.uint8)
LABELS = np.arange(COUNT) % 3 + 9  # 9, 10, 11, which as texts have another order


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def write_idx(path, array):
    path.write_bytes(b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes())


def write_tar(path, indices, **extra):
    with tarfile.open(path, "w") as tar:
        for index in indices:
            files = {"png": png(PIXELS[index]), "cls": str(LABELS[index]).encode(), "txt": b"words"} | extra
            for ending, data in files.items():
                member = tarfile.TarInfo(f"./shard/{index:04d}.{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def write_parquet(path, indices, names=()):

    pictures = [{"bytes": png(PIXELS[i]), "path": f"{i}.png"} for i in indices]
    table = pyarrow.table({"image": pictures, "label": [int(LABELS[i]) - (9 if names else 0) for i in indices]})
    if names:
        info = {"info": {"features": {"label": {"names": list(names), "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    pyarrow.parquet.write_table(table, path)


def write(kind, folder):
    """Writes the pictures in one of the ways; returns what `data.folder` names."""
    if kind == "npz":
        np.savez(folder / "all.npz", images=PIXELS, labels=LABELS[:, None])
        return folder / "all.npz"
    if kind == "npy":
        np.save(folder / "images.npy", PIXELS.transpose(0, 3, 1, 2))
        np.save(folder / "labels.npy", LABELS)
    elif kind == "tar":
        write_tar(folder / "a-000000.tar", range(10))
        write_tar(folder / "a-000001.tar", range(10, COUNT))
    else:
        (folder / "data").mkdir()
        write_parquet(folder / "data" / "0000.parquet", range(COUNT))
    return folder


@pytest.mark.parametrize("kind", ["npz", "npy", "tar", "parquet"])
def test_pictures_labels_and_splits(tmp_path, kind):
    data = DataConfig(folder=str(write(kind, tmp_path)), held_out=0.3)
    found = {}
    for split in ("train", "test"):
        dataset = open_dataset(data, split)
        assert dataset.classes == ("9", "10", "11")
        for index in range(dataset.count):
            example = dataset.read(index)
            place = next(i for i in range(COUNT) if (PIXELS[i] == example["image"]).all())
            assert example["label"] + 9 == LABELS[place] and example["label"].dtype == np.int32
            assert found.setdefault(place, split) == split
        assert dataset.class_counts() == tuple(np.bincount([example_label(dataset, i) for i in range(dataset.count)]))
    assert sorted(found) == list(range(COUNT))
    keys = {"npz": "{}", "npy": "{}", "tar": "shard/{:04d}", "parquet": "{}.png"}[kind]
    for label in (9, 10, 11):  # chosen by the hash of the keys, class by class
        own = [index for index in range(COUNT) if LABELS[index] == label]
        held = held_out([keys.format(index) for index in own], 0.3)
        assert [found[index] == "test" for index in own] == [place in held for place in range(len(own))]
    whole = open_dataset(data, "train[:50%]")
    assert 0 < whole.count < COUNT and "outside the slice" in whole.describe()


def example_label(dataset, index):
    return int(dataset.read(index)["label"])


def test_splits_that_names_say(tmp_path):
    (tmp_path / "mnist").mkdir()
    for split, part in (("train", slice(0, 16)), ("t10k", slice(16, 24))):
        write_idx(tmp_path / "mnist" / f"{split}-images-idx3-ubyte", PIXELS[part, ..., 0])
        write_idx(tmp_path / "mnist" / f"{split}-labels-idx1-ubyte", LABELS[part].astype(np.uint8))
    np.savez(tmp_path / "keras.npz", x_train=PIXELS[:16], y_train=LABELS[:16], x_test=PIXELS[16:], y_test=LABELS[16:])
    (tmp_path / "hugging" / "data").mkdir(parents=True)
    write_parquet(tmp_path / "hugging" / "data" / "train-00000-of-00001.parquet", range(16), names="cba")
    write_parquet(tmp_path / "hugging" / "data" / "test-00000-of-00001.parquet", range(16, COUNT), names="cba")
    for name in ("mnist", "keras.npz", "hugging"):
        data = DataConfig(folder=str(tmp_path / name), channels=1 if name == "mnist" else 3)
        datasets = [open_dataset(data, split) for split in ("train", "test")]
        assert [one.count for one in datasets] == [16, 8]
        assert datasets[1].classes == (tuple("cba") if name == "hugging" else ("9", "10", "11"))
        seen = {datasets[1].read(index)["image"].tobytes() for index in range(8)}
        assert seen == {(one[..., :1] if name == "mnist" else one).tobytes() for one in PIXELS[16:]}
        with pytest.raises(JaxstyleError, match=r"data\.held_out is set, but .* has 't.*', 't.*' already"):
            open_dataset(DataConfig(folder=str(tmp_path / name), held_out=0.3), "train")
    names = {"latest.npz": "", "my_val_set": "validation", "testing-3": "test", "train2": "train", "t10k-x": "test"}
    assert {name: split_in(name) for name in names} == names


def test_fingerprints_tell_other_pictures(tmp_path):
    write_tar(tmp_path / "a.tar", range(12))
    before = fingerprint(open_dataset(DataConfig(folder=str(tmp_path)), "train"))
    assert before == fingerprint(open_dataset(DataConfig(folder=str(tmp_path)), "train"))
    write_tar(tmp_path / "a.tar", range(11))
    assert before != fingerprint(open_dataset(DataConfig(folder=str(tmp_path)), "train"))


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"labels": LABELS}, r"holds no pictures: an array \[N, H, W\]|without pictures of that split"),
        ({"x": PIXELS, "y": LABELS[:5]}, r"holds 24 pictures, and there are 5 labels"),
        ({"x_train": PIXELS, "labels": LABELS}, r"holds labels '' without pictures of that split"),
        ({"x": PIXELS, "z": PIXELS}, r"holds two arrays of pictures for one split, one is 'z'"),
        ({"x": np.array([None])}, r"what 'a\.npz' holds cannot be read"),
    ],
)
def test_arrays_that_cannot_be(tmp_path, arrays, sentence):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(JaxstyleError, match=sentence):
        open_dataset(DataConfig(folder=str(tmp_path / "a.npz")), "train")


def test_files_that_cannot_be(tmp_path):
    def opened(name="", **settings):
        return open_dataset(DataConfig(folder=str(tmp_path / name), **settings), "train")

    write_tar(tmp_path / "a.tar", range(6), png=b"no picture")
    dataset = opened()
    with pytest.raises(JaxstyleError, match=r"none of the .* can be read: '.*a\.tar: shard/000\d' is not a picture"):
        dataset.read(0)
    with pytest.raises(JaxstyleError, match="masks lie beside picture files"):
        opened(mask_classes=("a", "b"))
    (tmp_path / "a.npz").write_bytes(b"torn")
    with pytest.raises(JaxstyleError, match=r"'a\.npz' and 'a\.tar' hold pictures in different ways"):
        opened()
    with pytest.raises(JaxstyleError, match=r"what 'a\.npz' holds cannot be read"):
        opened("a.npz")
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(JaxstyleError, match=r"a\.txt' is no folder, nor a file with pictures"):
        opened("a.txt")


def test_a_folder_of_pictures_with_an_array_beside_is_one_of_pictures(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(3):
            (tmp_path / name / f"{index}.png").write_bytes(png(PIXELS[index]))
    np.save(tmp_path / "features.npy", PIXELS)
    assert open_dataset(DataConfig(folder=str(tmp_path)), "train").classes == ("a", "b")


def test_they_are_described(tmp_path, capsys):
    np.savez(tmp_path / "all.npz", images=PIXELS, labels=LABELS)
    assert main(["data", "describe", str(tmp_path / "all.npz")]) == 0
    out = capsys.readouterr().out
    assert "classes: 9 " in out and "sizes: 5×6 " in out and "duplicates: none" in out


@pytest.mark.realdata
def test_mnist_as_it_is_published(real_data):
    data = DataConfig(folder=str(real_data / "datasets" / "mnist"), channels=1)
    train, test = (open_dataset(data, split) for split in ("train", "test"))
    assert train.class_counts() == (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
    assert test.class_counts() == (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    assert test.read(0)["image"].shape == (28, 28, 1) and 20 < np.mean([test.read(i)["image"] for i in range(99)]) < 45
