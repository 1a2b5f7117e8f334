"""A dataset described: classes, sizes, formats, pictures that cannot be read, duplicates, and samples to look at."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import hashlib
import itertools
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxstyle.data.bad_pictures import TOLD, WORKERS
from jaxstyle.data.clips import DARK, films_below, films_dataset
from jaxstyle.data.config import DataConfig
from jaxstyle.data.dataset import Dataset, plural
from jaxstyle.data.folders import folder_dataset, splits_below
from jaxstyle.data.opening import open_dataset
from jaxstyle.data.splits import split_folders
from jaxstyle.data.tfds_datasets import DRAWN, prepared
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_decoding import open_image
from jaxstyle.media.paths import is_picture

MOST = 100_000
"""Examples of a split that are looked at by default."""
SAMPLES = 40
THUMBNAIL = 128  # pixels a side, at most, of kept samples
LISTED = 6  # sizes, formats and duplicates in a line


class Seen(NamedTuple):
    """One example as it was read.

    Attributes:
      name: Its file, or its number.
      label: Its class; -1 for none.
      size: Such as `640×480`, or `64×64, 20 frames`.
      format: Such as `JPEG RGB`.
      digest: Hash of its pixels, so that copies under other names and in other lossless formats are found.
      problem: Why it cannot be read; then the others say nothing.
    """

    name: str
    label: int = -1
    size: str = ""
    format: str = ""
    digest: bytes = b""
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Description:
    """One split.

    Attributes:
      split: Its name.
      dataset: Its examples.
      seen: Those that were looked at, all or spread evenly.
      samples: Names, and pictures `[H, W, 3]` in [0, 1], of a few.
    """

    split: str
    dataset: Dataset
    seen: tuple[Seen, ...]
    samples: tuple[tuple[str, np.ndarray], ...]

    def lines(self) -> list[str]:
        """Says in lines what there is."""
        good = [one for one in self.seen if not one.problem]
        bad = [one.problem for one in self.seen if one.problem]
        lines = [self.dataset.describe()]
        if len(self.seen) < self.dataset.count:
            lines.append(f"  {len(self.seen)} of them, spread evenly, were looked at")
        counts = collections.Counter(one.label for one in good)
        if self.dataset.classes:
            each = [f"{name} {counts[label]}" for label, name in enumerate(self.dataset.classes)]
            lines.append(f"  classes: {', '.join(each)}")
        lines.append(f"  sizes: {tally([one.size for one in good])}")
        lines.append(f"  formats: {tally([one.format for one in good])}")
        if bad:
            more = f"; and {len(bad) - TOLD} more" if len(bad) > TOLD else ""
            lines.append(f"  cannot be read: {len(bad)}: {'; '.join(bad[:TOLD])}{more}")
        return lines


def describe(data: DataConfig, most: int = MOST) -> list[Description]:
    """Reads a dataset and describes its splits.

    Args:
      data: Settings, of which the name, or the folder, and `data_dir` count; a dataset is prepared if need be.
      most: Examples of a split that are looked at, at most.

    Raises:
      JaxstyleError: There is no such dataset or folder, or its classes are incomplete.
    """
    return [describe_split(split, opened(data, split), most) for split in splits_of(data)]


def splits_of(data: DataConfig) -> Sequence[str]:
    """The names of a dataset's splits; a folder without such has `train`, and `test`, which is held out of it."""
    if data.folder or data.clips:
        if data.clips and not os.path.isdir(data.clips):
            raise JaxstyleError(f"there is no folder {data.clips!r}")
        root = pathlib.Path(data.folder or data.clips)
        folders = splits_below(root) if data.folder else split_folders(root)
        alone = data.clips and len(list(films_below(root))) < 2  # of which nothing is held out
        return list(folders) if len(folders) > 1 else ("train",) if alone else ("train", "test")
    base, _, variant = data.name.partition("/")
    if base in DRAWN:
        return list(DRAWN[base].get(variant, next(iter(DRAWN[base].values()))).counts)
    return list(prepared(data.name, data.data_dir).info.splits)


def opened(data: DataConfig, split: str) -> Dataset:
    """Opens a split; a picture of a folder that cannot be read then raises its own error alone; films come whole."""
    if data.clips:
        return films_dataset(data, split)
    return folder_dataset(data, split) if data.folder else open_dataset(data, split)


def describe_split(split: str, dataset: Dataset, most: int = MOST) -> Description:
    """Reads the examples of a split, or some of them; see `describe`."""
    indices = [int(index) for index in np.unique(np.linspace(0, dataset.count - 1, min(most, dataset.count)).round())]
    wanted = set(indices[:: max(1, -(-len(indices) // SAMPLES))])
    samples: dict[int, np.ndarray] = {}

    def look(index: int) -> Seen:
        name = dataset.files[index].title if dataset.files else f"example {index}"
        try:
            example = dataset.read(index)
            kind = format_of(dataset.files[index].path) if dataset.files and not dataset.files[index].source else ""
        except JaxstyleError as error:
            return Seen(name, problem=str(error))
        pixels = example["image"] if "image" in example else example["video"]
        if index in wanted:
            samples[index] = thumbnail(pixels)
        digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()[:16]
        kind = kind or f"{pixels.dtype}, {plural(pixels.shape[-1], 'channel')}"
        kind += " (nearly black)" if " I" in kind and pixels.max() < DARK else ""  # of 16 bits few are used
        return Seen(name, int(example.get("label", -1)), size_of(pixels), kind, digest)

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        seen = tuple(pool.map(look, indices))
    labels = dict(zip(indices, (one.label for one in seen), strict=True))
    titles = [dataset.classes[labels[i]] if dataset.classes else f"{split} {i}" for i in sorted(samples)]
    return Description(split, dataset, seen, tuple(zip(titles, (samples[i] for i in sorted(samples)), strict=True)))


def format_of(path: pathlib.Path) -> str:
    """The format of a picture's file and how it has its pixels, such as `PNG RGBA`; of a film its suffix."""
    if not is_picture(path):
        return path.suffix.lstrip(".").upper() or "folders of frames"
    with open_image(path, repr(os.fspath(path))) as image:
        return f"{image.format} {image.mode}"


def size_of(pixels: np.ndarray) -> str:
    """The size of a picture `[H, W, C]` or a clip `[T, H, W, C]` in words."""
    height, width = pixels.shape[-3:-1]
    return f"{width}×{height}" + (f", {plural(len(pixels), 'frame')}" if pixels.ndim == 4 else "")


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """A small picture `[H, W, 3]` in [0, 1] of a picture, or of the middle frame of a clip, of 1, 3 or 4 channels."""
    frame = pixels[len(pixels) // 2] if pixels.ndim == 4 else pixels
    color = frame[..., :3] if frame.shape[-1] > 2 else np.repeat(frame[..., :1], 3, -1)
    step = max(1, max(frame.shape[:2]) // THUMBNAIL)
    return color[::step, ::step] / np.float32(255)


def tally(words: Sequence[str]) -> str:
    """Counts words, the most frequent first: `RGB 12, L 3, and 2 more`."""
    counts = collections.Counter(words).most_common()
    rest = f", and {len(counts) - LISTED} more" if len(counts) > LISTED else ""
    return ", ".join(f"{word} {count}" for word, count in counts[:LISTED]) + rest if counts else "none"


def duplicates(descriptions: Sequence[Description]) -> list[str]:
    """Says which examples are the same, pixel by pixel, in two splits, and which of one split are of two classes."""
    found: dict[bytes, list[tuple[str, Seen]]] = collections.defaultdict(list)
    for description in descriptions:
        for one in description.seen:
            if not one.problem:
                found[one.digest].append((description.split, one))
    lines = []
    for first, second in itertools.combinations([description.split for description in descriptions], 2):
        pairs = [
            pair for same in found.values() if (pair := [partner(same, first), partner(same, second)]) and all(pair)
        ]
        if pairs:
            lines.append(f"{len(pairs)} of {second!r} are in {first!r}, too: {listed(pairs)}")
    mixed = [[one for _, one in same[:2]] for same in found.values() if len({one.label for _, one in same}) > 1]
    if mixed:
        lines.append(f"{plural(len(mixed), 'picture')} in more than one class: {listed(mixed)}")
    copies = sum(len(same) - len({split for split, _ in same}) for same in found.values())
    return [*lines, *([f"{copies} copies within a split"] if copies else [])]


def partner(same: Sequence[tuple[str, Seen]], split: str) -> Seen | None:
    """The first of equal examples that is in a split."""
    return next((one for where, one in same if where == split), None)


def listed(pairs: Sequence[Sequence[Seen | None]]) -> str:
    """Names pairs of equal examples."""
    told = [" = ".join(one.name for one in pair if one) for pair in pairs[:LISTED]]
    return ", ".join(told) + (", …" if len(pairs) > LISTED else "")
