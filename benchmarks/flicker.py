"""How much stylised films flicker: what is left of each frame when the one before is moved along the film's motion.

    python benchmarks/flicker.py moving photo.jpg pan/ --motion pan          # pan/frames/ and pan/flow/
    jaxstyle apply pan/frames --model calm -o calm/%04d.png                  # or jaxstyle stylize, any two ways
    jaxstyle apply pan/frames --model wild -o wild/%04d.png
    python benchmarks/flicker.py compare pan/frames wild/ calm/ --flow pan/flow

Without `--flow` OpenCV finds the motion of the unstylised film. Compared are mean warping errors, over places where the
motion can be trusted (`jaxstyle.metrics.warping_error`), and their ratio to the first film's.
"""

from __future__ import annotations

import argparse
import os
import pathlib

import jax
import numpy as np

from jaxstyle.media.film_reading import read_film
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_resizing import fit_size, resize
from jaxstyle.media.image_writing import write_picture
from jaxstyle.media.optical_flow import FlowSource, folder_flow, opencv_flow, resize_motion
from jaxstyle.metrics import warping_error
from jaxstyle.ops.warping import consistency_mask, warp

STEP = 3.0  # pixels that a pan goes in a frame, and a zoom at the middle of the longer side's edge


def places(kind: str, number: int, height: int, width: int) -> np.ndarray:
    """Where in the photo's middle part the pixels of a frame lie, `[height, width, 2]` pixels across and down."""
    down, across = np.mgrid[:height, :width].astype(np.float64)
    if kind == "pan":
        return np.stack([across + STEP * number, down + STEP / 2 * number], -1)
    scale, middle = (1 - 2 * STEP / max(height, width)) ** number, ((width - 1) / 2, (height - 1) / 2)
    return np.stack([middle[0] + (across - middle[0]) * scale, middle[1] + (down - middle[1]) * scale], -1)


def flow(kind: str, first: int, second: int, height: int, width: int) -> np.ndarray:
    """Where in the second frame lies what is in the first, relative to its place."""
    now, origin = places(kind, first, height, width), places(kind, second, height, width)
    start, step = origin[0, 0], origin[1, 1] - origin[0, 0]
    return ((now - start) / step - places("pan", 0, height, width)).astype(np.float32)


def make(photo: str, target: str, kind: str, count: int, size: int) -> None:
    """A film of a photo, that a camera pans over or zooms into, and its exact flow."""
    frames, flows = (pathlib.Path(target) / name for name in ("frames", "flow"))
    for folder in (frames, flows):
        folder.mkdir(parents=True)
    rgb = read_picture(photo).rgb
    room = int(STEP * count) if kind == "pan" else 0
    whole = resize(rgb, *fit_size(*rgb.shape[:2], size + room))
    height, width = (side - room for side in whole.shape[:2])
    still = places("pan", 0, height, width)
    for number in range(count):
        moved = np.zeros((*whole.shape[:2], 2), np.float32)
        moved[:height, :width] = places(kind, number, height, width) - still
        frame = np.asarray(warp(whole, moved)[0])[:height, :width]
        write_picture(frames / f"{number + 1:04d}.png", frame)
        if number:
            np.save(flows / f"backward_{number + 1}_{number}.npy", flow(kind, number, number - 1, height, width))
            np.save(flows / f"forward_{number}_{number + 1}.npy", flow(kind, number - 1, number, height, width))


def error(source: np.ndarray, stylised: np.ndarray, motion: FlowSource) -> float:
    """Mean warping error of a film `[T, H, W, 3]`, by the motion of the one that it is made of."""
    height, width = stylised.shape[1:3]

    @jax.jit
    def one(frame: jax.Array, previous: jax.Array, moved: object) -> jax.Array:
        moved = resize_motion(moved, height, width)
        return warping_error(frame, previous, moved.backward, consistency_mask(*moved))

    pairs = zip(stylised[1:], stylised, source, source[1:], strict=False)
    return float(np.mean([one(b, a, motion(i, before, now)) for i, (b, a, before, now) in enumerate(pairs, 1)]))


def main() -> None:
    """Reads the words and prints a row a film."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    moving = actions.add_parser("moving", help="make a film of a photo, with its flow")
    moving.add_argument("photo")
    moving.add_argument("target", help="a new folder")
    moving.add_argument("--motion", choices=("pan", "zoom"), default="pan")
    moving.add_argument("--frames", type=int, default=8)
    moving.add_argument("--size", type=int, default=256, help="longer side, pixels")
    compare = actions.add_parser("compare", help="tell warping errors of stylised films")
    compare.add_argument("source", help="the film that they are made of")
    compare.add_argument("films", nargs="+")
    compare.add_argument("--flow", help="folder of the source's flow (default: OpenCV finds it)")
    args = parser.parse_args()
    if args.action == "moving":
        return make(args.photo, args.target, args.motion, args.frames, args.size)
    source = read_film(args.source)
    motion = folder_flow(args.flow, len(source)) if args.flow else opencv_flow()
    errors = [error(source, read_film(film), motion) for film in args.films]
    for film, value in zip(args.films, errors, strict=True):
        print(f"{os.path.normpath(film):32} {1e3 * value:8.3f}e-3   ratio {value / errors[0]:.3f}")
    return None


if __name__ == "__main__":
    main()
