"""TFDS datasets by name, those that the project ships included, and those that are drawn when they are read."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from jaxstyle.data import copies, domain_drawings, moving_mnist, stacked_mnist, stock
from jaxstyle.data.dataset import Dataset, Example
from jaxstyle.data.drawn import Digits, Drawn
from jaxstyle.data.jaxstyle_shapes import JaxstyleShapes
from jaxstyle.data.moving_shapes import MovingShapes
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.runtime import buckets
from jaxstyle.runtime.regular import check_regular
from jaxstyle.runtime.settings import named

# TFDS recommends OpenCV in every process; the pictures are read once, and the same without.
logging.getLogger("absl").addFilter(lambda record: "OpenCV is not installed" not in str(record.msg))

SHIPPED: dict[str, Any] = {"jaxstyle_shapes": JaxstyleShapes, "moving_shapes": MovingShapes}
DRAWN = {
    "moving_mnist": moving_mnist.VARIANTS,
    "shapes_outlined": domain_drawings.SHAPES,
    "digits_textured": domain_drawings.TEXTURED,
    "stacked_mnist": stacked_mnist.VARIANTS,
}
"""Datasets that are drawn when they are read, and their variants."""


def tfds_dataset(name: str, split: str, data_dir: str = "") -> Dataset:
    """Opens a split of a TFDS dataset by name, preparing the dataset on first use."""
    with readable(name, data_dir):
        builder = prepared(name, data_dir)
    try:
        with readable(name, data_dir):
            data = builder.as_data_source(split=split)
            count = len(data)
    except (ValueError, KeyError):
        raise JaxstyleError(f"no split {split!r} in {name!r}; {did_you_mean(split, builder.info.splits)}") from None
    features = builder.info.features
    label = features["label"] if isinstance(features, tfds.features.FeaturesDict) and "label" in features else None
    classes = tuple(label.names) if isinstance(label, tfds.features.ClassLabel) and label.names else ()
    title = f"{split} of {builder.info.full_name}"

    def read_labels() -> list[int]:
        others = {name: tfds.decode.SkipDecoding() for name in features if name != "label"}
        with readable(name, data_dir):
            return [example["label"] for example in builder.as_data_source(split=split, decoders=others)]

    def read(index: int) -> Example:
        with readable(name, data_dir):
            return arrays(data[index])

    return Dataset(count, read, classes, title=title, read_labels=read_labels if classes else None)


@contextlib.contextmanager
def readable(name: str, data_dir: str) -> Iterator[None]:
    """Raises `JaxstyleError` where TFDS finds a prepared dataset damaged; `ValueError` and `KeyError` go on."""
    try:
        yield
    except (JaxstyleError, KeyError):
        raise
    except Exception as error:  # of JSON, protobuf, array_record or the system
        if type(error) is ValueError:
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        place = f"in {data_dir!r} " if data_dir else ""
        raise JaxstyleError(
            f"the dataset {name!r} {place}cannot be read, it may be damaged: {reason}; delete its folder, or give "
            f"another by {named('data.data_dir')}"
        ) from error


def drawn_dataset(name: str, split: str, data_dir: str = "") -> Dataset:
    """Opens a split of one of `DRAWN`; without a variant in its name it is the first."""
    base, _, variant = name.partition("/")
    variants = DRAWN[base]
    if variant and variant not in variants:
        raise JaxstyleError(f"no variant {variant!r} of {base!r}; {did_you_mean(variant, variants)}")
    drawn: Drawn = variants[variant or next(iter(variants))]
    infos = {part: tfds.core.SplitInfo(name=part, shard_lengths=[n], num_bytes=0) for part, n in drawn.counts.items()}
    try:
        parts = tfds.core.ReadInstruction.from_spec(split).to_absolute(infos)
    except (ValueError, AssertionError):
        raise JaxstyleError(f"no split {split!r} in {name!r}; {did_you_mean(split, drawn.counts)}") from None
    if len(parts) > 1:
        raise JaxstyleError(f"the split {split!r} of {name!r} is of several parts; give one, such as train[:50%]")
    part = parts[0]
    first, last = part.from_ or 0, drawn.counts[part.splitname] if part.to is None else part.to
    digits = tfds_dataset("mnist", part.splitname, data_dir) if drawn.of_digits else None

    @functools.cache
    def read_digits() -> Digits:
        examples = [digits.read(i) for i in range(digits.count)] if digits else []
        return Digits(*(np.stack([one[name] for one in examples]) for name in ("image", "label")))

    read = drawn.reader(part.splitname, read_digits)
    return Dataset(
        last - first,
        lambda index: read(first + index),
        drawn.classes,
        title=f"{split} of {name}",
        read_as=(lambda index, label: read(first + index, label)) if drawn.relabels else None,
    )


def prepared(name: str, data_dir: str = "") -> Any:
    """Returns the builder of a dataset, prepared now if need be; a dataset in a bucket is copied to this disk."""
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
    """Returns the TFDS builder of a dataset; those that the project ships need no registration."""
    options = {"data_dir": data_dir or None, "file_format": "array_record"}
    base, _, variant = name.partition("/")
    known = [config.name for config in SHIPPED[base].BUILDER_CONFIGS] if base in SHIPPED else []
    if variant and known and variant not in known:
        raise JaxstyleError(f"no variant {variant!r} of {base!r}; {did_you_mean(variant, known)}")
    for folder, _, files in os.walk(os.path.join(data_dir, base)) if data_dir else ():
        for file in files:
            check_regular(os.path.join(folder, file))
    try:
        return SHIPPED[base](config=variant or None, **options) if base in SHIPPED else tfds.builder(name, **options)
    except tfds.core.DatasetNotFoundError:
        known = [*SHIPPED, *DRAWN, *tfds.list_builders(with_community_datasets=False)]
        near = did_you_mean(base, known)
        hint = near if near.startswith("did") else "see tfds.list_builders()"
        raise JaxstyleError(f"unknown dataset {name!r}; {hint}") from None
    except ValueError as error:
        if "builder name string" in str(error):  # TFDS tells how names are spelt, in many lines
            raise JaxstyleError(
                f"unknown dataset {name!r}; write name/config, or name a folder that is there"
            ) from None
        if "File format is already set" not in str(error):
            raise
        raise JaxstyleError(
            f"{name!r} is there already, prepared in a format that cannot be read in any order; to have it prepared "
            f"again as array_record give another folder: {named('data.data_dir')}=DIR"
        ) from error


def prepare(builder: Any, name: str) -> None:
    """Prepares a dataset that is not on disk yet; process 0 first, so that the others find it."""
    if builder.data_path.exists():
        return
    of_tfds = type(builder).__module__.startswith("tensorflow_datasets.")
    ours = of_tfds and builder.name in stock.COUNTS
    if (
        of_tfds and not ours and importlib.util.find_spec("tensorflow") is None
    ):  # told before the download, not after it
        raise JaxstyleError(f"preparing {name!r} needs TensorFlow (reading it does not): pip install 'jaxstyle[tf]'")
    tfds.disable_progress_bar()
    try:
        (stock.prepare if ours else type(builder).download_and_prepare)(builder)
    except (OSError, tfds.download.DownloadError) as error:
        raise JaxstyleError(f"cannot prepare {name!r}: {error}") from error


def arrays(example: Any) -> Example:
    """Returns the numeric fields of an example as arrays; text and nested fields are left out."""
    values = {name: np.asarray(value) for name, value in example.items() if not isinstance(value, dict)}
    return {name: narrow(value) for name, value in values.items() if value.dtype.kind in "buif"}


def narrow(value: np.ndarray) -> np.ndarray:
    """Narrows 64-bit numbers to JAX's default of 32 bits."""
    if value.itemsize < 8:
        return value
    return value.astype({"i": np.int32, "u": np.uint32, "f": np.float32}[value.dtype.kind])
