"""Examples of one size: pictures, films and masks cropped, padded or stretched alike."""

from __future__ import annotations

import numpy as np
from PIL import Image

from jaxstyle.data.dataset import Example
from jaxstyle.data.mask_coding import IGNORED
from jaxstyle.media.image_resizing import fitted


def fit_example(example: Example, size: tuple[int, int], fit: str = "crop") -> Example:
    """Brings `image`, or every frame of `video`, to a size; a `mask` likewise.

    Args:
      example: `image` `[h, w, C]` or `video` `[T, h, w, C]` uint8, and maybe a `mask` `[h, w]` uint8 of the picture's
        size.
      size: Height and width of the result in pixels.
      fit: See `fitted`. The border around pictures is black, or transparent; that around masks has no class.

    Returns:
      The example with `image` `[H, W, C]`, `video` `[T, H, W, C]` and `mask` `[H, W]`, all uint8.
    """
    if "video" in example:
        return {**example, "video": np.stack([fit_example({"image": f}, size, fit)["image"] for f in example["video"]])}
    image, mask = example["image"], example.get("mask")
    smaller = image if image.shape[:2] == size else fitted(image.astype(np.float32) / 255, *size, fit) * 255
    made = {**example, "image": np.rint(smaller).astype(np.uint8)}
    if mask is None or mask.shape != image.shape[:2]:
        return made
    return {**made, "mask": fitted(mask, *size, fit, nearest, IGNORED)}


def nearest(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes a mask `[h, w]` uint8 to `[height, width]`; every pixel takes the value of the nearest."""
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
