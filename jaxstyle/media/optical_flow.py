"""Optical flow from one frame to the next: estimated by OpenCV, or read from files."""

from __future__ import annotations

import importlib
import os
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.colors import LUMA
from jaxstyle.runtime.regular import check_regular

FLO = 202021.25  # the magic number of a Middlebury file
NAMES = "backward_2_1 and forward_1_2, ending in .flo or .npy, for the first two frames"


class Motion(NamedTuple):
    """Optical flow between a frame and the next, in both directions.

    Attributes:
      backward: `[H, W, 2]` pixels to the right and down: for a pixel of the later frame, the offset to the same point
        in the earlier one.
      forward: The same for the pixels of the earlier frame; None where it is not known.
    """

    backward: Any
    forward: Any = None


FlowSource = Callable[[int, np.ndarray, np.ndarray], Motion]
"""`(number of the later frame, from 1; the earlier frame [H, W, 3]; the later one) -> their motion`."""


def resize_motion(motion: Motion, height: int, width: int) -> Motion:
    """Resamples a motion to `height` × `width`, its vectors in pixels of the new size."""

    def resized(flow: Any) -> jax.Array:
        scale = jnp.array([width / flow.shape[1], height / flow.shape[0]], jnp.float32)
        return jax.image.resize(jnp.asarray(flow, jnp.float32), (height, width, 2), "linear") * scale[None, None]

    return jax.tree.map(resized, motion)


def opencv_flow() -> FlowSource:
    """Returns OpenCV's estimate by dense inverse search (Kroeger et al. 2016, arXiv 1603.03590).

    Raises:
      JaxstyleError: OpenCV is not installed.
    """
    try:
        cv2: Any = importlib.import_module("cv2")  # whose types lack what is used here
    except ImportError:
        raise JaxstyleError(
            "optical flow needs OpenCV, which is not installed: pip install 'jaxstyle[video]', or give the flow with "
            "--flow FOLDER, or make every frame by itself with --temporal-weight 0"
        ) from None
    estimate = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def motion(number: int, before: np.ndarray, after: np.ndarray) -> Motion:
        first, second = (np.uint8(np.rint(255 * np.clip(frame @ LUMA, 0, 1))) for frame in (before, after))
        return Motion(estimate.calc(second, first, None), estimate.calc(first, second, None))

    return motion


def folder_flow(folder: str | os.PathLike, count: int) -> FlowSource:
    """Returns the flow in files named as in manuelruder/artistic-videos: `backward_2_1.flo`, `forward_1_2.flo` ….

    Forward flow may be missing; then disocclusions are not known.

    Args:
      folder: The folder of .flo or .npy files; flow of any size, its vectors in pixels of that size.
      count: Number of frames of the film.

    Raises:
      JaxstyleError: There is no such folder, or the backward flow of a frame is missing.
    """
    path = pathlib.Path(folder)
    if not os.path.isdir(path):
        raise JaxstyleError(f"the folder of flow {str(path)!r} does not exist; it holds {NAMES}")

    def motion(number: int, *_: np.ndarray) -> Motion:
        backward = _find(path, f"backward_{number + 1}_{number}")
        forward = _find(path, f"forward_{number}_{number + 1}")
        if backward is None:
            raise JaxstyleError(
                f"the folder of flow {str(path)!r} has no backward_{number + 1}_{number}; it must hold {NAMES}, and so "
                f"on for all {count} frames"
            )
        return Motion(read_flow(backward), None if forward is None else read_flow(forward))

    for number in range(1, count):  # before hours of work that stop at the last one
        motion(number)
    return motion


def _find(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """Finds the file of a flow, of either format; None where there is none."""
    return next((path for suffix in (".flo", ".npy") if (path := folder / f"{name}{suffix}").exists()), None)


def read_flow(path: pathlib.Path) -> np.ndarray:
    """Reads the flow in a file, `[H, W, 2]` float32 pixels.

    The file is a .npy, or a .flo (Middlebury: a number, width, height, then pairs of float32). Raises `JaxstyleError`
    where it holds no flow, or a value that is not finite.
    """
    try:
        check_regular(path)
        if path.suffix.lower() == ".npy":
            flow = np.load(path, allow_pickle=False)
        else:
            data = path.read_bytes()
            magic, (width, height) = np.frombuffer(data, "<f4", 1)[0], np.frombuffer(data, "<i4", 2, 4)
            told = magic == FLO and min(width, height) > 0
            flow = np.frombuffer(data, "<f4", -1, 12).reshape(height, width, 2) if told else np.zeros(0)
    except (OSError, ValueError, EOFError, MemoryError, IndexError) as error:
        raise JaxstyleError(f"the flow {str(path)!r} cannot be read: {error}") from error
    numbers = flow.dtype.kind in "fiu" and np.isfinite(flow).all()
    if flow.ndim != 3 or flow.shape[-1] != 2 or not flow.size or not numbers:
        shape = f"{flow.shape} {flow.dtype}"
        raise JaxstyleError(f"{str(path)!r} is no flow: it must be [H, W, 2] finite numbers, and is {shape}")
    return flow.astype(np.float32)
