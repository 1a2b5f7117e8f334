"""A stylisation from files to files: what the command line and `train.py` run."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import jaxstyle
from jaxstyle import images
from jaxstyle.contact_sheet import contact_sheet
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.features import Features, load
from jaxstyle.images import Picture
from jaxstyle.interrupts import interruptible
from jaxstyle.pixels import memory, schedule, snapshots, watchers
from jaxstyle.pixels.config import INITS, SWEEPABLE, StyleTransferConfig, from_mapping
from jaxstyle.pixels.loop import Diverged, Outcome, Watcher, optimize
from jaxstyle.pixels.spread import choose_devices
from jaxstyle.pixels.stylize import Inputs, Stylization, finish, prepare

PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"}


@dataclasses.dataclass(frozen=True)
class Files:
    """What a job reads and writes, beside its settings.

    Attributes:
      contents: Photos, or folders of photos.
      styles: Paintings.
      output: The result's path; a folder when there are several results.
      content_masks: One a style, or none.
      style_masks: One a style, or none.
      sweep: Setting -> values; every combination is made.
      bits: 8, or 16 for PNG and TIFF.
      save_every: Steps between intermediate pictures; 0 keeps none.
      trace: JSON-lines file of every step's losses, or None.
      resume: Whether to go on where an interrupted run of the same job stopped.
    """

    contents: Sequence[str]
    styles: Sequence[str]
    output: str
    content_masks: Sequence[str] = ()
    style_masks: Sequence[str] = ()
    sweep: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    bits: int = 8
    save_every: int = 0
    trace: str | None = None
    resume: bool = False


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
    with trace_file(files.trace) as trace:
        contents = [read(path, "content") for path in paths]
        rest = read_inputs(files, config)
        features = load(config.features, pooling=config.pooling, padding=config.padding)
        choose_devices(config.devices)
        entries = list(zip(paths, contents, targets, strict=True))
        groups = [
            Group(files, config, features, rest, points, batch, progress, trace)
            for batch in batches(entries, config, features, len(points))
        ]
        for group in groups:
            group.run()
    written = [path for row in targets for path in row]
    if len(points) > 1:
        written.append(write_sheet(files, written, points, len(paths)))
    return written


def list_contents(sources: Sequence[str]) -> list[str]:
    """The photos named, folders replaced by the pictures in them, sorted by name."""
    paths = []
    for source in sources:
        if os.path.isdir(source):
            found = sorted(p for p in pathlib.Path(source).iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
            if not found:
                raise JaxstyleError(f"the folder {source!r} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
            paths += [str(path) for path in found]
        else:
            paths.append(source)
    return paths


def sweep_points(sweep: Mapping[str, Sequence[float]], config: StyleTransferConfig) -> list[dict[str, float]]:
    """Every combination of the values swept over; one empty point when there are none.

    Raises:
      JaxstyleError: A setting that cannot be swept, or a value it cannot have.
    """
    for name, values in sweep.items():
        if name not in SWEEPABLE:
            raise JaxstyleError(f"cannot sweep {name!r}; {did_you_mean(name, SWEEPABLE)}")
        if not values:
            raise JaxstyleError(f"--sweep {name} has no values; write --sweep {name}=1,10,100")
        for value in values:
            changes: Any = {name: value}
            dataclasses.replace(config, **changes).check()
    return [dict(zip(sweep, values, strict=True)) for values in itertools.product(*sweep.values())]


def output_paths(files: Files, contents: Sequence[str], points: Sequence[dict[str, float]]) -> list[list[pathlib.Path]]:
    """Where each content's result at each point goes, checked to be writable."""
    output = pathlib.Path(files.output)
    is_folder = output.is_dir()
    several = len(contents) > 1 or len(points) > 1 or any(os.path.isdir(source) for source in files.contents)
    if several and not is_folder:
        made = "several pictures are" if not output.suffix else "several pictures cannot go into one file:"
        raise JaxstyleError(f"{made} written into a folder, and there is none named {files.output!r}; create it first")
    if not is_folder:
        images.check_writable(output, files.bits)
        return [[output]]
    stems = [pathlib.Path(path.removeprefix("example:")).stem for path in contents]
    names = [stem if stems.count(stem) == 1 else f"{stem}-{i}" for i, stem in enumerate(stems, 1)]
    targets = [[output / ("-".join([name, *labels(point)]) + ".png") for point in points] for name in names]
    images.check_writable(targets[0][0], files.bits)
    return targets


def labels(point: Mapping[str, float]) -> list[str]:
    """A sweep's point in words: `content_weight=10`."""
    return [f"{name}={value:g}" for name, value in point.items()]


def read(path: str, name: str) -> Picture:
    """A picture that is large enough to be stylised or to be a style."""
    if name != "content" and os.path.isdir(path):
        raise JaxstyleError(f"the {name} {path!r} is a folder; name a picture")
    picture = images.read_picture(path)
    height, width = picture.rgb.shape[:2]
    images.check_size(height, width, f"{name} {path!r}")
    return picture


def read_inputs(files: Files, config: StyleTransferConfig) -> Inputs:
    """Styles, masks and the starting picture; the contents are filled in group by group."""
    start = None if config.init in INITS else read(config.init, "init").rgb
    return Inputs(
        contents=(),
        styles=[read(path, "style").rgb for path in files.styles],
        content_masks=[images.read_mask(path) for path in files.content_masks],
        style_masks=[images.read_mask(path) for path in files.style_masks],
        start=start,
    )


@contextlib.contextmanager
def trace_file(path: str | None) -> Iterator[Any]:
    """The trace file opened for writing, or None."""
    if path is None:
        yield None
        return
    try:
        file = open(path, "w")  # noqa: SIM115
    except OSError as error:
        raise JaxstyleError(f"cannot write the trace {path!r}: {error.strerror}") from None
    with file:
        yield file


Entry = tuple[str, Picture, list[pathlib.Path]]


def batches(
    entries: Sequence[Entry], config: StyleTransferConfig, features: Features, points: int
) -> list[list[Entry]]:
    """Contents of one shape together, in order of first appearance, as many at once as half the memory holds."""
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        height, width = entry[1].rgb.shape[:2]
        sizes = tuple(images.fit_size(height, width, scale) for scale in schedule.scales(16, config.size))
        groups.setdefault(sizes, []).append(entry)
    found = []
    for sizes, group in groups.items():
        stage = schedule.Stage(config.size, *sizes[-1], 0)
        limit = memory.largest_batch(features, config, stage, points)
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
        trace: Any,
    ):
        self.files, self.config, self.points, self.entries = files, config, points, entries
        self.progress, self.trace = progress, trace
        self.targets = [path for _, _, row in entries for path in row]
        first = self.targets[0]
        self.snapshot_path = first.with_name(f".{first.name}.resume")
        inputs = dataclasses.replace(rest, contents=[picture.rgb for _, picture, _ in entries])
        self.job: Stylization = prepare(config, features, inputs, points)
        self.identity = {
            **self.settings([path for path, _, _ in entries], {}),
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

    def run(self) -> None:
        """Stylises the group and writes its pictures."""
        resume = None
        problem = self.job.problem
        if self.files.resume and self.snapshot_path.exists():
            count = len(self.targets)
            resume = snapshots.load_snapshot(self.snapshot_path, problem.method, problem.stages, count, self.identity)
        elif self.files.resume and all(self.is_done(i) for i in range(len(self.targets))):
            return
        done = 0 if resume is None else watchers.iterations_before(problem.stages, resume.stage) + resume.iteration
        bar = watchers.Progress(problem.stages, done, shown=self.progress)
        try:
            with interruptible() as stop:
                outcome = self.optimize([bar, *self.watchers()], resume, stop)
        except Diverged as error:
            self.write(error.pictures)
            raise
        finally:
            bar.close()
        self.write(outcome.pictures)
        if outcome.unfinished is not None:
            self.save_snapshot(outcome.unfinished)
            raise Interrupted(f"stopped; the picture so far is in {str(self.targets[0])!r}, --resume goes on")
        self.snapshot_path.unlink(missing_ok=True)

    def optimize(self, watching: Sequence[Watcher], resume: Any, stop: Callable[[], bool]) -> Outcome:
        """The loop, with this group's pictures."""
        job, devices = self.job, choose_devices(self.config.devices)
        return optimize(job.problem, job.start, job.knobs, devices, watchers=watching, resume=resume, stop=stop)

    def watchers(self) -> Iterator[Watcher]:
        """Those that the files ask for."""
        yield watchers.SnapshotSaver(self.save_snapshot)
        if self.trace is not None:
            yield watchers.Trace(self.trace)
        if self.files.save_every:
            yield watchers.Keeper(self.files.save_every, lambda pictures, label: self.write(pictures, f"-{label}"))

    def save_snapshot(self, snapshot: Any) -> None:
        """Writes the file that `--resume` reads."""
        snapshots.save_snapshot(self.snapshot_path, snapshot, self.identity)

    def is_done(self, index: int) -> bool:
        """Whether this result is there already, made with the same settings."""
        path, (content, point) = self.targets[index], self.origin(index)
        return path.exists() and images.read_settings(path) == self.settings([content[0]], point)

    def origin(self, index: int) -> tuple[Entry, dict[str, float]]:
        """The content and the sweep's point of a picture of the batch."""
        return self.entries[index // len(self.points)], self.points[index % len(self.points)]

    def write(self, pictures: np.ndarray, suffix: str = "") -> None:
        """Writes the batch's pictures with their settings; `suffix` goes before the file names' ending."""
        for i, (picture, path) in enumerate(zip(pictures, self.targets, strict=True)):
            (name, content, _), point = self.origin(i)
            alpha = content.alpha
            images.write_picture(
                path.with_name(path.stem + suffix + path.suffix),
                finish(self.config, picture, content.rgb),
                alpha=None if alpha is None else images.resize(alpha, *picture.shape[:2]),
                bits=self.files.bits,
                settings=self.settings([name], point),
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
    chosen["sweep"] = {name: list(points) for name, points in dict(chosen.get("sweep", {})).items()}
    files = Files(output=str(folder), trace=str(folder / "trace.jsonl"), resume=True, **chosen)
    settings = from_mapping(values)
    (folder / "config.json").write_text(json.dumps({**chosen, **dataclasses.asdict(settings)}, indent=2, default=list))
    try:
        stylize_files(files, settings)
    except Interrupted as stopped:
        print(stopped)
