"""A stylisation from files to files: what the command line and `train.py` run."""

from __future__ import annotations

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxstyle.features import Features, load
from jaxstyle.jobs import snapshots
from jaxstyle.jobs.execution import Execution
from jaxstyle.jobs.files import (
    Files,
    check_results,
    check_trace,
    labels,
    list_contents,
    made_with,
    output_paths,
    read,
    read_inputs,
    recorded,
    sweep_points,
    trace_file,
)
from jaxstyle.jobs.recipes import run_recipe
from jaxstyle.media.contact_sheet import contact_sheet
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_resizing import resize
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels import footprint, schedule
from jaxstyle.pixels.config import StyleTransferConfig
from jaxstyle.pixels.inputs import Inputs
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.stylize import finish, prepare
from jaxstyle.runtime.sharding import choose_devices


def stylize_files(files: Files, config: StyleTransferConfig, *, progress: bool | None = None) -> list[pathlib.Path]:
    """Stylises pictures from files to files.

    Everything that can be wrong with the input is found before the first step.

    Args:
      files: What to read and write.
      config: The settings.
      progress: True shows the bar, False does not, None shows it on a terminal.

    Returns:
      The results' paths.

    Raises:
      JaxstyleError: Bad input, or a loss that is no longer finite (the last good picture is then written).
      Interrupted: Ctrl-C or SIGTERM.
    """
    config.check()
    points = sweep_points(files.sweep, config)
    paths = list_contents(files.contents)
    targets = output_paths(files, paths, points)
    written = [path for row in targets for path in row]
    sources = (*paths, *files.styles, *files.content_masks, *files.style_masks, config.init, config.features)
    check_results(written, files.bits, sources)
    check_trace(files.trace)
    inputs = read_inputs(files, config)
    entries = [Entry(path, inspect(path, inputs), row) for path, row in zip(paths, targets, strict=True)]
    features = load(config.features, pooling=config.pooling, padding=config.padding)
    choose_devices(config.devices)
    # Only one batch's pictures are in memory; the first is made ready before the trace is opened.
    groups = (
        Group(files, config, features, inputs, points, batch, progress)
        for batch in batches(entries, config, features, len(points))
    )
    first = next(groups)
    with trace_file(files.trace, files.resume) as trace:
        for group in itertools.chain([first], groups):
            group.execution.run(trace)
    if len(points) > 1:
        written.append(write_sheet(files, written, points, len(paths)))
    return written


class Entry(NamedTuple):
    """A photo of a job: its path, its height and width in pixels, and where its result goes at each point."""

    path: str
    shape: tuple[int, int]
    targets: list[pathlib.Path]


def inspect(path: str, inputs: Inputs) -> tuple[int, int]:
    """Height and width of a photo that can be read, is large enough and fits the masks."""
    picture = read(path, "content").rgb
    dataclasses.replace(inputs, contents=[picture]).check()
    return picture.shape[:2]


def batches(
    entries: Sequence[Entry], config: StyleTransferConfig, features: Features, points: int
) -> list[list[Entry]]:
    """Contents of one shape together, in order of first appearance, as many at once as half the memory holds."""
    taps = config.content_layers + config.style_layers
    features.check(taps)
    least_side = features.least_side(taps)
    groups: dict[tuple[Stage, ...], list[Entry]] = {}
    for entry in entries:
        plan = schedule.plan(config, least_side, [entry.shape])
        groups.setdefault(tuple(plan), []).append(entry)
    found = []
    for stages, group in groups.items():
        limit = footprint.largest_batch(features, taps, stages[-1], points, config.dtype, config.devices)
        found += [group[i : i + limit] for i in range(0, len(group), limit)]
    return found


class Group:
    """Contents of one shape, run as one batch."""

    def __init__(
        self,
        files: Files,
        config: StyleTransferConfig,
        features: Features,
        rest: Inputs,
        points: Sequence[dict[str, float]],
        entries: Sequence[Entry],
        progress: bool | None,
    ):
        self.files, self.config, self.points, self.entries = files, config, points, entries
        self.pictures = [read(entry.path, "content") for entry in entries]
        self.targets = [path for entry in entries for path in entry.targets]
        inputs = dataclasses.replace(rest, contents=[picture.rgb for picture in self.pictures])
        job = prepare(config, features, inputs, points)
        self.execution = Execution(
            *job,
            choose_devices(config.devices),
            self.targets,
            {
                **self.settings([entry.path for entry in entries], {}),
                "sweep": {name: list(values) for name, values in files.sweep.items()},
                "pictures": snapshots.digest(dataclasses.astuple(inputs)),
                "network": snapshots.digest(features.params),
            },
            self.write,
            lambda: all(self.is_done(i) for i in range(len(self.targets))),
            files.save_every,
            files.resume,
            progress,
        )

    def settings(self, contents: Sequence[str], point: Mapping[str, float]) -> dict[str, Any]:
        """What the result depends on, without times, places or machines: it goes into the result's metadata."""
        files = self.files
        changes: dict[str, Any] = {"init": os.path.basename(self.config.init), **point}
        return recorded(
            dataclasses.replace(self.config, **changes),
            contents=contents,
            styles=files.styles,
            content_masks=files.content_masks,
            style_masks=files.style_masks,
        )

    def is_done(self, index: int) -> bool:
        """Whether this result is there already, made with the same settings."""
        content, point = divmod(index, len(self.points))
        settings = self.settings([self.entries[content].path], self.points[point])
        return made_with(self.targets[index], settings)

    def write(self, pictures: np.ndarray, suffix: str, finished: bool) -> None:
        """Writes the batch's pictures with their settings; `suffix` goes before the file names' ending.

        Those of an unfinished run say so, lest `--resume` take them for results.
        """
        for i, (picture, path) in enumerate(zip(pictures, self.targets, strict=True)):
            content, point = divmod(i, len(self.points))
            rgb, alpha = self.pictures[content]
            settings = self.settings([self.entries[content].path], self.points[point])
            write_picture(
                path.with_name(path.stem + suffix + path.suffix),
                finish(self.config, picture, rgb),
                alpha=None if alpha is None else resize(alpha, *picture.shape[:2]),
                bits=self.files.bits,
                settings=settings if finished else settings | {"unfinished": True},
            )


def write_sheet(
    files: Files, written: Sequence[pathlib.Path], points: Sequence[dict[str, float]], contents: int
) -> pathlib.Path:
    """The sweep's contact sheet: one row a content, one column a point."""
    path = pathlib.Path(files.output) / "contact_sheet.png"
    texts = [", ".join(labels(point)) for point in points] * contents
    pictures = [read_picture(result).rgb for result in written]
    write_picture(path, contact_sheet(pictures, texts, columns=len(points) if contents > 1 else None))
    return path


def run(config: Any, workdir: str) -> None:
    """Entry of `train.py`: a recipe's stylisation, its results in `workdir`; see `run_recipe`."""
    run_recipe(config, workdir, StyleTransferConfig, stylize_files)
