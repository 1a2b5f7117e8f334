"""Feature visualisation from a network to files: one channel's picture, or a labelled atlas of many."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxstyle.features import Features, load
from jaxstyle.jobs import snapshots
from jaxstyle.jobs.execution import Execution
from jaxstyle.jobs.files import Files, check_results, check_trace, made_with, recorded, trace_file
from jaxstyle.jobs.recipes import run_recipe
from jaxstyle.media.contact_sheet import contact_sheet
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels import footprint
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.visualize import VisualizationConfig, channel_objectives, check_layer, prepare
from jaxstyle.runtime.sharding import choose_devices

ATLAS = "atlas.png"
CELL = 256
"""Longest side of a picture in the atlas, in pixels."""


def visualize_files(files: Files, config: VisualizationConfig, *, progress: bool | None = None) -> list[pathlib.Path]:
    """Visualises channels into a file (the picture, or an atlas of them) or a folder (the pictures and the atlas).

    Everything that can be wrong with the input is found before the first step.

    Args:
      files: What to write; pictures to read there are none.
      config: The settings.
      progress: True shows the bar, False does not, None shows it on a terminal.

    Returns:
      The results' paths.

    Raises:
      JaxstyleError: Bad input, or a loss that is no longer finite (the last good pictures are then kept).
      Interrupted: Ctrl-C or SIGTERM.
    """
    config.check()
    output = pathlib.Path(files.output)
    into_folder = os.path.isdir(output)
    atlas = output / ATLAS if into_folder else output
    check_results([atlas], files.bits, [config.features])
    check_trace(files.trace)
    features = load(config.features)
    indices = check_layer(config, features)
    choose_devices(config.devices)
    several = len(indices) * config.facets > 1
    settings = recorded(config)
    if files.resume and several and made_with(atlas, settings):
        return [atlas]
    folder = output if into_folder else output.with_name(f".{output.name}.parts") if several else output.parent
    plates = Plates(files, config, features, folder, None if several or into_folder else output, progress)
    executions = plates.executions(indices)
    first = next(executions)  # whatever is wrong with it is told before anything is written
    folder.mkdir(exist_ok=True)
    with trace_file(files.trace, files.resume) as trace:
        first.run(trace)
        for execution in executions:
            execution.run(trace)
    paths = [path for index in indices for path in plates.paths(index)]
    if several:
        write_atlas(atlas, paths, config, files.bits, settings)
    if not into_folder and several:
        shutil.rmtree(folder)
        return [output]
    return [*paths, atlas] if several else paths


@dataclasses.dataclass(frozen=True)
class Plates:
    """The pictures of single channels, as files.

    Attributes:
      files: What to write.
      config: The settings.
      features: The network to look into.
      folder: Where the pictures go.
      single: The path of the only picture, where there is one.
      progress: Of the bar.
    """

    files: Files
    config: VisualizationConfig
    features: Features
    folder: pathlib.Path
    single: pathlib.Path | None
    progress: bool | None

    def paths(self, index: int) -> list[pathlib.Path]:
        """One path a facet of a channel."""
        if self.single is not None:
            return [self.single]
        name = f"{self.config.layer.replace('/', '-')}-{index}"
        if self.config.facets == 1:
            return [self.folder / f"{name}.png"]
        return [self.folder / f"{name}-{facet + 1}.png" for facet in range(self.config.facets)]

    def settings(self, index: int) -> dict[str, Any]:
        """What a channel's pictures depend on, whichever others are made beside it."""
        return recorded(dataclasses.replace(self.config, channels=str(index)))

    def executions(self, indices: Sequence[int]) -> Iterator[Execution]:
        """Runs of as many channels as half the memory holds, all of nearly one size."""
        config = self.config
        seen = config.size + 2 * config.pad
        stage = Stage(seen, seen, seen, config.iterations)
        limit = footprint.largest_batch(
            self.features, (config.layer,), stage, config.facets, config.dtype, config.devices
        )
        batches = -(-len(indices) // limit)
        size = -(-len(indices) // batches)
        for i in range(0, len(indices), size):
            yield self.execution(indices[i : i + size])

    def execution(self, indices: Sequence[int]) -> Execution:
        """One batch of channels."""
        config = self.config

        def write(pictures: np.ndarray, suffix: str, finished: bool) -> None:
            for index, group in zip(indices, pictures, strict=True):
                settings = self.settings(index)
                for path, picture in zip(self.paths(index), group.reshape(-1, *group.shape[-3:]), strict=True):
                    write_picture(
                        path.with_name(path.stem + suffix + path.suffix),
                        picture,
                        bits=self.files.bits,
                        settings=settings if finished else settings | {"unfinished": True},
                    )

        return Execution(
            *prepare(config, self.features, channel_objectives(config, indices)),
            choose_devices(config.devices),
            [self.paths(index)[0] for index in indices],
            recorded(config) | {"indices": list(indices), "network": snapshots.digest(self.features.params)},
            write,
            lambda: all(made_with(path, self.settings(index)) for index in indices for path in self.paths(index)),
            self.files.save_every,
            self.files.resume,
            self.progress,
        )


def write_atlas(
    atlas: pathlib.Path, paths: Sequence[pathlib.Path], config: VisualizationConfig, bits: int, settings: dict[str, Any]
) -> None:
    """The labelled sheet of all pictures; the facets of a channel stand side by side."""
    labels = [": ".join(path.stem.split("-", 1)) for path in paths]
    pictures = [read_picture(path).rgb for path in paths]
    columns = config.facets if config.facets > 1 else None
    sheet = contact_sheet(pictures, labels, columns, min(CELL, config.size))
    write_picture(atlas, sheet, bits=bits, settings=settings)


def run(config: Any, workdir: str) -> None:
    """Entry of `train.py`: a recipe's visualisations, in `workdir`; see `run_recipe`."""
    run_recipe(config, workdir, VisualizationConfig, visualize_files)
