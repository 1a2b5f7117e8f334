"""Masks of pictures: finding their files, or a dataset's own field, and reading them as numbers of classes."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from jaxstyle.data.config import DataConfig
from jaxstyle.data.dataset import Dataset, Example, PictureFile
from jaxstyle.data.mask_coding import MaskCoding, name_values
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_decoding import open_image
from jaxstyle.media.paths import picture_paths
from jaxstyle.runtime.settings import named

LOSSY = ("JPEG", "MPO", "JPEG2000", "AVIF")
TINT = 32  # largest difference between the channels of what lossy compression leaves of a grey pixel


def with_masks(dataset: Dataset, data: DataConfig) -> Dataset:
    """Returns a dataset whose examples have `mask` `[H, W]` uint8 beside `image`: numbers of classes, or `IGNORED`.

    Raises `JaxstyleError` where a setting cannot be, or a picture has no mask; masks that are wrong are told when they
    are read.
    """
    coding = MaskCoding.of(data)
    if not (data.masks or data.mask_suffix):
        return dataclasses.replace(dataset, read=lambda index: with_field(dataset.read(index), index, data, coding))
    masks = paired(dataset.files, data)

    def read(index: int) -> Example:
        example = dataset.read(index)
        return {**example, "mask": read_mask(masks[index], example["image"].shape, coding)}

    files = tuple(dataclasses.replace(file, mask=mask) for file, mask in zip(dataset.files, masks, strict=True))
    return dataclasses.replace(dataset, read=read, files=files)


def paired(files: Sequence[PictureFile], data: DataConfig) -> list[pathlib.Path]:
    """Finds the mask of every picture, by its name relative to the folder of pictures.

    Raises:
      JaxstyleError: A picture has no mask.
    """
    masks, found = mask_files(data), []
    for file in files:
        name = os.fspath(file.path.relative_to(data.folder).with_suffix(""))
        if name not in masks:
            told = f"{name}{data.mask_suffix}.*"
            raise JaxstyleError(
                f"the picture {os.fspath(file.path)!r} has no mask: there is no {told} in {data.masks or data.folder!r}"
            )
        found.append(masks[name])
    return found


def mask_files(data: DataConfig) -> Mapping[str, pathlib.Path]:
    """Lists the masks anywhere in their folder, by the relative names of their pictures without suffixes.

    Raises:
      JaxstyleError: There is no such folder, nothing in it, or two files of one name.
    """
    folder, suffix = data.masks or data.folder, data.mask_suffix
    if not os.path.isdir(folder):
        raise JaxstyleError(f"there is no folder of masks {folder!r}")
    found: dict[str, pathlib.Path] = {}
    for path in picture_paths(folder, recursive=True):
        if path.stem.endswith(suffix):
            name = os.fspath(path.relative_to(folder).with_suffix("")).removesuffix(suffix)
            if name in found:
                raise JaxstyleError(f"{os.fspath(found[name])!r} and {os.fspath(path)!r} are masks of one picture")
            found[name] = path
    if not found:
        ending = f" whose names end in {suffix!r}" if suffix else ""
        raise JaxstyleError(f"the folder of masks {folder!r} holds no pictures{ending}")
    return found


def with_field(example: Example, index: int, data: DataConfig, coding: MaskCoding) -> Example:
    """Returns an example of a TFDS dataset with its mask as `mask` `[H, W]` uint8.

    Raises:
      JaxstyleError: The example has no such field, or the field is no mask.
    """
    field = data.mask_field
    if field not in example:
        have = ", ".join(map(repr, example))
        raise JaxstyleError(f"the dataset has no field {field!r} ({named('data.mask_field')}); it has {have}")
    values = example[field]
    values = values[..., 0] if values.ndim == 3 and values.shape[-1] == 1 else values
    wanted = (*example["image"].shape[:2], *((3,) if coding.colored else ()))
    if values.shape != wanted or values.dtype.kind not in "bui":
        raise JaxstyleError(f"the field {field!r} is no mask: it is {values.dtype} {values.shape}")
    return {**example, "mask": coding.decode(values, f"the mask of example {index}")}


def read_mask(path: pathlib.Path, shape: Sequence[int], coding: MaskCoding) -> np.ndarray:
    """Reads a mask file as numbers of classes `[H, W]` uint8, for a picture of `shape` `(H, W, C)`.

    Raises:
      JaxstyleError: The file is no mask, has another size, was compressed with losses though its values are not named,
        or holds a value of no class.
    """
    name = f"the mask {os.fspath(path)!r}"
    with open_image(path, repr(os.fspath(path))) as image:
        lossy = loses(path, image)
        if lossy and coding.values is None:
            raise JaxstyleError(
                f"{name} is a {image.format} file, whose compression changes numbers: {name_values()} or save it as PNG"
            )
        spread = TINT if lossy else 0
        pixels = np.asarray(image.convert("RGB")) if coding.colored else stored_values(image, name, spread)
    if pixels.shape[:2] != tuple(shape[:2]):
        sizes = "{1}x{0} pixels, its picture {3}x{2}".format(*pixels.shape[:2], *shape[:2])
        raise JaxstyleError(f"{name} has {sizes}; they must be equal")
    return coding.decode(pixels, name)


def loses(path: pathlib.Path, image: Image.Image) -> bool:
    """Whether the file of an opened picture was, or may have been, compressed with losses."""
    if image.format != "WEBP":
        return image.format in LOSSY
    return b"VP8L" not in path.read_bytes()  # the chunk of lossless pixels


def stored_values(image: Image.Image, name: str, spread: int) -> np.ndarray:
    """Returns the values of an opened picture as they are stored, palette indices too: `[H, W]` bool or integers.

    Channels of a grey pixel may be `spread` apart; a picture in colours raises `JaxstyleError`, which says `name`.
    """
    values = np.asarray(image)
    if values.ndim == 3:  # grey with an alpha, or colours of which all are grey
        shown = values[..., : 1 if values.shape[-1] == 2 else 3]
        values = shown[..., min(1, shown.shape[-1] - 1)] if np.all(np.ptp(shown, -1) <= spread) else values
    if values.ndim != 2 or values.dtype.kind not in "bui":
        raise JaxstyleError(
            f"{name} is in colours (mode {image.mode}); masks are grey or palette pictures of numbers, unless "
            f"{named('data.mask_values')} names colours"
        )
    return values
