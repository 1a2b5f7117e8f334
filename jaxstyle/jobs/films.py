"""A film stylised by optimisation, from file to file."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
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
from jaxstyle.jobs.files import Files, check_apart, check_trace, made_with, read_inputs, recorded, trace_file
from jaxstyle.jobs.film_paths import check_fps, film_targets, open_source, rate_of, skipped, sound_of
from jaxstyle.media.film_reading import Film, check_bad_frames
from jaxstyle.media.film_writing import film_writer
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_writing import write_picture
from jaxstyle.media.optical_flow import FlowSource, folder_flow, opencv_flow, resize_motion
from jaxstyle.media.paths import frame_path, is_frame_pattern
from jaxstyle.ops.warping import warp_to_next
from jaxstyle.pixels.film import Expected, FilmConfig, prepare
from jaxstyle.pixels.inputs import Inputs
from jaxstyle.pixels.stylize import finish
from jaxstyle.runtime.sharding import choose_devices


@dataclasses.dataclass(frozen=True)
class FilmFiles:
    """What a film's job reads and writes beside `Files`.

    Attributes:
      flow: A folder of optical flow (`optical_flow.folder_flow`); None lets OpenCV estimate it.
      fps: Frames a second of the result; None takes the film's own.
      bad_frames: `"stop"` refuses to start where a frame cannot be read, `"skip"` goes on without.
    """

    flow: str | None = None
    fps: float | None = None
    bad_frames: str = "stop"


def stylize_film(
    files: Files, more: FilmFiles, config: FilmConfig, *, progress: bool | None = None
) -> list[pathlib.Path]:
    """Stylises a film.

    Everything that can be wrong with the input is found before the first step.

    Args:
      files: Of which `contents` is the one film.
      more: What else is read, and how the film is written.
      config: The settings.
      progress: True shows the bars, False does not, None shows them on a terminal.

    Returns:
      The result's path, in a list.

    Raises:
      JaxstyleError: Bad input, or a loss that is no longer finite.
      Interrupted: Ctrl-C or SIGTERM; the frames so far are kept for `resume`.
    """
    config.check()
    check_bad_frames(more.bad_frames)
    check_fps(more.fps)
    if len(files.contents) > 1 or files.sweep:
        raise JaxstyleError("a film is stylised alone: name one film, and no --sweep")
    target = film_targets(files.contents, files.output)[0]
    film = open_source(files.contents[0], target, files.bits)
    film.check(more.bad_frames)
    check_apart([target], (*files.styles, *files.content_masks, *files.style_masks, config.init, config.features))
    check_trace(files.trace)
    choose_devices(config.devices)
    painter = Painter.read(files, more, config, film, progress)
    for problem in film.bad:
        skipped(problem)
    with trace_file(files.trace, files.resume) as trace:
        painter.run(target, trace)
    return [target]


@dataclasses.dataclass(frozen=True)
class Painter:
    """All that the frames of a job have in common."""

    files: Files
    more: FilmFiles
    config: FilmConfig
    film: Film
    inputs: Inputs
    features: Features
    flow: FlowSource | None
    progress: bool | None

    @classmethod
    def read(cls, files: Files, more: FilmFiles, config: FilmConfig, film: Film, progress: bool | None) -> Painter:
        """Reads paintings, masks and network, and finds out where flow comes from."""
        inputs = dataclasses.replace(
            read_inputs(files, config), contents=[np.broadcast_to(np.float32(0), (*film.shape, 3))]
        )
        inputs.check()
        features = load(config.features, pooling=config.pooling, padding=config.padding)
        if more.flow is not None and film.bad:
            raise JaxstyleError(
                "the flow in a folder is of all frames, and damaged ones are left out; leave --flow out, too"
            )
        flow = None
        if config.temporal_weight:
            flow = opencv_flow() if more.flow is None else folder_flow(more.flow, film.count)
        return cls(files, more, config, film, inputs, features, flow, progress)

    def run(self, target: pathlib.Path, trace: Any) -> None:
        """The frames one after another; then the film, unless they are what is wanted."""
        apart = is_frame_pattern(target)
        folder = target.parent if apart else target.with_name(f".{target.name}.frames")
        mark = hashlib.sha256(json.dumps(self.settings(0), sort_keys=True).encode()).hexdigest()
        if self.files.resume and not apart and target.exists() and mark.encode() in target.read_bytes():
            return
        made = self.paint(target if apart else folder / "%05d.png", trace)
        if apart:
            return
        sound, rate = sound_of(self.film, target, self.more.fps), rate_of(self.film, self.more.fps)
        shape = read_picture(made[0]).rgb.shape[:2]
        with film_writer(target, shape, rate, settings={"film": mark} | self.settings(0), sound=sound) as add:
            for path in made:
                add(read_picture(path).rgb)
        shutil.rmtree(folder)

    def paint(self, pattern: pathlib.Path, trace: Any) -> list[pathlib.Path]:
        """Stylises every frame into a file of its own, unless it is there already and the run is resumed."""
        before: np.ndarray | None = None
        made: list[pathlib.Path] = []
        with contextlib.closing(self.film.frames()) as frames:
            for index, frame in enumerate(frames):
                path = frame_path(pattern, index)
                if not (self.files.resume and made_with(path, self.settings(index))):
                    execution = self.execution(path, frame, self.expect(index, before, frame, made), index)
                    pattern.parent.mkdir(exist_ok=True)
                    execution.run(trace)
                before = frame
                made.append(path)
        return made

    def expect(
        self, index: int, before: np.ndarray | None, frame: np.ndarray, made: list[pathlib.Path]
    ) -> Expected | None:
        """What the frame before tells of a frame, at the size of the result; None of the first, or one by itself."""
        if before is None or self.flow is None:
            return None
        # As it is on disk, to the bits of the file: a resumed film goes on from the same numbers.
        painted = read_picture(made[-1]).rgb
        motion = resize_motion(self.flow(index, before, frame), *painted.shape[:2])
        return Expected(*warp_to_next(painted, *motion))

    def settings(self, frame: int) -> dict[str, Any]:
        """What a frame depends on, without times, places or machines: it goes into its metadata."""
        files, init = self.files, os.path.basename(self.config.init)
        about = recorded(
            dataclasses.replace(self.config, init=init),
            contents=files.contents,
            styles=files.styles,
            content_masks=files.content_masks,
            style_masks=files.style_masks,
        )
        return about | {"flow": self.more.flow and os.path.basename(self.more.flow), "frame": frame}

    def execution(self, path: pathlib.Path, frame: np.ndarray, expected: Expected | None, index: int) -> Execution:
        """One frame."""
        inputs = dataclasses.replace(self.inputs, contents=[frame])
        settings = self.settings(index)
        given = snapshots.digest([*dataclasses.astuple(inputs), expected])

        def write(pictures: np.ndarray, suffix: str, finished: bool) -> None:
            write_picture(
                path.with_name(path.stem + suffix + path.suffix),
                finish(self.config, pictures[0], frame),
                bits=self.files.bits,
                settings=settings if finished else settings | {"unfinished": True},
            )

        return Execution(
            *prepare(self.config, self.features, inputs, expected),
            choose_devices(self.config.devices),
            [path],
            settings | {"pictures": given, "network": self.network},
            write,
            functools.partial(made_with, path, settings),
            self.files.save_every,
            self.files.resume,
            self.progress,
        )

    @functools.cached_property
    def network(self) -> str:
        """By which a snapshot tells the network."""
        return snapshots.digest(self.features.params)
