"""Folders of pictures: their splits, their class folders, and reading one picture as an example."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from jaxstyle.data.dataset import Dataset, Example
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.paths import PICTURE_SUFFIXES

HELD_OUT = 5  # every fifth picture of a folder without train/ and test/ is for testing


def folder_dataset(folder: str, split: str) -> Dataset:
    """Opens a split of a folder of pictures; sub-folders with pictures are the classes."""
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
    return Dataset(len(entries), lambda index: read_example(*entries[index]), classes, paths)


def class_folders(root: pathlib.Path) -> tuple[str, ...]:
    """Lists the sub-folders that are classes: all visible ones, if there are pictures in any.

    Raises:
      JaxstyleError: A sub-folder has no pictures, and another has.
    """
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    filled = [folder.name for folder in folders if pictures(folder)]
    empty = [folder.name for folder in folders if folder.name not in filled]
    if filled and empty:
        raise JaxstyleError(f"the class {empty[0]!r} of {str(root)!r} has no pictures: add some, or remove the folder")
    return tuple(filled)


def part(paths: Sequence[pathlib.Path], split: str) -> list[pathlib.Path]:
    """Selects the paths of `train` or `test`: every fifth of the sorted ones is for testing."""
    return [path for i, path in enumerate(paths) if (i % HELD_OUT == HELD_OUT - 1) == (split == "test")]


def pictures(folder: pathlib.Path) -> Sequence[pathlib.Path]:
    """Lists the pictures in a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)


def read_example(path: str | os.PathLike, label: int = -1) -> Example:
    """Reads a picture as `image` `[H, W, 3]` uint8, beside its `label` unless that is negative."""
    image = np.rint(read_picture(os.fspath(path)).rgb * 255).astype(np.uint8)
    return {"image": image} if label < 0 else {"image": image, "label": np.int32(label)}  # type: ignore[dict-item]
