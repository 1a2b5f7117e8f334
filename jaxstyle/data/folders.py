"""Folders of pictures: finding those of a split and of its classes, and reading one picture as an example."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import os
import pathlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from jaxstyle.data.config import DataConfig
from jaxstyle.data.dataset import Dataset, Example, PictureFile, plural
from jaxstyle.data.records import KINDS, read_records, record_files
from jaxstyle.data.splits import choose, find_split, held_out, parse, split_folders, take_slice
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.channels import WHITE, read_channels
from jaxstyle.media.image_reading import PictureLike
from jaxstyle.media.paths import PICTURE_SUFFIXES, is_hidden, is_picture, picture_paths


def folder_dataset(data: DataConfig, split: str, *, labels: bool = True) -> Dataset:
    """Opens a split of a folder of pictures; its sub-folders with pictures, to any depth, are the classes.

    Arguments are those of `open_dataset`. Raises `JaxstyleError` where there is no such folder or split, or it holds no
    pictures; or classes are incomplete.
    """
    root, wanted = pathlib.Path(data.folder), parse(split)
    if inside := files_with_pictures(root):
        records = read_records(inside)
        found, shared = choose(records.splits, root, wanted.name, data.held_out)
        place, classes = root, records.classes if labels else ()
        if data.mask_classes:
            raise JaxstyleError(f"masks lie beside picture files, and {data.folder!r} has its pictures inside of files")
    else:
        place, shared = find_split(root, wanted.name, data.held_out)
        found = pictures_below(place, data)
        if not found:
            raise JaxstyleError(f"the folder {str(place)!r} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
        classes = class_names(place, found) if labels else ()
        if classes and place != root:
            check_same_classes(root, place, classes, data)
    files = take_share(found, classes, wanted.name, data.held_out) if shared else found
    if lacking := set(classes).difference(file.group for file in files):
        raise JaxstyleError(
            f"the class {min(lacking)!r} of {data.folder!r} has no picture for {split!r}: a class needs at least 2, of "
            "which one is held out"
        )
    purpose = "evaluation" if wanted.name == "train" else "training"
    rest = [f"{len(found) - len(files)} for {purpose}"] if shared else []
    beside = [] if inside else [*other_files(place, lambda path: is_mask(path, data)), *other_folders(root, place)]
    texts = (*rest, *beside)
    dataset = make_dataset(files, classes, f"{split} of {data.folder!r}", texts, data)
    if not (wanted.first or wanted.last):
        return dataset
    chosen = take_slice([file.name for file in files], wanted)
    return dataset.take(chosen, f"{len(files) - len(chosen)} outside the slice")


def files_with_pictures(root: pathlib.Path) -> list[pathlib.Path]:
    """Lists the files that hold several pictures; none where they lie in a folder one by one.

    Raises:
      JaxstyleError: There is no such folder or file, or a file is of another kind.
    """
    if not os.path.exists(root):  # unlike root.exists() it never raises, not even for a name that is too long
        raise JaxstyleError(f"there is no folder {str(root)!r}")
    found = record_files(root)
    if not found and not root.is_dir():
        raise JaxstyleError(f"{str(root)!r} is no folder, nor a file with pictures ({', '.join(KINDS)})")
    return found


def splits_below(root: pathlib.Path) -> Mapping[str, object]:
    """The parts of a folder, or of files with pictures, that are splits; none where there are none."""
    files = files_with_pictures(root)
    return read_records(files).splits if files else split_folders(root)


def make_dataset(
    files: Sequence[PictureFile], classes: tuple[str, ...], title: str, left_out: tuple[str, ...], data: DataConfig
) -> Dataset:
    """Makes a dataset of pictures, with the numbers of their classes where there are some."""
    labels = {name: label for label, name in enumerate(classes)}
    numbered = tuple(dataclasses.replace(file, label=labels.get(file.group, -1)) for file in files)

    def read(index: int) -> Example:
        file = numbered[index]
        return read_example(file.source() if file.source else file.path, file.label, data.channels, data.white)

    return Dataset(len(numbered), read, classes, numbered, title, left_out)


def pictures_below(place: pathlib.Path, data: DataConfig) -> list[PictureFile]:
    """Finds the pictures below a folder, in the order of their folders and names.

    Masks that lie beside pictures, or in a folder inside, are no pictures.
    """
    masks = os.path.realpath(data.masks) + os.sep if data.masks else None
    found = []
    for path in picture_paths(place, recursive=True):
        if not is_mask(path, data) and not (masks and os.path.realpath(path).startswith(masks)):
            *folders, name = path.relative_to(place).with_suffix("").parts
            stable = unicodedata.normalize("NFC", "/".join([*folders[1:], name]))  # macOS writes é as two characters
            found.append(PictureFile(path, stable, folders[0] if folders else ""))
    return found


def is_mask(path: pathlib.Path, data: DataConfig) -> bool:
    """Whether a file is a mask that lies beside its picture."""
    return bool(data.mask_suffix and not data.masks and path.stem.endswith(data.mask_suffix))


def class_names(place: pathlib.Path, files: Sequence[PictureFile]) -> tuple[str, ...]:
    """Returns the names of the classes: all visible sub-folders, if there are pictures in any.

    Raises:
      JaxstyleError: Some pictures lie in no class, or a class has no pictures.
    """
    loose, filled = [file for file in files if not file.group], {file.group: None for file in files if file.group}
    if filled and loose:
        raise JaxstyleError(
            f"pictures lie both in {str(place)!r}, such as {loose[0].path.name!r}, and in its folder "
            f"{min(filled)!r}, a class: put each into a class's folder, or all into one"
        )
    for path in sorted(place.iterdir()) if filled else ():
        if path.is_dir() and not is_hidden(path) and path.name not in filled:
            raise JaxstyleError(
                f"the class {path.name!r} of {str(place)!r} has no pictures: add some, or remove the folder"
            )
    return tuple(filled)


def check_same_classes(root: pathlib.Path, place: pathlib.Path, classes: tuple[str, ...], data: DataConfig) -> None:
    """Raises `JaxstyleError` where the folder of a split has other classes than that for training."""
    training = split_folders(root).get("train", place)
    expected = classes if training == place else class_names(training, pictures_below(training, data))
    if expected != classes:
        raise JaxstyleError(
            f"{place.name}/ of {data.folder!r} has the classes {', '.join(classes)}, and {training.name}/ has "
            f"{', '.join(expected)}; they must be the same"
        )


def take_share(files: Sequence[PictureFile], classes: Sequence[str], split: str, share: float) -> list[PictureFile]:
    """Takes the pictures that are held out, of every class its share, or, for `train`, the others."""
    groups = [list(group) for _, group in itertools.groupby(files, lambda file: file.group if classes else "")]
    held = [held_out([file.name for file in group], share) for group in groups]
    return [
        file
        for group, chosen in zip(groups, held, strict=True)
        for index, file in enumerate(group)
        if (index in chosen) == (split != "train")
    ]


def other_files(
    place: pathlib.Path, is_mask: Callable[[pathlib.Path], bool] = lambda path: False, recursive: bool = True
) -> list[str]:
    """Says how many names below a folder are left out: files that are no pictures, hidden names, masks beside pictures.

    Args:
      place: The folder.
      is_mask: Whether a file is a mask.
      recursive: Whether its folders are searched; they are left out, too, otherwise.
    """
    counts, others = collections.Counter[str](), collections.Counter[str]()
    for folder, folders, names in os.walk(place):
        counts["hidden name"] += sum(map(is_hidden, [*folders, *names]))
        folders[:] = itertools.filterfalse(is_hidden, folders)
        seen = [pathlib.Path(folder, name) for name in names if not is_hidden(name)]
        counts["mask"] += sum(is_picture(path) and is_mask(path) for path in seen)
        others.update(path.suffix.lower() or "without suffix" for path in seen if not is_picture(path))
        if not recursive:
            counts["folder"] = len(folders)
            break
    each = ", ".join(f"{suffix} {count}" for suffix, count in sorted(others.items()))
    texts = [f"{plural(others.total(), 'other file')} ({each})"] if others else []
    return texts + [plural(count, noun) for noun, count in counts.items() if count]


def other_folders(root: pathlib.Path, place: pathlib.Path) -> list[str]:
    """Names what lies beside the folders of the splits, where there are such."""
    if place == root:
        return []
    splits = {folder.name for folder in split_folders(root).values()}
    beside = [path for path in sorted(root.iterdir()) if not is_hidden(path) and path.name not in splits]
    return [
        f"{path.name}{'/' * path.is_dir()} beside {place.name}/" for path in beside if path.is_dir() or is_picture(path)
    ]


def read_example(source: PictureLike, label: int = -1, channels: int = 3, white: int = WHITE) -> Example:
    """Reads a picture as `image` `[H, W, channels]` uint8, beside its `label` unless that is negative."""
    image = np.rint(read_channels(source, channels, white) * 255).astype(np.uint8)
    return {"image": image} if label < 0 else {"image": image, "label": np.int32(label)}  # type: ignore[dict-item]
