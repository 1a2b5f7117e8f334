"""Films of pixel jobs: frames made one after another, each from the one before, then put together."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
from typing import Any

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features
from jaxstyle.jobs import snapshots
from jaxstyle.jobs.bad_pictures import skipped
from jaxstyle.jobs.execution import Execution, Result
from jaxstyle.jobs.files import Files, Reader, check_apart, check_trace, make_folder, read_inputs, singular, trace_file
from jaxstyle.jobs.film_files import check_fps, film_targets, kept_of, layered, open_source, rate_of
from jaxstyle.jobs.metadata import load_features, made_with, named_files, recorded
from jaxstyle.media.film_reading import Film, check_bad_frames
from jaxstyle.media.film_writing import check_film, film_writer
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.optical_flow import FlowSource, folder_flow, opencv_flow
from jaxstyle.media.paths import frame_path, is_frame_pattern
from jaxstyle.media.timing import Timing
from jaxstyle.pixels.job import Inputs, PixelJob, first_alpha
from jaxstyle.runtime.sharding import choose_devices


def run_film(job: PixelJob, files: Files, config: Any, progress: bool | None) -> list[pathlib.Path]:
    """Makes a film; arguments, errors and the list of its path are as of `run_job`."""
    check_bad_frames(files.bad_frames)
    check_fps(files.fps)
    assert job.contents is not None
    contents = list(files.sources.get(job.contents.name, ()))
    if len(contents) > 1 or files.sweep:
        raise JaxstyleError("a film is made alone: name one content, and no --sweep")
    film, target = open_target(job, files, contents)
    named = named_files(files, config)
    numbers = [int(number) for name in named for number in re.findall(r"\d+", os.path.basename(name))]
    check_apart([frame_path(target, i) for i in numbers] if is_frame_pattern(target) else [target], named)
    check_trace(files.trace)
    choose_devices(config.devices)
    reader = Reader()
    inputs = read_inputs(job, files.sources, config, reader)
    if film is None and contents:
        inputs = inputs.having(job.contents.name, [reader(contents[0], singular(job.contents))])
    run = FilmRun(job, files, config, load_features(config), film, target, progress)
    run.make(inputs)
    return [target] if is_frame_pattern(files.output) or not is_frame_pattern(target) else [target.parent]


def open_target(job: PixelJob, files: Files, contents: list[str]) -> tuple[Film | None, pathlib.Path]:
    """Opens the film that is read, None where the job begins with a picture, and finds where the result goes.

    Raises `JaxstyleError` where the film cannot be read, or the result cannot be written.
    """
    assert job.contents is not None
    if job.contents.film:
        target = film_targets(contents, files)[0]
        film = open_source(contents[0], target, files)
        film.check(files.bad_frames)
        if files.flow is not None and film.bad:
            raise JaxstyleError(
                "the flow in a folder is of all frames, and damaged ones are left out; leave --flow out, too"
            )
        for problem in film.bad:
            skipped(problem)
        return film, target
    output = pathlib.Path(files.output)
    if files.into_folder:
        return None, output / "%04d.png"
    check_film(output, files.bits)
    return None, output


@dataclasses.dataclass(frozen=True)
class FilmRun:
    """A film under way, with the settings and the features that all frames share.

    `film` is the one that is read, or None; `target` is the result: a film, or a pattern of numbered frames.
    """

    job: PixelJob
    files: Files
    config: Any
    features: Features
    film: Film | None
    target: pathlib.Path
    progress: bool | None

    def make(self, inputs: Inputs) -> None:
        """Makes every frame, of the inputs that all share, into its own file; then the film, if one is wanted."""
        numbered = is_frame_pattern(self.target)
        folder = self.target.parent if numbered else self.target.with_name(f".{self.target.name}.frames")
        settings = {"film": self.mark} | self.settings(0)
        if self.files.resume and not numbered and self.is_made():
            shutil.rmtree(folder, ignore_errors=True)  # where a kill left it
            return
        made = self.paint(inputs, self.target if numbered else folder / "%05d.png")
        if numbered:
            return
        shape = read_picture(made[0]).rgb.shape[:2]
        options = {} if self.film is None else kept_of(self.film, self.target, self.files.fps)
        with film_writer(self.target, shape, self.rate, settings=settings, **options) as add:
            for path in made:
                add(layered(read_picture(path), self.film is not None and self.film.transparent))
        shutil.rmtree(folder)

    def is_made(self) -> bool:
        """Whether the film is there, made with the same settings."""
        if not self.target.exists():
            return False
        data, mark = self.target.read_bytes(), self.mark.encode()
        return any(half in data for half in (mark[:32], mark[32:]))  # GIF cuts a comment every 255 bytes

    def paint(self, inputs: Inputs, pattern: pathlib.Path) -> list[pathlib.Path]:
        """Makes every frame that is not there yet, or all where the run is not resumed."""
        assert self.job.frames is not None
        made: list[pathlib.Path] = []
        with contextlib.ExitStack() as stack:
            pictures = None if self.film is None else stack.enter_context(contextlib.closing(self.film.pictures()))
            frames = self.job.frames(self.config, inputs, pictures, self.flow())
            frame = next(frames)
            execution: Execution | None = self.execution(frame, pattern, 0)  # before anything is written
            for folder in (self.target.parent, pattern.parent):
                make_folder(folder)
            trace = stack.enter_context(trace_file(self.files.trace, self.files.resume))
            while True:
                path = frame_path(pattern, len(made))
                if not (self.files.resume and made_with(path, self.settings(len(made)))):
                    (execution or self.execution(frame, pattern, len(made))).run(trace)
                execution = None
                made.append(path)
                try:
                    frame = frames.send(read_picture(path).rgb)
                except StopIteration:
                    return made

    def execution(self, inputs: Inputs, pattern: pathlib.Path, index: int) -> Execution:
        """One frame."""
        assert self.job.contents is not None
        settings, alpha = self.settings(index), first_alpha(inputs, self.job.contents.name)
        path, job, config = frame_path(pattern, index), self.job, self.config
        result = Result(path, settings, lambda picture: job.finish(config, picture, inputs), alpha)
        identity = {"pictures": snapshots.digest_inputs(inputs), "network": self.network}
        prepare = functools.partial(job.prepare, config, self.features, inputs)
        return Execution(prepare, [result], settings | identity, self.files, config.devices, self.progress)

    def settings(self, frame: int) -> dict[str, Any]:
        """Everything that a frame depends on; it goes into its metadata."""
        about = recorded(self.job, self.config, self.files.sources)
        if self.film is not None:
            about |= {"flow": self.files.flow and os.path.basename(self.files.flow)}
        return about | {"frame": frame}

    def flow(self) -> FlowSource | None:
        """The optical flow between frames; None where frames are by themselves."""
        if self.film is None or not self.config.temporal_weight:
            return None
        return opencv_flow() if self.files.flow is None else folder_flow(self.files.flow, self.film.count)

    @property
    def rate(self) -> Timing:
        """Frames a second of the result, or how long each frame lasts."""
        return self.files.fps or self.config.fps if self.film is None else rate_of(self.film, self.files.fps)

    @functools.cached_property
    def mark(self) -> str:
        """The mark by which a finished film is told."""
        return hashlib.sha256(json.dumps(self.settings(0), sort_keys=True).encode()).hexdigest()

    @functools.cached_property
    def network(self) -> str:
        """The digest by which a snapshot tells the feature extractor."""
        return snapshots.digest(self.features.params)
