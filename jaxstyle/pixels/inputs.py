"""The pictures a stylisation is made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.pixels.config import StyleConfig


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Pictures of one run, float32 in [0, 1].

    Attributes:
      contents: Photos `[H, W, 3]`; all of one shape once they are fitted to the run's sizes.
      styles: Paintings `[h, w, 3]`, of any shapes.
      content_masks: `[H, W]`, where in the photos each style goes; empty blends the styles everywhere.
      style_masks: `[h, w]`, which part of each painting counts; empty means all of it.
      start: Picture `[H', W', 3]` to start from, for `init` by a path.
    """

    contents: Sequence[np.ndarray]
    styles: Sequence[np.ndarray]
    content_masks: Sequence[np.ndarray] = ()
    style_masks: Sequence[np.ndarray] = ()
    start: np.ndarray | None = None

    def check(self) -> None:
        """Raises `JaxstyleError` where numbers of pictures or sizes of masks do not fit."""
        if not self.contents or not self.styles:
            raise JaxstyleError("a stylisation needs at least one content and one style picture")
        for kind, masks in (("content", self.content_masks), ("style", self.style_masks)):
            if masks and len(masks) != len(self.styles):
                raise JaxstyleError(f"there are {len(masks)} {kind} masks for {len(self.styles)} styles; give one each")
        for i, mask in enumerate(self.content_masks, 1):
            for content in self.contents:
                check_mask(f"content mask {i}", mask, "the content picture", content)
        for i, (mask, style) in enumerate(zip(self.style_masks, self.styles, strict=False), 1):
            check_mask(f"style mask {i}", mask, f"style {i}", style)


def check_mask(name: str, mask: np.ndarray, owner: str, picture: np.ndarray) -> None:
    """Raises `JaxstyleError` unless the mask has its picture's size and is not black all over."""
    if mask.shape != picture.shape[:2]:
        (height, width), (want_height, want_width) = mask.shape, picture.shape[:2]
        raise JaxstyleError(
            f"{name} is {width}×{height} px and {owner} is {want_width}×{want_height}; make them the same size"
        )
    if not mask.any():
        raise JaxstyleError(f"{name} is black all over; white marks the region")


def style_weights(config: StyleConfig, count: int) -> np.ndarray:
    """The blend `[count]` of so many styles, summing to one; equal where none was set.

    Raises:
      JaxstyleError: There are more or fewer styles than weights.
    """
    weights = np.asarray(config.style_weights or [1.0] * count, np.float32)
    if len(weights) != count:
        raise JaxstyleError(f"--style-weights has {len(weights)} numbers for {count} styles; give one each")
    return weights / weights.sum()
