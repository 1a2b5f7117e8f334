"""A dream from files to files: one picture, or a film that zooms into it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
from typing import Any

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features, load
from jaxstyle.jobs import snapshots
from jaxstyle.jobs.execution import Execution
from jaxstyle.jobs.files import Files, check_results, check_trace, made_with, output_paths, read, recorded, trace_file
from jaxstyle.jobs.recipes import run_recipe
from jaxstyle.media.film_writing import assemble_film, check_film
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_reading import read_mask, read_picture
from jaxstyle.media.image_resizing import resize
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels.dream import finish, prepare
from jaxstyle.pixels.dream_config import DreamConfig
from jaxstyle.runtime.sharding import choose_devices


def dream_files(files: Files, config: DreamConfig, *, progress: bool | None = None) -> pathlib.Path:
    """Dreams from files to a file: a picture or, with several frames, a film or a folder of frames.

    Everything that can be wrong with the input is found before the first step.

    Args:
      files: What to read (one of `contents`, or none with `init` noise) and write.
      config: The settings.
      progress: True shows the bar, False does not, None shows it on a terminal.

    Returns:
      The result's path.

    Raises:
      JaxstyleError: Bad input, or a loss that is no longer finite (the last good picture is then written).
      Interrupted: Ctrl-C or SIGTERM.
    """
    config.check()
    if len(files.contents) > 1 or not (files.contents or config.init == "noise"):
        raise JaxstyleError("a dream needs one picture, or --init noise")
    output = pathlib.Path(files.output)
    is_folder = os.path.isdir(output)
    target = output if config.frames > 1 else output_paths(files, files.contents or ["dream"], [{}])[0][0]
    if config.frames == 1:
        sources = [*files.contents, config.features, *filter(None, (config.guide, config.mask))]
        check_results([target], files.bits, sources)
    elif not is_folder:
        check_film(output)
    check_trace(files.trace)
    dreamer = Dreamer.read(files, config, progress)
    with trace_file(files.trace, files.resume) as trace:
        if config.frames == 1:
            dreamer.execution(target, dreamer.photo, 0).run(trace)
        else:
            film(dreamer, output, is_folder, trace)
    return target


def film(dreamer: Dreamer, output: pathlib.Path, is_folder: bool, trace: Any) -> None:
    """The frames one after another, each dreamt on from the one before; then the film, unless a folder is asked for."""
    config, files = dreamer.config, dreamer.files
    mark = hashlib.sha256(json.dumps(dreamer.settings(0), sort_keys=True).encode()).hexdigest()
    folder = output if is_folder else output.with_name(f".{output.name}.frames")
    if files.resume and not is_folder and output.exists() and mark.encode() in output.read_bytes():
        return
    paths = [folder / f"{frame:04d}.png" for frame in range(config.frames)]
    photo = dreamer.photo
    for frame, path in enumerate(paths):
        execution = dreamer.execution(path, photo, frame)
        folder.mkdir(exist_ok=True)
        execution.run(trace)
        # As it is on disk, to eight bits: a resumed film goes on from the same numbers.
        photo = Picture(zoomed(read_picture(path).rgb, config.zoom), None)
    if not is_folder:
        assemble_film(output, paths, config.fps, {"dream": mark})
        shutil.rmtree(folder)


@dataclasses.dataclass(frozen=True)
class Dreamer:
    """All that the frames of a job have in common."""

    files: Files
    config: DreamConfig
    features: Features
    photo: Picture
    guide: np.ndarray | None
    mask: np.ndarray | None
    progress: bool | None

    @classmethod
    def read(cls, files: Files, config: DreamConfig, progress: bool | None) -> Dreamer:
        """Reads pictures and network."""
        if files.contents:
            photo = read(files.contents[0], "content")
        else:
            photo = Picture(np.full((config.size, config.size, 3), 0.5, np.float32), None)
        guide = None if config.guide is None else read(config.guide, "guide").rgb
        mask = None if config.mask is None else read_mask(config.mask)
        return cls(files, config, load(config.features), photo, guide, mask, progress)

    def settings(self, frame: int) -> dict[str, Any]:
        """What a frame depends on, without times, places or machines: it goes into its metadata."""
        config = self.config
        guide, mask = (path and os.path.basename(path) for path in (config.guide, config.mask))
        about = recorded(dataclasses.replace(config, guide=guide, mask=mask), contents=self.files.contents)
        return about | ({"frame": frame} if self.config.frames > 1 else {})

    def execution(self, path: pathlib.Path, photo: Picture, frame: int) -> Execution:
        """One frame, dreamt from a photo or from the frame before."""
        config, settings = self.config, self.settings(frame)
        if frame:
            config = dataclasses.replace(config, init="photo")
        mask = self.mask
        if mask is not None and frame:
            mask = resize(mask, *photo.rgb.shape[:2])

        def write(pictures: np.ndarray, suffix: str, finished: bool) -> None:
            picture = finish(config, pictures[0], photo.rgb, mask)
            write_picture(
                path.with_name(path.stem + suffix + path.suffix),
                picture,
                alpha=None if photo.alpha is None else resize(photo.alpha, *picture.shape[:2]),
                bits=self.files.bits if config.frames == 1 else 8,
                settings=settings if finished else settings | {"unfinished": True},
            )

        inputs = [array for array in (photo.rgb, self.guide, mask) if array is not None]
        return Execution(
            *prepare(config, self.features, photo.rgb, self.guide, mask, frame=frame),
            choose_devices(config.devices),
            [path],
            settings | {"pictures": snapshots.digest(inputs), "network": snapshots.digest(self.features.params)},
            write,
            lambda: made_with(path, settings),
            self.files.save_every,
            self.files.resume,
            self.progress,
        )


def zoomed(picture: np.ndarray, zoom: float) -> np.ndarray:
    """The middle `1 / zoom` of a picture `[H, W, 3]`, enlarged to its size; bicubic, at fractions of pixels.

    Args:
      picture: In [0, 1].
      zoom: At least 1.
    """
    height, width, _ = picture.shape
    top, left = height * (1 - 1 / zoom) / 2, width * (1 - 1 / zoom) / 2
    return resize(picture, height, width, (left, top, width - left, height - top))


def run(config: Any, workdir: str) -> None:
    """Entry of `train.py`: a recipe's dream, in `workdir`; see `run_recipe`."""
    run_recipe(config, workdir, DreamConfig, dream_files)
