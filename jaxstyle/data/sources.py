"""Where examples come from: any TFDS dataset by name, or a folder of pictures. Read by index, in any order."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from jaxstyle.data import copies, moving_mnist
from jaxstyle.data.jaxstyle_shapes import JaxstyleShapes
from jaxstyle.data.masks import Masks, resized, with_masks
from jaxstyle.data.moving_shapes import MovingShapes
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_resizing import resize
from jaxstyle.media.paths import PICTURE_SUFFIXES
from jaxstyle.runtime import buckets

# TFDS recommends OpenCV in every process; the pictures are read once, and the same without.
logging.getLogger("absl").addFilter(lambda record: "OpenCV is not installed" not in str(record.msg))

Example = dict[str, np.ndarray]
SHIPPED: dict[str, Any] = {"jaxstyle_shapes": JaxstyleShapes, "moving_shapes": MovingShapes}
HELD_OUT = 5  # every fifth picture of a folder without train/ and test/ is for testing


@dataclasses.dataclass(frozen=True)
class Source:
    """Examples by index.

    Attributes:
      count: How many there are.
      read: Index -> dict of arrays, each example with the same names, shapes and dtypes.
      classes: What the labels mean; empty where there are none.
      paths: Of a folder's pictures, by index.
    """

    count: int
    read: Callable[[int], Example]
    classes: tuple[str, ...] = ()
    paths: tuple[pathlib.Path, ...] = ()


def open_source(
    name: str, split: str, *, folder: str = "", data_dir: str = "", size: int = 0, masks: Masks | None = None
) -> Source:
    """Opens a dataset, preparing it on first use.

    Args:
      name: Of a TFDS dataset, `name/config`; unused where `folder` is given.
      split: Such as `train`, `test` or `train[:90%]`; for a folder `train` or `test`.
      folder: Of pictures, with or without class folders, with or without `train/` and `test/` above them.
      data_dir: Where TFDS keeps datasets; "" is its own default. One in a bucket (`gs://…`) is read from a copy.
      size: Pictures are cut to squares of so many pixels; 0 leaves them as they are.
      masks: Where examples get a `mask` `[H, W]` uint8 of class numbers from; None for none.

    Raises:
      JaxstyleError: No such dataset, split or folder, or preparing it needs TensorFlow; a picture has no mask.
    """
    if folder:
        source = folder_source(folder, split)
    else:
        drawn = name.partition("/")[0] == "moving_mnist"
        source = (moving_mnist_source if drawn else tfds_source)(name, split, data_dir)
    if not source.count:
        raise JaxstyleError(f"the split {split!r} of {folder or name!r} is empty")
    source = with_masks(source, masks, folder) if masks else source
    return dataclasses.replace(source, read=lambda index: squared(source.read(index), size)) if size else source


def tfds_source(name: str, split: str, data_dir: str = "") -> Source:
    """A TFDS dataset by name, as random-access source."""
    builder = prepared(name, data_dir)
    try:
        data = builder.as_data_source(split=split)
    except (ValueError, KeyError):
        raise JaxstyleError(f"no split {split!r} in {name!r}; {did_you_mean(split, builder.info.splits)}") from None
    features = builder.info.features
    label = features["label"] if isinstance(features, tfds.features.FeaturesDict) and "label" in features else None
    classes = tuple(label.names) if isinstance(label, tfds.features.ClassLabel) and label.names else ()
    return Source(len(data), lambda index: arrays(data[index]), classes)


def moving_mnist_source(name: str, split: str, data_dir: str = "") -> Source:
    """Clips drawn from the digits of stock MNIST; of `name/variant`, one of `moving_mnist.VARIANTS`."""
    base, _, variant = name.partition("/")
    variants = moving_mnist.VARIANTS
    if variant and variant not in variants:
        raise JaxstyleError(f"no variant {variant!r} of {base!r}; {did_you_mean(variant, variants)}")
    clips = variants[variant or "small"]
    counts = {"train": clips.train, "test": clips.test}
    infos = {part: tfds.core.SplitInfo(name=part, shard_lengths=[n], num_bytes=0) for part, n in counts.items()}
    try:
        parts = tfds.core.ReadInstruction.from_spec(split).to_absolute(infos)
    except (ValueError, AssertionError):
        raise JaxstyleError(f"no split {split!r} in {name!r}; {did_you_mean(split, counts)}") from None
    if len(parts) > 1:
        raise JaxstyleError(f"the split {split!r} of {name!r} is of several parts; give one, such as train[:50%]")
    part = parts[0]
    digits = tfds_source("mnist", part.splitname, data_dir)
    first, last = part.from_ or 0, counts[part.splitname] if part.to is None else part.to

    def read_digits() -> moving_mnist.Digits:
        examples = [digits.read(i) for i in range(digits.count)]
        return moving_mnist.Digits(*(np.stack([one[name] for one in examples]) for name in ("image", "label")))

    read = moving_mnist.reader(part.splitname, clips.digits, read_digits)
    return Source(last - first, lambda index: read(first + index), digits.classes if clips.digits == 1 else ())


def prepared(name: str, data_dir: str = "") -> Any:
    """The builder of a dataset that is there, or is made now. One in a bucket is read from a copy on this disk."""
    if not buckets.in_bucket(data_dir):
        builder = make_builder(name, data_dir)
        prepare(builder, name)
        return builder
    buckets.check("data.data_dir", data_dir)
    folder = copies.folder_of(data_dir)
    builder = make_builder(name, str(folder))
    local = pathlib.Path(builder.data_path)
    place = epath.Path(data_dir) / local.relative_to(folder).as_posix()
    if copies.fetch(place, local):
        return make_builder(name, str(folder))  # which looks for what is there when it is made
    prepare(builder, name)
    copies.send(local, place)
    return builder


def make_builder(name: str, data_dir: str = "") -> Any:
    """The TFDS builder of a dataset; those the project ships need no registration."""
    options = {"data_dir": data_dir or None, "file_format": "array_record"}
    base, _, variant = name.partition("/")
    known = [config.name for config in SHIPPED[base].BUILDER_CONFIGS] if base in SHIPPED else []
    if variant and known and variant not in known:
        raise JaxstyleError(f"no variant {variant!r} of {base!r}; {did_you_mean(variant, known)}")
    try:
        return SHIPPED[base](config=variant or None, **options) if base in SHIPPED else tfds.builder(name, **options)
    except tfds.core.DatasetNotFoundError:
        known = [*SHIPPED, *tfds.list_builders(with_community_datasets=False)]
        near = did_you_mean(base, known)
        hint = near if near.startswith("did") else "see tfds.list_builders()"
        raise JaxstyleError(f"unknown dataset {name!r}; {hint}") from None
    except ValueError as error:
        if "File format is already set" not in str(error):
            raise
        raise JaxstyleError(
            f"{name!r} is there already, prepared in a format that cannot be read in any order; to have it prepared "
            "again as array_record give another folder: --config.data.data_dir=DIR"
        ) from error


def prepare(builder: Any, name: str) -> None:
    """Prepares a dataset that is not there yet; process 0 first, so that the others find it made."""
    stock = type(builder).__module__.startswith("tensorflow_datasets.")
    if builder.data_path.exists():
        return
    if stock and importlib.util.find_spec("tensorflow") is None:  # told before the download, not after it
        raise JaxstyleError(f"preparing {name!r} needs TensorFlow (reading it does not): pip install 'jaxstyle[tf]'")
    tfds.disable_progress_bar()
    try:
        builder.download_and_prepare()
    except (OSError, tfds.download.DownloadError) as error:
        raise JaxstyleError(f"cannot prepare {name!r}: {error}") from error


def arrays(example: Any) -> Example:
    """An example's numeric fields as arrays; text and nested fields are left out."""
    values = {name: np.asarray(value) for name, value in example.items() if not isinstance(value, dict)}
    return {name: narrow(value) for name, value in values.items() if value.dtype.kind in "buif"}


def narrow(value: np.ndarray) -> np.ndarray:
    """JAX's default widths: 64-bit numbers become 32-bit."""
    if value.itemsize < 8:
        return value
    return value.astype({"i": np.int32, "u": np.uint32, "f": np.float32}[value.dtype.kind])


def folder_source(folder: str, split: str) -> Source:
    """Pictures of a folder; its sub-folders, if it has any with pictures, are the classes."""
    root = pathlib.Path(folder)
    if not root.is_dir():
        raise JaxstyleError(f"there is no folder {folder!r}")
    if split not in ("train", "test"):
        raise JaxstyleError(f"a folder has no split {split!r}; {did_you_mean(split, ('train', 'test'))}")
    parted = (root / "train").is_dir()
    classes = class_folders(root / "train" if parted else root)
    if classes and not parted and (loose := pictures(root)):
        raise JaxstyleError(
            f"pictures lie both in {folder!r}, such as {loose[0].name!r}, and in its folder {classes[0]!r}, a class: "
            "put each into a class's folder, or all into one"
        )
    root = root / split if parted else root
    if not root.is_dir():
        raise JaxstyleError(f"there is no folder {str(root)!r}")
    if parted and classes != class_folders(root):
        raise JaxstyleError(f"{split}/ of {folder!r} has not the classes of train/, which are {', '.join(classes)}")
    groups = [(pictures(root / name), label) for label, name in enumerate(classes)] or [(pictures(root), -1)]
    if not any(group for group, _ in groups):
        raise JaxstyleError(f"the folder {str(root)!r} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    entries = [(path, label) for group, label in groups for path in (group if parted else part(group, split))]
    lacking = set(range(len(classes))) - {label for _, label in entries}
    if lacking:
        raise JaxstyleError(
            f"the class {classes[min(lacking)]!r} of {folder!r} has no picture for {split!r}, for which every fifth is "
            f"taken: give it at least {HELD_OUT}"
        )
    paths = tuple(path for path, _ in entries)
    return Source(len(entries), lambda index: read_entry(*entries[index]), classes, paths)


def class_folders(root: pathlib.Path) -> tuple[str, ...]:
    """The sub-folders that are classes: all visible ones, if there are pictures in any.

    Raises:
      JaxstyleError: One of them has none.
    """
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    filled = [folder.name for folder in folders if pictures(folder)]
    empty = [folder.name for folder in folders if folder.name not in filled]
    if filled and empty:
        raise JaxstyleError(f"the class {empty[0]!r} of {str(root)!r} has no pictures: add some, or remove the folder")
    return tuple(filled)


def part(paths: Sequence[pathlib.Path], split: str) -> list[pathlib.Path]:
    """Those of sorted paths that belong to `train` or `test`: every fifth is for testing."""
    return [path for i, path in enumerate(paths) if (i % HELD_OUT == HELD_OUT - 1) == (split == "test")]


def pictures(folder: pathlib.Path) -> Sequence[pathlib.Path]:
    """The pictures in a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)


def read_entry(path: str | os.PathLike, label: int) -> Example:
    """`image` `[H, W, 3]` uint8 and, where it has one, its `label`."""
    image = np.rint(read_picture(os.fspath(path)).rgb * 255).astype(np.uint8)
    return {"image": image} if label < 0 else {"image": image, "label": np.int32(label)}  # type: ignore[dict-item]


def squared(example: Example, size: int) -> Example:
    """`image` or each frame of `video` cut to its central square and resized to `[size, size, C]` uint8, and a `mask`
    of the picture's size likewise."""
    if "video" in example:
        return {**example, "video": np.stack([squared({"image": f}, size)["image"] for f in example["video"]])}
    image = example["image"]
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = slice(top, top + side), slice(left, left + side)
    cut = image[square].astype(np.float32) / 255
    smaller = cut if side == size else resize(cut, size, size)
    made = {**example, "image": np.rint(np.clip(smaller, 0, 1) * 255).astype(np.uint8)}
    mask = example.get("mask")
    return made if mask is None or mask.shape != image.shape[:2] else {**made, "mask": resized(mask[square], size)}
