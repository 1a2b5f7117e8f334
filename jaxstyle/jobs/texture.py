"""Texture synthesis from files to a file: what the command line and `train.py` run."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import load
from jaxstyle.jobs import snapshots
from jaxstyle.jobs.execution import Execution
from jaxstyle.jobs.files import Files, check_results, check_trace, made_with, output_paths, read, recorded, trace_file
from jaxstyle.jobs.recipes import run_recipe
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels.config import TextureConfig
from jaxstyle.pixels.texture import finish, prepare
from jaxstyle.runtime.sharding import choose_devices


def texture_files(files: Files, config: TextureConfig, *, progress: bool | None = None) -> pathlib.Path:
    """Synthesises a texture from files to a file.

    Everything that can be wrong with the input is found before the first step.

    Args:
      files: What to read (`styles`) and write.
      config: The settings.
      progress: True shows the bar, False does not, None shows it on a terminal.

    Returns:
      The result's path.

    Raises:
      JaxstyleError: Bad input, or a loss that is no longer finite (the last good picture is then written).
      Interrupted: Ctrl-C or SIGTERM.
    """
    config.check()
    if not files.styles:
        raise JaxstyleError("a texture needs at least one picture to be like")
    path = output_paths(files, files.styles[:1], [{}])[0][0]  # in a folder it bears the first exemplar's name
    check_results([path], files.bits, (*files.styles, config.features))
    check_trace(files.trace)
    exemplars = [read(name, "style").rgb for name in files.styles]
    features = load(config.features, pooling=config.pooling)
    devices = choose_devices(config.devices)
    settings = recorded(config, styles=files.styles)

    def write(pictures: np.ndarray, suffix: str, finished: bool) -> None:
        write_picture(
            path.with_name(path.stem + suffix + path.suffix),
            finish(config, pictures[0]),
            bits=files.bits,
            settings=settings if finished else settings | {"unfinished": True},
        )

    execution = Execution(
        *prepare(config, features, exemplars),
        devices,
        [path],
        settings | {"pictures": snapshots.digest(exemplars), "network": snapshots.digest(features.params)},
        write,
        lambda: made_with(path, settings),
        files.save_every,
        files.resume,
        progress,
    )
    with trace_file(files.trace, files.resume) as trace:
        execution.run(trace)
    return path


def run(config: Any, workdir: str) -> None:
    """Entry of `train.py`: a recipe's texture, in `workdir`; see `run_recipe`."""
    run_recipe(config, workdir, TextureConfig, texture_files)
