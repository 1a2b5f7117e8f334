"""The one runner of pixel jobs, from files to files: check, read, resume, batches, trace, metadata, results."""

from __future__ import annotations

import functools
import itertools
import pathlib
import shutil
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.features import Features
from jaxstyle.jobs import snapshots
from jaxstyle.jobs.execution import NOBODY, Execution, Observer, Result
from jaxstyle.jobs.files import (
    Files,
    Outputs,
    Reader,
    check_outputs,
    check_trace,
    make_folder,
    plan_outputs,
    read_inputs,
    singular,
    tell_folders,
    trace_file,
)
from jaxstyle.jobs.films import run_film
from jaxstyle.jobs.metadata import load_features, made_with, named_files, recorded
from jaxstyle.media.contact_sheet import contact_sheet
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_writing import check_writable, write_picture
from jaxstyle.media.paths import list_pictures
from jaxstyle.pixels.job import Inputs, PixelJob, Point, first_alpha
from jaxstyle.runtime.sharding import choose_devices

Item = TypeVar("Item")

CELL = 256
"""Longest side of a picture on a contact sheet, in pixels."""


def run_job(
    job: PixelJob, files: Files, config: Any, *, progress: bool | None = None, observer: Observer = NOBODY
) -> list[pathlib.Path]:
    """Runs a pixel job from files to files.

    Everything that can be wrong with the input is found before the first step.

    Args:
      job: What to do.
      files: What to read and write.
      config: The job's settings.
      progress: True shows the bar, False does not, None shows it on a terminal.
      observer: Who follows the run and may stop it; of films none is asked.

    Returns:
      The results' paths.

    Raises:
      JaxstyleError: Bad input, or a loss that is no longer finite (the last good picture is then written).
      Interrupted: Ctrl-C, SIGTERM or the observer; the pictures so far are written, and `resume` goes on.
    """
    config.check()
    if job.films(config):
        return run_film(job, files, config, progress)
    check_trace(files.trace)
    choose_devices(config.devices)
    run = Run(job, files, config, progress, observer)
    if run.sheet_is_done():
        shutil.rmtree(run.outputs.folder, ignore_errors=True)  # type: ignore[arg-type]  # where a kill left it
        return [run.outputs.sheet]  # type: ignore[list-item]
    run.check()
    for folder in {path.parent for path in (*run.outputs.all(), run.outputs.sheet) if path}:
        make_folder(folder)
    with trace_file(files.trace, files.resume) as trace:
        for batch in run.batches:
            run.execution(*batch).run(trace)
    return run.finish()


class Run:
    """A job under way: what it has read, and where its results go."""

    def __init__(self, job: PixelJob, files: Files, config: Any, progress: bool | None, observer: Observer):
        """Reads everything that every picture shares, looks at all contents, and checks where results go."""
        self.job, self.files, self.config, self.progress, self.observer = job, files, config, progress, observer
        sources = files.sources.get(job.contents.name, ()) if job.contents else ()
        self.contents = list_pictures(sources)
        if files.sweep:
            sweep_points(job, files.sweep, config)
        if not files.into_folder and len(self.contents) < 2:
            check_writable(files.output, files.bits)  # before anything is read
        self.reader = Reader()
        self.inputs = read_inputs(job, files.sources, config, self.reader)
        self.features = load_features(config)
        self.points = sweep_points(job, files.sweep, config) if files.sweep else job.points(config, self.features)
        self.outputs: Outputs = plan_outputs(job, files, config, self.contents, self.points)
        check_outputs(self.outputs, files, (*self.contents, *named_files(files, config)))
        self.network = snapshots.digest(self.features.params)
        self.shapes = [self.content(path).rgb.shape[:2] for path in self.contents] or [None]
        self.batches = list(batches(job, config, self.features, self.shapes, self.points))
        tell_folders(sources)

    def content(self, path: str) -> Any:
        """A content picture."""
        assert self.job.contents is not None
        return self.reader(path, singular(self.job.contents))

    def check(self) -> None:
        """Prepares one problem of every kind, so that what cannot be is told before the first step."""
        kinds = {(len(points), *(self.shapes[i] for i in chosen)): (chosen, points) for chosen, points in self.batches}
        for chosen, points in kinds.values():
            self.job.prepare(self.config, self.features, self.inputs_of(chosen), points)

    def inputs_of(self, chosen: Sequence[int]) -> Inputs:
        """The pictures of a problem of some contents."""
        kind = self.job.contents
        if not kind:
            return self.inputs
        return self.inputs.having(kind.name, [self.content(self.contents[i]) for i in chosen if self.contents])

    def execution(self, chosen: Sequence[int], points: Sequence[Point]) -> Execution:
        """The problem of some contents at some points."""
        job, config, kind = self.job, self.config, self.job.contents
        inputs = self.inputs_of(chosen)
        prepare = functools.partial(job.prepare, config, self.features, inputs, points)
        results = [result for i in chosen for point in points for result in self.results(i, point, inputs, chosen)]
        paths = [self.contents[i] for i in chosen if self.contents]
        sources = dict(self.files.sources) | ({kind.name: paths} if kind else {})
        identity = recorded(job, config, sources)
        identity |= {"points": [dict(point) for point in points], "pictures": snapshots.digest_inputs(inputs)}
        identity["network"] = self.network
        return Execution(prepare, results, identity, self.files, config.devices, self.progress, self.observer)

    def results(self, index: int, point: Point, inputs: Inputs, chosen: Sequence[int]) -> Iterator[Result]:
        """The pictures of one content at one point."""
        job, kind, sources = self.job, self.job.contents, dict(self.files.sources)
        if kind and self.contents:
            sources[kind.name] = [self.contents[index]]
            inputs = inputs.having(kind.name, [inputs[kind.name][list(chosen).index(index)]])
        alpha = first_alpha(inputs, kind.name) if kind else None
        settings = recorded(job, self.config, sources, point)
        for path in self.outputs.paths[index][self.points.index(point)]:
            found = functools.partial(job.found, self.config) if job.found else None
            yield Result(path, settings, lambda picture: job.finish(self.config, picture, inputs), alpha, found)

    def sheet_is_done(self) -> bool:
        """Whether a sheet, which alone is wanted, is there already."""
        sheet = self.outputs.sheet
        return bool(self.files.resume and self.outputs.temporary and sheet and made_with(sheet, self.sheet_settings()))

    def sheet_settings(self) -> dict[str, Any]:
        """The settings of all pictures on the sheet."""
        sources = dict(self.files.sources) | ({self.job.contents.name: self.contents} if self.job.contents else {})
        settings = recorded(self.job, self.config, sources)
        return settings | ({"sweep": {k: list(v) for k, v in self.files.sweep.items()}} if self.files.sweep else {})

    def finish(self) -> list[pathlib.Path]:
        """Writes the sheet, where there is one, and tells the results."""
        made, sheet = self.outputs.all(), self.outputs.sheet
        if sheet is None:
            return made
        group, contents = self.job.pictures(self.config), len(self.outputs.paths)
        labels = [self.job.label(self.config, point)[1] for point in self.points for _ in range(group)] * contents
        if group > 1:
            labels = [f"{label}-{i % group + 1}" for i, label in enumerate(labels)]
        columns = group if group > 1 else len(self.points) if contents > 1 else None
        pictures = [read_picture(path).rgb for path in made]
        picture = contact_sheet(pictures, labels, columns, min(CELL, max(pictures[0].shape)))
        write_picture(sheet, picture, bits=self.files.bits, settings=self.sheet_settings())
        if self.outputs.temporary:
            shutil.rmtree(made[0].parent)
            return [sheet]
        return [*made, sheet]


def sweep_points(job: PixelJob, sweep: Mapping[str, Sequence[float]], config: Any) -> list[Point]:
    """Every combination of the values swept over.

    Raises:
      JaxstyleError: A setting that cannot be swept, or a value it cannot have.
    """
    for name, values in sweep.items():
        if name not in job.sweepable:
            raise JaxstyleError(f"cannot sweep {name!r}; {did_you_mean(name, job.sweepable)}")
        if not values:
            raise JaxstyleError(f"--sweep {name} has no values; write --sweep {name}=1,10,100")
        if len({f"{value:g}" for value in values}) < len(values):
            raise JaxstyleError(f"--sweep {name} has a value twice (to six digits); give each once")
        for value in values:
            type(config)(**{**vars(config), name: value}).check()
    return [dict(zip(sweep, values, strict=True)) for values in itertools.product(*sweep.values())]


def batches(
    job: PixelJob, config: Any, features: Features, shapes: Sequence[Any], points: Sequence[Point]
) -> Iterator[tuple[list[int], list[Point]]]:
    """Groups contents and points that are run together, as many at once as memory holds, by their numbers.

    `shapes` are those of the contents, `[None]` where there are none; contents go in order of the first of their kind.
    """
    groups: dict[Hashable, tuple[int, list[int]]] = {}
    of_shape = {shape: job.batch(config, features, shape) for shape in dict.fromkeys(shapes)}
    for i, shape in enumerate(shapes):
        key, limit = of_shape[shape]
        groups.setdefault(key, (limit, []))[1].append(i)
    for limit, members in groups.values():
        for some in evenly(points, limit):
            for chosen in evenly(members, max(1, limit // len(some))):
                yield chosen, some


def evenly(items: Sequence[Item], most: int) -> Iterator[list[Item]]:
    """The items in parts of nearly one size, none of more than `most`."""
    parts = -(-len(items) // most)
    size = -(-len(items) // parts)
    for i in range(0, len(items), size):
        yield list(items[i : i + size])
