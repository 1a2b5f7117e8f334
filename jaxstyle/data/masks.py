"""Masks beside pictures: a folder of mask files, or a dataset's own field, as class numbers that are checked."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxstyle.data.dataset import Dataset
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_decoding import open_image
from jaxstyle.media.paths import PICTURE_SUFFIXES

MOST = 256  # classes, so that a mask is bytes


@dataclasses.dataclass(frozen=True)
class Masks:
    """Settings of how the masks of a dataset are found and read.

    Attributes:
      folder: Folder of mask files, laid out and named as the pictures, with any suffix; "" for a field of the dataset.
      field: Name of that field.
      classes: Names of the classes, by their values from 0.
      objects: Whether values number objects, so that every value above 0 is class 1.

    Raises:
      JaxstyleError: There are too few or too many classes.
    """

    folder: str = ""
    field: str = "mask"
    classes: tuple[str, ...] = ()
    objects: bool = False

    def __post_init__(self) -> None:
        if not 2 <= len(self.classes) <= MOST:
            raise JaxstyleError(
                f"data.mask_classes has {len(self.classes)} names; masks need 2 to {MOST}, that of the value 0 first, "
                "such as --config.data.mask_classes=\"('background','nucleus')\""
            )
        if self.objects and len(self.classes) != 2:
            raise JaxstyleError(
                f"data.mask_classes has {len(self.classes)} names; masks that number objects "
                "(data.mask_objects) have 2, of background and object"
            )

    def beside(self, picture: pathlib.Path, files: dict[str, pathlib.Path]) -> pathlib.Path:
        """Finds the mask of a picture by its name relative to the folder of pictures.

        Raises:
          JaxstyleError: The picture has no mask.
        """
        found = files.get(os.fspath(picture.with_suffix("")))
        if found is None:
            raise JaxstyleError(f"the picture {os.fspath(picture)!r} has no mask of its name in {self.folder!r}")
        return found

    def read(self, path: pathlib.Path, shape: Sequence[int]) -> np.ndarray:
        """Reads a mask file as class numbers `[H, W]` uint8, for a picture of `shape` `(H, W, C)`.

        Raises:
          JaxstyleError: The file is no mask, has another size, or holds a value that is no class.
        """
        name = f"the mask {os.fspath(path)!r}"
        with open_image(path, repr(os.fspath(path))) as image:
            values = values_of(image, name)
        if values.shape != tuple(shape[:2]):
            sizes = "{1}x{0} pixels, its picture {3}x{2}".format(*values.shape, *shape[:2])
            raise JaxstyleError(f"{name} has {sizes}; they must be equal")
        return self.checked(values, name)

    def checked(self, values: np.ndarray, name: str) -> np.ndarray:
        """Converts values to class numbers, uint8 of the same shape.

        Raises:
          JaxstyleError: A value is no class.
        """
        if self.objects:
            return (values > 0).astype(np.uint8)
        count = len(self.classes)
        wrong = values[(values < 0) | (values >= count)]
        if wrong.size:
            raise JaxstyleError(
                f"{name} holds the value {wrong[0]}, but data.mask_classes names {count} values, 0 to {count - 1}; "
                "name them all, or set --config.data.mask_objects=True where every value above 0 is an object"
            )
        return values.astype(np.uint8)

    def field_of(self, example: dict[str, np.ndarray], index: int) -> dict[str, np.ndarray]:
        """Returns an example of a dataset with its mask as `mask` `[H, W]` uint8.

        Raises:
          JaxstyleError: The example has no such field, or the field is no mask.
        """
        if self.field not in example:
            have = ", ".join(map(repr, example))
            raise JaxstyleError(f"the dataset has no field {self.field!r} (data.mask_field); it has {have}")
        values = example[self.field]
        values = values[..., 0] if values.ndim == 3 and values.shape[-1] == 1 else values
        if values.shape != example["image"].shape[:2] or values.dtype.kind not in "bui":
            raise JaxstyleError(f"the field {self.field!r} is no mask: it is {values.dtype} {values.shape}")
        return {**example, "mask": self.checked(values, f"the mask of example {index}")}


def with_masks(dataset: Dataset, masks: Masks, folder: str) -> Dataset:
    """Returns a dataset whose examples have `mask` `[H, W]` uint8 beside `image`.

    Args:
      dataset: A folder of pictures, or a TFDS dataset.
      masks: How its masks are found and read.
      folder: Folder of the pictures, "" for a TFDS dataset.

    Raises:
      JaxstyleError: A picture has no mask; masks that are wrong are told when they are read.
    """
    if not masks.folder:
        return dataclasses.replace(dataset, read=lambda index: masks.field_of(dataset.read(index), index))
    files = mask_files(masks.folder)
    beside = [masks.beside(path.relative_to(folder), files) for path in dataset.paths]

    def read(index: int) -> dict[str, np.ndarray]:
        example = dataset.read(index)
        return {**example, "mask": masks.read(beside[index], example["image"].shape)}

    return dataclasses.replace(dataset, read=read)


def values_of(image: Any, name: str) -> np.ndarray:
    """Returns the values of an opened picture as they are stored, palette indices too: `[H, W]` integers.

    Raises:
      JaxstyleError: The picture has colours.
    """
    values = np.asarray(image)
    if values.ndim == 3:  # grey with an alpha, or colours of which all are grey
        shown = values[..., : 1 if values.shape[-1] == 2 else 3]
        values = shown[..., 0] if np.all(shown == shown[..., :1]) else values
    if values.ndim != 2 or values.dtype.kind not in "bui":
        raise JaxstyleError(f"{name} is in colours (mode {image.mode}); masks are grey or palette pictures of numbers")
    return values.astype(np.int64)


def mask_files(folder: str) -> dict[str, pathlib.Path]:
    """Lists the pictures anywhere in a folder, by their relative names without suffixes.

    Raises:
      JaxstyleError: There is no such folder, nothing in it, or two files of one name.
    """
    root = pathlib.Path(folder)
    if not root.is_dir():
        raise JaxstyleError(f"there is no folder of masks {folder!r}")
    found: dict[str, pathlib.Path] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in PICTURE_SUFFIXES:
            name = os.fspath(path.relative_to(root).with_suffix(""))
            if name in found:
                raise JaxstyleError(f"{os.fspath(found[name])!r} and {os.fspath(path)!r} are masks of one picture")
            found[name] = path
    if not found:
        raise JaxstyleError(f"the folder of masks {folder!r} holds no pictures")
    return found
