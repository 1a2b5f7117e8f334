"""Pictures inside files: NumPy's arrays, idx files, Hugging Face's Parquet tables and WebDataset's tars."""

from __future__ import annotations

import functools
import gzip
import io
import json
import pathlib
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxstyle.data.dataset import PictureFile
from jaxstyle.data.splits import ALIASES, split_folders
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_reading import PictureLike
from jaxstyle.media.paths import PICTURE_SUFFIXES, is_hidden, picture_paths

KINDS = {**dict.fromkeys((".npz", ".npy", ".idx"), "arrays"), ".parquet": "parquet", ".tar": "tar"}
"""Suffixes of files that hold pictures -> how they are read."""
LABELS = ("label", "labels", "class", "fine_label", "target", "y")  # columns of a table


class Records(NamedTuple):
    """The pictures in files.

    Attributes:
      splits: Pictures by `train`, `test` and `validation`; of files that name no split all are of `train`.
      classes: Names of the classes, in the order of their numbers; empty where there are no labels.
    """

    splits: Mapping[str, list[PictureFile]]
    classes: tuple[str, ...]


def kind_of(path: pathlib.Path) -> str | None:
    """Tells how a file's pictures are read; None for one that holds none."""
    suffix = ".idx" if re.search(r"idx\d-ubyte(\.gz)?$", path.name) else path.suffix.lower()
    return None if is_hidden(path) else KINDS.get(suffix)


def record_files(place: pathlib.Path) -> list[pathlib.Path]:
    """Lists the files with pictures in a folder, its `data/`, or its folders of splits; or the one that is named.

    A folder that has picture files, too, is one of those: nothing is listed.
    """
    if place.is_file():
        return [place] if kind_of(place) else []
    folders = [place, *filter(pathlib.Path.is_dir, [place / "data"]), *split_folders(place).values()]
    found = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file() and kind_of(path)]
    return [] if found and picture_paths(place, recursive=True) else found


def read_records(files: Sequence[pathlib.Path]) -> Records:
    """Reads what pictures files hold, their labels and splits; pictures of tars stay on disk, others are kept.

    Raises:
      JaxstyleError: A file is damaged or holds no pictures, or there are files of several kinds.
    """
    stamps = tuple((stat.st_size, stat.st_mtime_ns) for stat in map(pathlib.Path.stat, files))
    return _read(tuple(files), stamps)


@functools.lru_cache(maxsize=2)
def _read(files: tuple[pathlib.Path, ...], stamps: tuple[Any, ...]) -> Records:
    kinds = {kind_of(path): path for path in files}
    if len(kinds) > 1:
        one, other = [path.name for path in kinds.values()][:2]
        raise JaxstyleError(f"{one!r} and {other!r} hold pictures in different ways: put them into folders apart")
    readers: dict[str | None, Callable[..., Any]] = {"arrays": of_arrays, "parquet": of_parquet, "tar": of_tars}
    try:
        splits, classes = readers[next(iter(kinds))](files)
    except JaxstyleError:
        raise
    except Exception as error:  # of damaged files each library raises its own
        raise JaxstyleError(
            f"{str(files[0].parent)!r}: what {files[0].name!r} holds cannot be read: {error}"
        ) from error
    labels = {file.group for found in splits.values() for file in found}
    classes = classes or tuple(sorted(labels - {""}, key=lambda name: (int(name) if name.isdecimal() else -1, name)))
    order = {name: number for number, name in enumerate(classes)}
    if order and not labels <= set(order):
        raise JaxstyleError(
            f"some pictures in {files[0].name!r} have labels, and some have none, or one without a name"
        )
    sorted_splits = {name: sorted(found, key=lambda file: order.get(file.group, 0)) for name, found in splits.items()}
    return Records(sorted_splits if any(sorted_splits) else {"train": sorted_splits[""]}, classes)


def split_in(name: str) -> str:
    """Finds the split that a name of a file, folder or array says; "" for none."""
    names = {**ALIASES, "t10k": "test"}  # of MNIST
    words = re.findall("t10k|[a-z]+", name.lower())
    return next((names[word] for word in words if word in names), "")


def split_of(path: pathlib.Path) -> str:
    """Finds the split of a file, by its name or its folder's."""
    return split_in(path.stem) or ALIASES.get(path.parent.name.lower(), "")


def of_arrays(files: Sequence[pathlib.Path]) -> tuple[dict[str, list[PictureFile]], tuple[str, ...]]:
    """Reads arrays: pictures `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]`, and labels `[N]`, paired by splits."""
    pictures: dict[str, tuple[pathlib.Path, np.ndarray]] = {}
    labels: dict[str, np.ndarray] = {}
    for path in files:
        for name, array in arrays_in(path):
            split = split_in(name) or split_of(path)
            if array.ndim in (3, 4):
                if split in pictures:
                    raise JaxstyleError(f"{path.name!r} holds two arrays of pictures for one split, one is {name!r}")
                pictures[split] = path, array
            elif array.size == len(array) and array.dtype.kind in "iuU":
                labels[split] = array.reshape(-1)
    if lost := set(labels) - set(pictures):
        raise JaxstyleError(f"{files[0].parent.name!r} holds labels {min(lost)!r} without pictures of that split")
    if not pictures:
        raise JaxstyleError(f"{files[0].name!r} holds no pictures: an array [N, H, W] or [N, H, W, C]")
    made = {split: list(of_array(*found, labels.get(split))) for split, found in pictures.items()}
    return made, ()


def of_array(path: pathlib.Path, array: np.ndarray, labels: np.ndarray | None) -> Iterator[PictureFile]:
    """Makes the pictures of an array, with labels `[N]` where there are some."""
    if array.ndim == 4 and array.shape[1] in (1, 3, 4) and array.shape[-1] not in (1, 3, 4):
        array = np.moveaxis(array, 1, -1)
    if labels is not None and len(labels) != len(array):
        raise JaxstyleError(f"{path.name!r} holds {len(array)} pictures, and there are {len(labels)} labels for them")
    for index in range(len(array)):
        group = "" if labels is None else str(labels[index])
        yield PictureFile(path, str(index), group, source=functools.partial(array.__getitem__, index))


def arrays_in(path: pathlib.Path) -> Iterator[tuple[str, np.ndarray]]:
    """Reads the arrays of a file, with their names."""
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as held:
            yield from ((name, held[name]) for name in held.files)
    elif path.suffix.lower() == ".npy":
        yield path.stem, np.load(path, mmap_mode="r", allow_pickle=False)
    else:
        yield path.name, idx(read_packed(path))


def read_packed(file: pathlib.Path) -> bytes:
    """Reads a file, unpacked where its name ends in `.gz`."""
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def idx(data: bytes) -> np.ndarray:
    """Reads the idx format: two zeros, the kind of number (8 is uint8), the rank, big-endian sides, the numbers."""
    if data[:3] != b"\0\0\x08":
        raise ValueError("not an idx file of bytes")
    rank = data[3]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(np.frombuffer(data, ">i4", rank, 4))


def of_parquet(files: Sequence[pathlib.Path]) -> tuple[dict[str, list[PictureFile]], tuple[str, ...]]:
    """Reads tables as Hugging Face's datasets has them: a column of encoded pictures, maybe one of labels."""
    import pyarrow.parquet

    splits: dict[str, list[PictureFile]] = {}
    names: tuple[str, ...] = ()
    for path in files:
        table = pyarrow.parquet.read_table(path)
        features = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {})
        label = next((name for name in LABELS if name in table.column_names), None)
        told = features.get("features", {}).get(label, {}).get("names", ())
        names = names or tuple(told)
        found = [name for name in table.column_names if is_pictures(table.schema.field(name).type)]
        if not found:
            raise JaxstyleError(f"{path.name!r} has no column of pictures; it has {', '.join(table.column_names)}")
        groups = [""] * len(table) if label is None else table[label].to_pylist()
        for row, (cell, group) in enumerate(zip(table[found[0]].to_pylist(), groups, strict=True)):
            data, key = (cell, None) if isinstance(cell, bytes) else (cell["bytes"], cell.get("path"))
            key, group = key or f"{path.stem}-{row}", told[group] if told and label else str(group)
            file = PictureFile(path, key, group, source=functools.partial(stream, data, f"{path}: {key}"))
            splits.setdefault(split_of(path), []).append(file)
    return splits, names


def is_pictures(kind: Any) -> bool:
    """Whether a column's type is that of encoded pictures: bytes, alone or in a struct beside a path."""
    return str(kind) in ("binary", "large_binary") or "bytes: binary" in str(kind)


def of_tars(files: Sequence[pathlib.Path]) -> tuple[dict[str, list[PictureFile]], tuple[str, ...]]:
    """Lists tars as WebDataset has them: `key.jpg` and `key.cls` (or `key.json` with `label`) of each example."""
    splits: dict[str, list[PictureFile]] = {}
    for path in files:
        pictures: dict[str, tuple[int, int]] = {}
        labels: dict[str, str] = {}
        with tarfile.open(path, "r:") as tar:
            for member in filter(tarfile.TarInfo.isfile, tar):
                folder, _, name = member.name.removeprefix("./").rpartition("/")
                stem, _, ending = name.partition(".")
                key = f"{folder}/{stem}".lstrip("/")
                if f".{ending.lower()}" in PICTURE_SUFFIXES:
                    pictures[key] = member.offset_data, member.size
                elif ending in ("cls", "json"):
                    text = tar.extractfile(member).read().decode()  # type: ignore[union-attr]
                    label = text.strip() if ending == "cls" else json.loads(text).get("label")
                    labels |= {} if label is None else {key: str(label)}
        for key, (offset, size) in pictures.items():
            source = functools.partial(part_of, path, offset, size, f"{path}: {key}")
            splits.setdefault(split_of(path), []).append(PictureFile(path, key, labels.get(key, ""), source=source))
    if not splits:
        raise JaxstyleError(f"{files[0].name!r} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    return splits, ()


def part_of(path: pathlib.Path, offset: int, size: int, name: str) -> PictureLike:
    """Reads an encoded picture out of a file."""
    with path.open("rb") as file:
        file.seek(offset)
        return stream(file.read(size), name)


def stream(data: bytes, name: str) -> PictureLike:
    """Makes an encoded picture in memory, whose name stands in sentences."""
    made: Any = io.BytesIO(data)
    made.name = name
    return made
