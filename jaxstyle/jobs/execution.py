"""One batch of a job run with its files: progress bar, trace, kept pictures, results, a snapshot to resume from."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from jaxstyle.errors import Diverged, Interrupted
from jaxstyle.jobs import callbacks, snapshots
from jaxstyle.pixels.loop import Outcome, Problem, Snapshot, Watcher, optimize
from jaxstyle.pixels.method import Knobs
from jaxstyle.runtime.interrupts import interruptible


@dataclasses.dataclass(frozen=True)
class Execution:
    """A problem of the loop, and the files of its pictures.

    Attributes:
      problem: What to optimise.
      start: `[N, H, W, 3]` in [0, 1], the pictures to start from (or groups, `[N, B, H, W, 3]`).
      knobs: Each leaf `[N]`.
      devices: To spread the pictures over.
      targets: Paths of the N results; the trace names the pictures by them, the snapshot lies beside the first.
      identity: JSON values that tell whether a snapshot is of the same run.
      write: `(pictures [N, H, W, 3], suffix, finished)` writes the results; `suffix` goes before the names' endings.
      done: Whether the results are there already, made with the same settings.
      save_every: Steps between kept pictures; 0 keeps none.
      resume: Whether to go on from the snapshot where there is one.
      progress: True shows the bar, False does not, None shows it on a terminal.
    """

    problem: Problem
    start: np.ndarray
    knobs: Knobs
    devices: Sequence[jax.Device]
    targets: Sequence[pathlib.Path]
    identity: dict[str, Any]
    write: Callable[[np.ndarray, str, bool], None]
    done: Callable[[], bool]
    save_every: int = 0
    resume: bool = False
    progress: bool | None = None

    @property
    def snapshot_path(self) -> pathlib.Path:
        """Where an interrupted run is kept."""
        first = self.targets[0]
        return first.with_name(f".{first.name}.resume")

    def run(self, trace: Any = None) -> None:
        """Runs the batch, unless that is done already, and writes its pictures and its lines of the trace.

        Args:
          trace: A text file open for reading and writing, or None.

        Raises:
          Diverged: A loss is no longer finite; the last good pictures are written.
          Interrupted: Ctrl-C or SIGTERM; the pictures so far and a snapshot are written.
        """
        if self.resume and self.snapshot_path.exists():
            snapshot = self.load_snapshot()
        elif self.resume and self.done():
            return
        else:
            snapshot = None
        try:
            outcome = self.optimize(snapshot, trace)
        except Diverged as error:
            self.write(error.pictures, "", False)
            raise
        self.write(outcome.pictures, "", outcome.unfinished is None)
        if outcome.unfinished is not None:
            self.save_snapshot(outcome.unfinished)
            raise Interrupted(f"stopped; the picture so far is in {str(self.targets[0])!r}, --resume goes on")
        self.snapshot_path.unlink(missing_ok=True)

    def optimize(self, snapshot: Snapshot | None, trace: Any) -> Outcome:
        """The loop, with this batch's pictures and watchers."""
        stages = self.problem.stages
        done = 0 if snapshot is None else callbacks.iterations_before(stages, snapshot.stage) + snapshot.iteration
        with callbacks.Progress(stages, done, shown=self.progress) as bar, interruptible() as stop:
            return optimize(
                self.problem,
                self.start,
                self.knobs,
                self.devices,
                watchers=[bar, *self.watchers(snapshot, trace)],
                resume=snapshot,
                stop=stop,
                pause_every=self.save_every,
            )

    def watchers(self, snapshot: Snapshot | None, trace: Any) -> Iterator[Watcher]:
        """Those that the files ask for."""
        yield callbacks.SnapshotSaver(self.save_snapshot)
        if trace is not None:
            names = [path.name for path in self.targets]
            at = (0, 0) if snapshot is None else (self.problem.stages[snapshot.stage].scale, snapshot.iteration)
            callbacks.rewind(trace, names, at)
            yield callbacks.Trace(trace, names)
        if self.save_every:
            yield callbacks.Keeper(self.save_every, lambda pictures, label: self.write(pictures, f"-{label}", False))

    def load_snapshot(self) -> Snapshot:
        """Where the interrupted run stopped."""
        count, *group = self.start.shape[:-3]
        problem = self.problem
        return snapshots.load_snapshot(
            self.snapshot_path, problem.method, problem.stages, count, self.identity, tuple(group)
        )

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Writes the file that `--resume` reads."""
        snapshots.save_snapshot(self.snapshot_path, snapshot, self.identity)
