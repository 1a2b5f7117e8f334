"""Pictures in and resized: whatever Pillow opens becomes float32 sRGB. Writing: `image_files.py`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.examples import example
from jaxstyle.image_files import check_sides, check_writable, write_picture
from jaxstyle.image_reading import Picture, decode, from_array, opened

__all__ = [
    "Picture",
    "check_sides",
    "check_size",
    "check_writable",
    "fit_size",
    "read_mask",
    "read_picture",
    "read_settings",
    "resize",
    "write_picture",
]

MIN_SIDE = 16
MAX_RATIO = 32
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's grey

Source = str | os.PathLike | Image.Image | np.ndarray

PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"}
"""Of the files of a folder that are taken for pictures."""


def read_picture(source: Source) -> Picture:
    """The picture in a file, PIL image or array, upright and in sRGB.

    EXIF orientation is applied; an embedded ICC profile is converted to sRGB (relative colorimetric with
    black point compensation) and ignored where it is broken; 16-bit grey keeps its precision, 16-bit colour
    is read at 8 bits; of an animation or a multi-page file the first frame counts.

    Args:
      source: A path, `"example:NAME"` (see `jaxstyle.examples`), a PIL image, or an array `[H, W]`,
        `[H, W, 3]` or `[H, W, 4]`: floats in [0, 1], bool, uint8 or uint16.

    Returns:
      The `Picture`.

    Raises:
      JaxstyleError: The file is missing, empty, damaged, no picture or too large; the array is another kind.
    """
    if isinstance(source, str) and source.startswith("example:"):
        return Picture(example(source.removeprefix("example:")), None)
    if isinstance(source, Image.Image):
        name = repr(getattr(source, "filename", "")) if getattr(source, "filename", "") else "(a PIL image)"
    elif isinstance(source, (str, os.PathLike)):
        name = repr(os.fspath(source))
    else:
        return from_array(np.asarray(source))
    with opened(source, name) as image:
        return decode(image, name)


def read_mask(source: Source) -> np.ndarray:
    """The luma of a picture (its alpha ignored) as a mask.

    Args:
      source: As for `read_picture`.

    Returns:
      Float32 `[H, W]` in [0, 1].

    Raises:
      JaxstyleError: As `read_picture`.
    """
    return np.clip(read_picture(source).rgb @ LUMA, 0, 1).astype(np.float32)


def read_settings(path: str | os.PathLike) -> dict[str, Any] | None:
    """The settings that `write_picture` recorded in a file, or None where there are none.

    Args:
      path: A picture file.

    Returns:
      The settings as they were given, after JSON.

    Raises:
      JaxstyleError: As `read_picture`.
    """
    with opened(path, repr(os.fspath(path))) as image, contextlib.suppress(Exception):  # foreign EXIF
        settings = json.loads(image.getexif()[0x010E])
        return settings if isinstance(settings, dict) else None
    return None


def check_size(height: int, width: int, name: str) -> None:
    """Refuses pictures too small or too long to stylise.

    Args:
      height: Pixels.
      width: Pixels.
      name: How to call the picture in the error, for example its path.

    Raises:
      JaxstyleError: The shorter side has fewer than 16 pixels, or the sides differ more than 32-fold.
    """
    if min(height, width) < MIN_SIDE:
        raise JaxstyleError(
            f"picture {name!r} has {width}x{height} pixels, too few: each side needs at least {MIN_SIDE}"
        )
    if max(height, width) > MAX_RATIO * min(height, width):
        raise JaxstyleError(
            f"picture {name!r} has {width}x{height} pixels, too long and thin: "
            f"crop it until its sides differ at most {MAX_RATIO}-fold"
        )


def fit_size(height: int, width: int, longer_side: int) -> tuple[int, int]:
    """The size with the same shape whose longer side is `longer_side`.

    Args:
      height: Pixels.
      width: Pixels.
      longer_side: Pixels, at least 1.

    Returns:
      `(height, width)`: the longer exactly `longer_side`, the other rounded, at least 1.
    """
    longer = max(height, width)
    scaled = [longer_side if n == longer else max(1, round(n * longer_side / longer)) for n in (height, width)]
    return scaled[0], scaled[1]


def resize(
    image: np.ndarray, height: int, width: int, box: tuple[float, float, float, float] | None = None
) -> np.ndarray:
    """An antialiased resize, every channel in float32.

    Bicubic, not Lanczos: it rings less, and halos at edges are just what the first layers of a feature
    network would take for texture; it is also what the field's tools use.

    Args:
      image: `[H, W]` or `[H, W, C]` in [0, 1].
      height: Pixels of the result.
      width: Pixels of the result.
      box: Left, upper, right and lower edge of the part to resize, in pixels that need not be whole; None takes all.

    Returns:
      Float32 `[height, width]` or `[height, width, C]`, clipped to [0, 1].
    """
    image = np.asarray(image, np.float32)
    planes = image.reshape(*image.shape[:2], -1)
    resized = [
        Image.fromarray(np.ascontiguousarray(planes[..., c])).resize((width, height), Image.Resampling.BICUBIC, box)
        for c in range(planes.shape[-1])
    ]
    stacked = np.stack([np.asarray(plane) for plane in resized], axis=-1)
    return np.clip(stacked, 0, 1).reshape(height, width, *image.shape[2:])


def fitted(picture: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The middle of a picture, resized, and made grey where that is wanted: as a network sees it that was trained so.

    Args:
      picture: `[h, w, 3]` in [0, 1].
      shape: Of the result, `(H, W, 3)` or `(H, W, 1)`.

    Returns:
      Float32 of that shape in [0, 1]; the largest part of the same kind about the picture's centre.
    """
    height, width, channels = shape
    rows, columns = picture.shape[:2]
    scale = min(rows / height, columns / width)
    high, wide = round(scale * height), round(scale * width)
    top, left = (rows - high) // 2, (columns - wide) // 2
    if (rows, columns) != (height, width):
        picture = resize(picture[top : top + high, left : left + wide], height, width)
    return (picture @ LUMA)[..., None].astype(np.float32) if channels == 1 else picture
