"""A stylisation from files to files: what the command line and `train.py` run."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import jaxstyle
from jaxstyle import atomic, images
from jaxstyle.contact_sheet import contact_sheet
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features, load
from jaxstyle.interrupts import interruptible
from jaxstyle.pixels import memory, schedule, snapshots, watchers
from jaxstyle.pixels.config import StyleTransferConfig, from_mapping
from jaxstyle.pixels.files import (
    Files,
    check_results,
    check_trace,
    labels,
    list_contents,
    output_paths,
    read,
    read_inputs,
    sweep_points,
    trace_file,
)
from jaxstyle.pixels.inputs import Inputs
from jaxstyle.pixels.loop import Diverged, Outcome, Snapshot, Watcher, optimize
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.spread import choose_devices
from jaxstyle.pixels.stylize import Stylization, finish, prepare


class Interrupted(Exception):
    """A run was asked to stop; its pictures so far and a snapshot are saved."""


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
    check_results(written, files, config, paths)
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
            group.run(trace)
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
        limit = memory.largest_batch(features, config, stages[-1], points)
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
        self.progress = progress
        self.pictures = [read(entry.path, "content") for entry in entries]
        self.targets = [path for entry in entries for path in entry.targets]
        first = self.targets[0]
        self.snapshot_path = first.with_name(f".{first.name}.resume")
        inputs = dataclasses.replace(rest, contents=[picture.rgb for picture in self.pictures])
        self.job: Stylization = prepare(config, features, inputs, points)
        self.identity = {
            **self.settings([entry.path for entry in entries], {}),
            "sweep": {name: list(values) for name, values in files.sweep.items()},
            "pictures": snapshots.digest(dataclasses.astuple(inputs)),
            "network": snapshots.digest(features.params),
        }

    def settings(self, contents: Sequence[str], point: Mapping[str, float]) -> dict[str, Any]:
        """What the result depends on, without times, places or machines: it goes into the result's metadata."""
        values = dataclasses.asdict(self.config) | dict(point)
        del values["devices"]
        values |= {name: os.path.basename(values[name]) for name in ("features", "init")}
        names = {
            name: [os.path.basename(p) for p in getattr(self.files, name)]
            for name in ("styles", "content_masks", "style_masks")
        }
        about = {"jaxstyle": jaxstyle.__version__, "contents": [os.path.basename(path) for path in contents]}
        return json.loads(json.dumps(about | names | values))

    def run(self, trace: Any) -> None:
        """Stylises the group, unless that is done already, and writes its pictures and its lines of the trace."""
        if self.files.resume and self.snapshot_path.exists():
            resume = self.load_snapshot()
        elif self.files.resume and all(self.is_done(i) for i in range(len(self.targets))):
            return
        else:
            resume = None
        try:
            outcome = self.optimize(resume, trace)
        except Diverged as error:
            self.write(error.pictures, finished=False)
            raise
        self.write(outcome.pictures, finished=outcome.unfinished is None)
        if outcome.unfinished is not None:
            self.save_snapshot(outcome.unfinished)
            raise Interrupted(f"stopped; the picture so far is in {str(self.targets[0])!r}, --resume goes on")
        self.snapshot_path.unlink(missing_ok=True)

    def optimize(self, resume: Snapshot | None, trace: Any) -> Outcome:
        """The loop, with this group's pictures and watchers."""
        job, stages = self.job, self.job.problem.stages
        done = 0 if resume is None else watchers.iterations_before(stages, resume.stage) + resume.iteration
        with watchers.Progress(stages, done, shown=self.progress) as bar, interruptible() as stop:
            return optimize(
                job.problem,
                job.start,
                job.knobs,
                choose_devices(self.config.devices),
                watchers=[bar, *self.watchers(resume, trace)],
                resume=resume,
                stop=stop,
                pause_every=self.files.save_every,
            )

    def watchers(self, resume: Snapshot | None, trace: Any) -> Iterator[Watcher]:
        """Those that the files ask for."""
        yield watchers.SnapshotSaver(self.save_snapshot)
        if trace is not None:
            names = [path.name for path in self.targets]
            at = (0, 0) if resume is None else (self.job.problem.stages[resume.stage].scale, resume.iteration)
            watchers.rewind(trace, names, at)
            yield watchers.Trace(trace, names)
        if self.files.save_every:
            yield watchers.Keeper(self.files.save_every, self.keep)

    def load_snapshot(self) -> Snapshot:
        """Where the interrupted run stopped."""
        problem, count = self.job.problem, len(self.targets)
        return snapshots.load_snapshot(self.snapshot_path, problem.method, problem.stages, count, self.identity)

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Writes the file that `--resume` reads."""
        snapshots.save_snapshot(self.snapshot_path, snapshot, self.identity)

    def is_done(self, index: int) -> bool:
        """Whether this result is there already, made with the same settings."""
        path, (content, point) = self.targets[index], divmod(index, len(self.points))
        with contextlib.suppress(JaxstyleError):  # a damaged file is made again
            return path.exists() and images.read_settings(path) == self.settings(
                [self.entries[content].path], self.points[point]
            )
        return False

    def keep(self, pictures: np.ndarray, label: str) -> None:
        """Writes intermediate pictures."""
        self.write(pictures, f"-{label}", finished=False)

    def write(self, pictures: np.ndarray, suffix: str = "", *, finished: bool) -> None:
        """Writes the batch's pictures with their settings; `suffix` goes before the file names' ending.

        Those of an unfinished run say so, lest `--resume` take them for results.
        """
        for i, (picture, path) in enumerate(zip(pictures, self.targets, strict=True)):
            content, point = divmod(i, len(self.points))
            rgb, alpha = self.pictures[content]
            settings = self.settings([self.entries[content].path], self.points[point])
            images.write_picture(
                path.with_name(path.stem + suffix + path.suffix),
                finish(self.config, picture, rgb),
                alpha=None if alpha is None else images.resize(alpha, *picture.shape[:2]),
                bits=self.files.bits,
                settings=settings if finished else settings | {"unfinished": True},
            )


def write_sheet(
    files: Files, written: Sequence[pathlib.Path], points: Sequence[dict[str, float]], contents: int
) -> pathlib.Path:
    """The sweep's contact sheet: one row a content, one column a point."""
    path = pathlib.Path(files.output) / "contact_sheet.png"
    texts = [", ".join(labels(point)) for point in points] * contents
    pictures = [images.read_picture(result).rgb for result in written]
    images.write_picture(path, contact_sheet(pictures, texts, columns=len(points) if contents > 1 else None))
    return path


def run(config: Any, workdir: str) -> None:
    """Entry of `train.py`: a recipe's stylisation, its results in `workdir`.

    Args:
      config: Mapping with `contents`, `styles`, optionally `content_masks`, `style_masks`, `sweep`, `bits`,
        `save_every`, and any setting of `StyleTransferConfig`.
      workdir: Folder to create; a second run of the same config goes on where the first stopped.
    """
    values = {name: value for name, value in config.items() if name != "run"}
    folder = pathlib.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    names = {field.name for field in dataclasses.fields(Files)} - {"output", "trace", "resume"}
    chosen = {name: values.pop(name) for name in names & set(values)}
    chosen["sweep"] = {name: list(points) for name, points in chosen.get("sweep", {}).items() if points}
    files = Files(output=str(folder), trace=str(folder / "trace.jsonl"), resume=True, **chosen)
    settings = from_mapping(values)
    saved = json.dumps({**chosen, **dataclasses.asdict(settings)}, indent=2, default=list)
    atomic.write_text(folder / "config.json", saved)
    try:
        stylize_files(files, settings)
    except Interrupted as stopped:
        print(stopped)
