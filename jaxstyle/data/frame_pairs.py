"""Frames of films in pairs, with the optical flow between them: what a network that is to be steady learns from."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np

from jaxstyle.data.dataset import Dataset, Example
from jaxstyle.media.optical_flow import opencv_flow


def frame_pairs(clips: Dataset) -> Dataset:
    """Returns a dataset of the first two frames of clips.

    Args:
      clips: Examples with `video` `[T, H, W, 3]` uint8, T at least 2.

    Returns:
      Examples with `image` and `later` `[H, W, 3]` uint8, and `flow` `[H, W, 4]` float32, pixels to the right and down:
      from the later frame back to the earlier, then forward.

    Raises:
      JaxstyleError: OpenCV, which estimates the flow, is not installed.
    """
    estimate, lock = opencv_flow(), threading.Lock()

    def read(index: int) -> Example:
        image, later = clips.read(index)["video"][:2]
        with lock:  # the estimate has buffers of its own, and several threads read
            motion = estimate(1, image / np.float32(255), later / np.float32(255))
        return {"image": image, "later": later, "flow": np.concatenate(motion, -1).astype(np.float32)}

    return dataclasses.replace(clips, read=read, classes=(), read_labels=None)
