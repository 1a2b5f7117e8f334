"""One problem of the pixel loop run with its files: progress bar, trace, kept pictures, results, a snapshot."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxstyle.errors import Diverged, Interrupted
from jaxstyle.jobs import callbacks, snapshots
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.metadata import made_with
from jaxstyle.media.image_resizing import resize
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels.loop import Callback, Outcome, Problem, Snapshot, optimize
from jaxstyle.runtime.interrupts import interruptible
from jaxstyle.runtime.sharding import choose_devices


class Result(NamedTuple):
    """A picture of a problem, and its file.

    Attributes:
      path: Of the file.
      settings: Recorded in it; an unfinished picture says so beside, lest a resumed run take it for a result.
      finish: The picture as the loop leaves it -> as it is shown, both `[H, W, 3]`.
      alpha: `[h, w]` of the photo, or None.
      found: Of the picture's parameters makes what is kept beside it in the end; None where the picture is all.
    """

    path: pathlib.Path
    settings: dict[str, Any]
    finish: Callable[[np.ndarray], np.ndarray]
    alpha: np.ndarray | None = None
    found: Callable[[Any], Any] | None = None

    def write(self, picture: np.ndarray, bits: int, suffix: str, finished: bool) -> None:
        """Writes the picture; `suffix` goes before the ending of the file's name."""
        write_picture(
            self.path.with_name(self.path.stem + suffix + self.path.suffix),
            self.finish(picture),
            alpha=None if self.alpha is None else resize(self.alpha, *picture.shape[:2]),
            bits=bits,
            settings=self.settings if finished else self.settings | {"unfinished": True},
        )


class Observer(NamedTuple):
    """One who follows a run from outside its files, such as the studio.

    Attributes:
      callback: Called with the loop's `Report`s.
      stop: Asked before every step; True ends the run as Ctrl-C does.
    """

    callback: Callback = lambda report: None
    stop: Callable[[], bool] = lambda: False


NOBODY = Observer()


@dataclasses.dataclass(frozen=True)
class Execution:
    """A problem and the files of its pictures.

    Attributes:
      prepare: Makes the problem of N pictures, or of N groups of B; not called where that is solved already.
      results: Of all pictures, group by group; the trace names each group by its first, the snapshot lies beside the
        first of all.
      identity: JSON values that tell whether a snapshot is of the same run.
      files: Of which `bits`, `save_every` and `resume` count.
      devices: How many; None takes all.
      progress: True shows the bar, False does not, None shows it on a terminal.
      observer: Who follows the run.
    """

    prepare: Callable[[], Problem]
    results: Sequence[Result]
    identity: dict[str, Any]
    files: Files
    devices: int | None = None
    progress: bool | None = None
    observer: Observer = NOBODY

    @functools.cached_property
    def problem(self) -> Problem:
        """The problem, made when it is first asked for."""
        return self.prepare()

    @property
    def snapshot_path(self) -> pathlib.Path:
        """Where an interrupted run is kept."""
        first = self.results[0].path
        return first.with_name(f".{first.name}.resume")

    def run(self, trace: Any = None) -> None:
        """Runs the problem, unless that is done already, and writes its pictures and, into an open file, its trace.

        Raises `Diverged` where a loss is no longer finite, and `Interrupted` at Ctrl-C or SIGTERM; the last good
        pictures are written, and in the latter case a snapshot.
        """
        snapshot = None
        if self.files.resume and self.snapshot_path.exists():
            snapshot = snapshots.load_snapshot(self.snapshot_path, self.problem, self.identity)
        elif self.files.resume and all(made_with(result.path, result.settings) for result in self.results):
            return
        try:
            outcome = self.optimize(snapshot, trace)
        except Diverged as error:
            self.write(error.pictures, "", finished=False)
            raise
        self.write(outcome.pictures, "", finished=outcome.unfinished is None)
        if outcome.unfinished is not None:
            self.save_snapshot(outcome.unfinished)
            raise Interrupted(f"stopped; the picture so far is in {str(self.results[0].path)!r}, --resume goes on")
        for number, result in enumerate(self.results):
            if result.found is not None:
                result.found(outcome.params(number)).write(result.path.with_suffix(".npz"))
        self.snapshot_path.unlink(missing_ok=True)

    def write(self, pictures: np.ndarray, suffix: str, finished: bool) -> None:
        """Writes all pictures `[N, H, W, 3]`, or groups of them."""
        flat = pictures.reshape(-1, *pictures.shape[-3:])
        for result, picture in zip(self.results, flat, strict=True):
            result.write(picture, self.files.bits, suffix, finished)

    def optimize(self, snapshot: Snapshot | None, trace: Any) -> Outcome:
        """The loop, with the callbacks that the files ask for."""
        stages = self.problem.stages
        done = 0 if snapshot is None else callbacks.iterations_before(stages, snapshot.stage) + snapshot.iteration
        with callbacks.Progress(stages, done, shown=self.progress) as bar, interruptible() as asked:
            return optimize(
                self.problem,
                choose_devices(self.devices),
                callbacks=[bar, *self.callbacks(snapshot, trace), self.observer.callback],
                resume=snapshot,
                stop=lambda: asked() or self.observer.stop(),
                pause_every=self.files.save_every,
            )

    def callbacks(self, snapshot: Snapshot | None, trace: Any) -> Iterator[Callback]:
        """Those that the files ask for."""
        yield callbacks.SnapshotSaver(self.save_snapshot)
        if trace is not None:
            names = [result.path.name for result in self.results[:: len(self.results) // len(self.problem.start)]]
            at = (0, 0) if snapshot is None else (self.problem.stages[snapshot.stage].scale, snapshot.iteration)
            callbacks.rewind(trace, names, at)
            yield callbacks.Trace(trace, names)
        if every := self.files.save_every:
            yield callbacks.PictureSaver(every, lambda pictures, label: self.write(pictures, f"-{label}", False))

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Writes the file that `--resume` reads."""
        snapshots.save_snapshot(self.snapshot_path, snapshot, self.identity)
