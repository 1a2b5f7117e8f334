"""A stylisation from files to files: what the command line and `train.py` run."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import jaxstyle
from jaxstyle import images
from jaxstyle.contact_sheet import contact_sheet
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.features import Features, load
from jaxstyle.images import Picture
from jaxstyle.pixels import memory, snapshots, watchers
from jaxstyle.pixels.config import INITS, SWEEPABLE, StyleTransferConfig, from_mapping
from jaxstyle.pixels.loop import Diverged, Outcome, Snapshot, Watcher, optimize
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.spread import choose_devices
from jaxstyle.pixels.stylize import Inputs, Stylization, finish, plan_stages, prepare

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
      trace: JSON-lines file of every step's losses, or None; a resumed run goes on with it.
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
    written = [path for row in targets for path in row]
    check_results(written, files, config, paths)
    check_trace(files.trace)
    contents = [read(path, "content") for path in paths]
    rest = read_inputs(files, config)
    features = load(config.features, pooling=config.pooling, padding=config.padding)
    choose_devices(config.devices)
    entries = list(zip(paths, contents, targets, strict=True))
    groups = [
        Group(files, config, features, rest, points, batch, progress)
        for batch in batches(entries, config, features, len(points))
    ]
    with trace_file(files.trace, files.resume) as trace:
        for group in groups:
            group.run(trace)
    if len(points) > 1:
        written.append(write_sheet(files, written, points, len(paths)))
    return written


def list_contents(sources: Sequence[str]) -> list[str]:
    """The photos named, folders replaced by the pictures in them, sorted by name."""
    paths = []
    for source in sources:
        if os.path.isdir(source):
            found = sorted(path for path in pathlib.Path(source).iterdir() if is_picture(path))
            if not found:
                raise JaxstyleError(f"the folder {source!r} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
            paths += [str(path) for path in found]
        else:
            paths.append(source)
    return paths


def is_picture(path: pathlib.Path) -> bool:
    """Whether a file in a folder is taken for a photo, by its name; hidden ones are not."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


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
        if len({f"{value:g}" for value in values}) < len(values):
            raise JaxstyleError(f"--sweep {name} has a value twice (to six digits); give each once")
        for value in values:
            changes: Any = {name: value}
            dataclasses.replace(config, **changes).check()
    return [dict(zip(sweep, values, strict=True)) for values in itertools.product(*sweep.values())]


def output_paths(files: Files, contents: Sequence[str], points: Sequence[dict[str, float]]) -> list[list[pathlib.Path]]:
    """Where each content's result at each point goes."""
    output = pathlib.Path(files.output)
    is_folder = os.path.isdir(output)  # unlike pathlib's it raises nothing, for instance when the name is too long
    several = len(contents) > 1 or len(points) > 1 or any(os.path.isdir(source) for source in files.contents)
    if several and not is_folder:
        raise JaxstyleError(
            f"several pictures go into a folder, and output {files.output!r} is none; name one, or make it first"
        )
    if not is_folder:
        return [[output]]
    names = distinct([pathlib.Path(path.removeprefix("example:")).stem for path in contents])
    return [[output / ("-".join([name, *labels(point)]) + ".png") for point in points] for name in names]


def distinct(stems: Sequence[str]) -> list[str]:
    """The stems, with their positions appended where several are the same."""
    names = []
    for i, stem in enumerate(stems, 1):
        name = stem if stems.count(stem) == 1 else f"{stem}-{i}"
        while name != stem and name in stems:
            name += f"-{i}"
        names.append(name)
    return names


def check_results(
    results: Sequence[pathlib.Path], files: Files, config: StyleTransferConfig, contents: Sequence[str]
) -> None:
    """Raises `JaxstyleError` for a result that cannot be written, or would overwrite what it is made from."""
    named = [*contents, *files.styles, *files.content_masks, *files.style_masks, config.init, config.features]
    sources = {os.path.realpath(name): name for name in named}
    for path in results:
        images.check_writable(path, files.bits)
        if (source := sources.get(os.path.realpath(path))) is not None:
            raise JaxstyleError(f"the result would overwrite {source!r}, which it is made from; name another output")


def labels(point: Mapping[str, float]) -> list[str]:
    """A sweep's point in words: `content_weight=10`."""
    return [f"{name}={value:g}" for name, value in point.items()]


def read(path: str, name: str) -> Picture:
    """A picture that is large enough to be stylised or to be a style."""
    if name != "content" and os.path.isdir(path):
        raise JaxstyleError(f"the {name} {path!r} is a folder; name a picture")
    picture = images.read_picture(path)
    height, width = picture.rgb.shape[:2]
    images.check_size(height, width, path)
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


def check_trace(path: str | None) -> None:
    """Raises `JaxstyleError` for a trace that cannot be written; tries it, and leaves nothing behind."""
    if path is None:
        return
    existed = os.path.exists(path)
    try:
        open(path, "a").close()
    except OSError as error:
        raise JaxstyleError(f"cannot write the trace {path!r}: {error.strerror}") from None
    if not existed:
        os.unlink(path)


@contextlib.contextmanager
def trace_file(path: str | None, resume: bool) -> Iterator[Any]:
    """The trace file opened for writing, at its end when the run is resumed, or None."""
    if path is None:
        yield None
        return
    with open(path, "a+" if resume else "w+") as file:
        yield file


Entry = tuple[str, Picture, list[pathlib.Path]]


def batches(
    entries: Sequence[Entry], config: StyleTransferConfig, features: Features, points: int
) -> list[list[Entry]]:
    """Contents of one shape together, in order of first appearance, as many at once as half the memory holds."""
    taps = config.content_layers + config.style_layers
    features.check(taps)
    least_side = features.least_side(taps)
    groups: dict[tuple[Stage, ...], list[Entry]] = {}
    for entry in entries:
        plan = plan_stages(config, least_side, [entry[1].rgb])
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
        with watchers.Progress(stages, done, shown=self.progress) as bar, watchers.interruptible() as stop:
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
        path, (content, point) = self.targets[index], self.origin(index)
        with contextlib.suppress(JaxstyleError):  # a damaged file is made again
            return path.exists() and images.read_settings(path) == self.settings([content[0]], point)
        return False

    def origin(self, index: int) -> tuple[Entry, dict[str, float]]:
        """The content and the sweep's point of a picture of the batch."""
        return self.entries[index // len(self.points)], self.points[index % len(self.points)]

    def keep(self, pictures: np.ndarray, label: str) -> None:
        """Writes intermediate pictures."""
        self.write(pictures, f"-{label}", finished=False)

    def write(self, pictures: np.ndarray, suffix: str = "", *, finished: bool) -> None:
        """Writes the batch's pictures with their settings; `suffix` goes before the file names' ending.

        Those of an unfinished run say so, lest `--resume` take them for results.
        """
        for i, (picture, path) in enumerate(zip(pictures, self.targets, strict=True)):
            (name, content, _), point = self.origin(i)
            alpha = content.alpha
            images.write_picture(
                path.with_name(path.stem + suffix + path.suffix),
                finish(self.config, picture, content.rgb),
                alpha=None if alpha is None else images.resize(alpha, *picture.shape[:2]),
                bits=self.files.bits,
                settings=self.settings([name], point) | ({} if finished else {"unfinished": True}),
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
    (folder / "config.json").write_text(json.dumps({**chosen, **dataclasses.asdict(settings)}, indent=2, default=list))
    try:
        stylize_files(files, settings)
    except Interrupted as stopped:
        print(stopped)
