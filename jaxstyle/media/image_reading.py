"""Reads pictures, masks and the settings inside them: whatever Pillow opens becomes float32 sRGB."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

import numpy as np
from PIL import Image

from jaxstyle.media.colors import luma
from jaxstyle.media.examples import example
from jaxstyle.media.image_decoding import Picture, decode, from_array, open_image

PictureLike = str | os.PathLike | Image.Image | np.ndarray


def read_picture(source: PictureLike) -> Picture:
    """Reads the picture in a file, PIL image or array, upright and in sRGB.

    EXIF orientation is applied; an embedded ICC profile is converted to sRGB (relative colorimetric with
    black point compensation) and ignored where it is broken; 16-bit grey keeps its precision, 16-bit colour
    is read at 8 bits; of an animation or a multi-page file the first frame counts.

    Args:
      source: A path, `"example:NAME"` (see `jaxstyle.media.examples`), a PIL image, or an array `[H, W]`,
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
    with open_image(source, name) as image:
        return decode(image, name)


def read_mask(source: PictureLike) -> np.ndarray:
    """Reads the luma of a picture (its alpha ignored) as a mask.

    Args:
      source: As for `read_picture`.

    Returns:
      Float32 `[H, W]` in [0, 1].

    Raises:
      JaxstyleError: As `read_picture`.
    """
    return luma(read_picture(source).rgb)


def read_settings(path: str | os.PathLike) -> dict[str, Any] | None:
    """Reads the settings that `write_picture` recorded in a file; None where there are none.

    Args:
      path: A picture file.

    Returns:
      The settings as they were given, after JSON.

    Raises:
      JaxstyleError: As `read_picture`.
    """
    with open_image(path, repr(os.fspath(path))) as image, contextlib.suppress(Exception):  # foreign EXIF
        settings = json.loads(image.getexif()[0x010E])
        return settings if isinstance(settings, dict) else None
    return None
