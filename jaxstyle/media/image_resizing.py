"""Resizes pictures, antialiased, and checks their sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from jaxstyle.errors import JaxstyleError

MIN_SIDE = 16
MAX_RATIO = 32


def check_size(height: int, width: int, name: str) -> None:
    """Raises `JaxstyleError` for a picture of fewer than 16 pixels a side, or whose sides differ more than 32-fold."""
    if min(height, width) < MIN_SIDE:
        raise JaxstyleError(
            f"picture {name!r} has {width}x{height} pixels, too few: each side needs at least {MIN_SIDE}"
        )
    if max(height, width) > MAX_RATIO * min(height, width):
        raise JaxstyleError(
            f"picture {name!r} has {width}x{height} pixels, too long and thin: "
            f"crop it until its sides differ at most {MAX_RATIO}-fold"
        )


def check_mask(name: str, mask: np.ndarray, owner: str, picture: np.ndarray) -> None:
    """Raises `JaxstyleError` unless the mask has its picture's size and is not black all over."""
    if mask.shape != picture.shape[:2]:
        (height, width), (want_height, want_width) = mask.shape, picture.shape[:2]
        raise JaxstyleError(
            f"{name} is {width}×{height} px and {owner} is {want_width}×{want_height}; make them the same size"
        )
    if not mask.any():
        raise JaxstyleError(f"{name} is black all over; white marks the region")


def fit_size(height: int, width: int, longer_side: int) -> tuple[int, int]:
    """Scales a size in proportion, so that its longer side becomes `longer_side`.

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
    """Resizes a picture, antialiased, every channel in float32.

    Bicubic, not Lanczos: it rings less, and halos at edges are just what the first layers of a feature
    network would take for texture; it is also what the field's tools use.

    Args:
      image: `[H, W]` or `[H, W, C]` in [0, 1].
      height: Pixels of the result.
      width: Pixels of the result.
      box: Left, upper, right and lower edge of the part to resize, in pixels, whole or not; None takes all.

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


def zoomed(picture: np.ndarray, zoom: float) -> np.ndarray:
    """Enlarges the middle `1 / zoom` of a picture `[H, W, 3]` to its size; bicubic, at fractions of pixels.

    Args:
      picture: In [0, 1].
      zoom: At least 1.
    """
    height, width, _ = picture.shape
    top, left = height * (1 - 1 / zoom) / 2, width * (1 - 1 / zoom) / 2
    return resize(picture, height, width, (left, top, width - left, height - top))


FITS = ("crop", "pad", "stretch")
"""Ways to bring a picture to another shape."""


def fitted(
    picture: np.ndarray,
    height: int,
    width: int,
    fit: str = "crop",
    resizing: Callable[[np.ndarray, int, int], np.ndarray] = resize,
    border: float = 0,
) -> np.ndarray:
    """Brings a picture to a size.

    Args:
      picture: `[h, w]` or `[h, w, C]`.
      height: Pixels of the result.
      width: Pixels of the result.
      fit: `crop` resizes the largest centred part of the result's aspect ratio, `pad` the whole in proportion and puts
        a border around it, `stretch` the whole.
      resizing: (picture, height, width) -> the picture at that size.
      border: Value of that border.

    Returns:
      `[height, width]` or `[height, width, C]`; a picture of that size as it is.
    """
    rows, columns = picture.shape[:2]
    if (rows, columns) == (height, width):
        return picture
    if fit == "stretch":
        return resizing(picture, height, width)
    if fit == "crop":
        scale = min(rows / height, columns / width)
        high, wide = max(1, round(scale * height)), max(1, round(scale * width))
        top, left = (rows - high) // 2, (columns - wide) // 2
        return resizing(picture[top : top + high, left : left + wide], height, width)
    scale = max(rows / height, columns / width)
    high, wide = max(1, round(rows / scale)), max(1, round(columns / scale))
    top, left = (height - high) // 2, (width - wide) // 2
    made = np.full((height, width, *picture.shape[2:]), border, picture.dtype)
    made[top : top + high, left : left + wide] = resizing(picture, high, wide)
    return made
