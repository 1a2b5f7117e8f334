"""Examples of one size: the central square of a picture, a film or a mask, resized."""

from __future__ import annotations

import numpy as np
from PIL import Image

from jaxstyle.data.dataset import Example
from jaxstyle.media.image_resizing import resize


def central_square(example: Example, size: int) -> Example:
    """Cuts out the central square of `image`, or of every frame of `video`, and resizes it; a `mask` likewise.

    Args:
      example: `image` `[H, W, C]` or `video` `[T, H, W, C]` uint8, and maybe a `mask` `[H, W]` uint8 of the picture's
        size.
      size: Side of the result in pixels.

    Returns:
      The example with `image` `[size, size, C]`, `video` `[T, size, size, C]` and `mask` `[size, size]`, all uint8.
    """
    if "video" in example:
        return {**example, "video": np.stack([central_square({"image": f}, size)["image"] for f in example["video"]])}
    image = example["image"]
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = slice(top, top + side), slice(left, left + side)
    cut = image[square].astype(np.float32) / 255
    smaller = cut if side == size else resize(cut, size, size)
    made = {**example, "image": np.rint(np.clip(smaller, 0, 1) * 255).astype(np.uint8)}
    mask = example.get("mask")
    return made if mask is None or mask.shape != image.shape[:2] else {**made, "mask": resized_mask(mask[square], size)}


def resized_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Resizes a square mask `[S, S]` uint8 to `[size, size]`; every pixel takes the value of the nearest."""
    return np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST))
