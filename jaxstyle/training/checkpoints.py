"""A run's checkpoints: written in the background, the newest and the best kept, restored with a template."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint.checkpoint_managers import preservation_policy

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.buckets import in_bucket
from jaxstyle.runtime.regular import check_regular, read_json
from jaxstyle.runtime.settings import named
from jaxstyle.training import orbax_threads, restoring, unwritable
from jaxstyle.training.devices import barrier

orbax_threads.mend()

SHOWN = 6  # differences listed before "and more"
TEMPORARY = ".orbax-checkpoint-tmp"  # in the names of checkpoints that are being written
Begin = Callable[[Sequence[str]], Any]


@dataclasses.dataclass
class Ranking(preservation_policy.PreservationPolicy):
    """The rule that keeps the best of the checkpoints that were measured.

    Attributes:
      best: Name of the metric; "" keeps none.
      sign: 1 where more of it is better, -1 where less is.
    """

    best: str
    sign: int

    def value(self, metrics: Any) -> float:
        """Returns how good metrics are; -inf where the metric is not among them, or not finite."""
        value = (metrics or {}).get(self.best, math.nan)
        return self.sign * value if math.isfinite(value) else -math.inf

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        """Returns for each checkpoint whether it is the best one; the newest of several."""
        values = [self.value(checkpoint.metrics) for checkpoint in checkpoints]
        best = max(range(len(values)), key=lambda i: (values[i], i), default=-1)
        return [i == best and math.isfinite(values[i]) for i in range(len(values))]


class Checkpoints:
    """The checkpoints in one folder.

    Args:
      folder: Absolute; with a relative one orbax's `save` returns True and fails only later.
      keep: How many of the newest are kept.
      best: Metric by which one more is kept; "" for none.
      mode: "max" or "min", whichever is better.

    Raises:
      JaxstyleError: A mode or a number that cannot be.
    """

    def __init__(self, folder: epath.Path, keep: int = 2, best: str = "", mode: str = "max"):
        if mode not in ("max", "min"):
            raise JaxstyleError(f"{named('best_mode')} is {mode!r}; write 'max' or 'min'")
        if keep < 1:
            raise JaxstyleError(f"{named('keep')} is {keep}; it must be at least 1")
        self.folder, self.best, self.failed = folder, best, False
        self.ranking = Ranking(best, 1 if mode == "max" else -1)
        policy = preservation_policy.AnyPreservationPolicy([preservation_policy.LatestN(keep), self.ranking])
        tracked = {"best_fn": self.ranking.value} if best else {}
        options = ocp.CheckpointManagerOptions(preservation_policy=policy, **tracked)
        self.check_files()
        try:
            self.manager = ocp.CheckpointManager(folder, options=options, item_handlers=ocp.StandardCheckpointHandler())
        except Exception as error:
            if isinstance(error, OSError) and not isinstance(error, IsADirectoryError):
                raise  # the place cannot be written
            reason = unwritable.first_line(error)
            raise JaxstyleError(
                f"the checkpoints in {os.fspath(folder)!r} cannot be opened, one is torn: {reason}; move it elsewhere"
            ) from error

    def check_files(self) -> None:
        """Raises `JaxstyleError` for files without an end, such as pipes, and for torn scores, which hide the rest."""
        for folder, _, names in () if in_bucket(self.folder) else os.walk(self.folder):
            step = os.path.relpath(folder, self.folder).split(os.sep)[0]
            for name in names if step.isdecimal() else ():
                path = pathlib.Path(folder, name)
                try:
                    check_regular(path)
                    if name == "metrics" and path.is_file():  # which orbax reads of all steps before any is opened
                        read_json(path)
                except FileNotFoundError:  # of a checkpoint that its training has just removed
                    continue
                except (OSError, ValueError) as error:
                    raise JaxstyleError(
                        f"the checkpoint of step {step} in {os.fspath(self.folder)!r} cannot be read, as {str(path)!r} "
                        f"is torn: {error}; move it elsewhere"
                    ) from error

    def steps(self) -> list[int]:
        """Steps of the checkpoints, oldest first."""
        return sorted(self.manager.all_steps())

    def best_step(self) -> int | None:
        """The step of the best checkpoint by the metric; None where none was measured."""
        if not self.best or not self.steps():
            return None
        best = max(self.steps(), key=lambda step: self.ranking.value(self.manager.metrics(step)))
        return best if math.isfinite(self.ranking.value(self.manager.metrics(best))) else None

    def save(self, state: Any, metrics: dict[str, float] | None = None) -> None:
        """Begins to write a state under its `step`, unless a checkpoint of that step is there already.

        Args:
          state: Pytree with a scalar `step`; it may be donated as soon as this returns.
          metrics: Of the evaluation at this step, if there was one.

        Raises:
          JaxstyleError: `metrics` lack the one by which the best is chosen, or this checkpoint or the one before it
            cannot be written.
        """
        step = int(state.step)
        if self.best and metrics is not None and self.best not in metrics:
            raise JaxstyleError(
                f"{named('best')} is {self.best!r}, and the evaluation gave only {', '.join(sorted(metrics))}"
            )
        if step not in self.manager.all_steps():
            # As numpy: several processes have equal arrays of their own, which orbax would take for shards.
            # Copied: what device_get gives may be the CPU's buffer, into which the next step already writes.
            host = jax.tree.map(lambda leaf: np.array(leaf, copy=True), jax.device_get(state))
            with self.writing():  # metrics that were not taken are none, not forgotten ones, of which orbax warns
                self.manager.save(step, args=ocp.args.StandardSave(host), metrics=metrics or {}, force=True)

    def restore(
        self,
        template: Any,
        step: int | None = None,
        fallback: bool = False,
        way_out: str = "",
        begin: Begin | None = None,
    ) -> Any:
        """Reads a state; what its run did not have, such as the state of another optimiser, begins fresh.

        Args:
          template: State of the wanted shapes and dtypes.
          step: Of the checkpoint; None for the newest.
          fallback: Whether to take the one before, where a checkpoint cannot be read.
          way_out: The option that takes the one before; "" is the `--checkpoint STEP` of the reading commands.
          begin: Called with clauses on what begins fresh, where something does; returns the state from which that is
            taken. None takes it from the template.

        Returns:
          The template's structure with numpy arrays.

        Raises:
          JaxstyleError: There is none, or it is torn or of another network; the differences are listed.
        """
        kept = self.steps()
        steps = [s for s in kept if step is None or s == step]
        if not steps:
            which = "" if step is None else f" of step {step}"
            others = f"; there are {', '.join(map(str, kept))}" if kept else ""
            raise JaxstyleError(f"no checkpoint{which} in {os.fspath(self.folder)!r}{others}")
        problems = []
        for candidate in reversed(steps):
            try:
                return self.read(template, candidate, way_out, begin)
            except JaxstyleError as error:
                problems.append(str(error))
                if not fallback:
                    break
        raise JaxstyleError("; ".join(problems))

    def read(self, template: Any, step: int, way_out: str = "", begin: Begin | None = None) -> Any:
        """The state of one step; see `restore`."""
        where = self.title(step)
        older = [s for s in self.steps() if s < step]
        option = way_out or (f"--checkpoint {older[-1]}" if older else "")
        hint = f" ({option} takes the one before)" if older else ""
        with self.reading(where, hint):
            stored = self.stored(step)
            known, wanted = restoring.described(stored), restoring.described(template)
            differences = restoring.differences(known, wanted) if known else ["nothing in it can be read"]
        if differences:
            more = f"; and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
            raise JaxstyleError(f"{where} is of another network: {'; '.join(differences[:SHOWN])}{more}")
        with self.reading(where, hint):
            values = self.values(step, stored)
        pairs, clauses = restoring.sources(known, template)
        return restoring.filled(begin(clauses) if begin and clauses else template, values, pairs)

    def arrays(self, step: int) -> Any:
        """Reads all arrays of a checkpoint, whatever its network; a pytree as `TrainState`'s, of dicts."""
        with self.reading(self.title(step)):
            return self.values(step, self.stored(step))

    def title(self, step: int) -> str:
        """Names a checkpoint in a sentence."""
        return f"the checkpoint of step {step} in {os.fspath(self.folder)!r}"

    def stored(self, step: int) -> Any:
        """Shapes and dtypes of all that a checkpoint has."""
        metadata = self.manager.item_metadata(step)
        return getattr(metadata, "tree", metadata)

    def values(self, step: int, stored: Any) -> Any:
        """Reads the arrays of a checkpoint, of which `stored` has told the shapes."""
        arrays = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), stored)
        return self.manager.restore(step, args=ocp.args.StandardRestore(arrays))

    @contextlib.contextmanager
    def reading(self, where: str, hint: str = "") -> Iterator[None]:
        """Raises `JaxstyleError` where a checkpoint cannot be read."""
        try:
            yield
        except Exception as error:  # orbax, tensorstore and JSON each have their own
            raise JaxstyleError(f"{where} cannot be read, it is torn: {unwritable.first_line(error)}{hint}") from error

    def move_newer(self, step: int, folder: epath.Path) -> None:
        """Moves the checkpoints newer than a step to another folder; every process calls this."""
        if jax.process_index() == 0:
            for newer in (s for s in self.steps() if s > step):
                (self.folder / str(newer)).rename(folder / str(newer))
        barrier("checkpoints moved")
        self.manager.reload()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Raises `JaxstyleError` where a checkpoint cannot be written."""
        try:
            yield
        except Exception as error:  # OSError, or of tensorstore
            self.failed = True
            raise JaxstyleError(unwritable.sentence(f"a checkpoint in {os.fspath(self.folder)!r}", error)) from error

    def wait(self) -> None:
        """Waits until all checkpoints are written.

        Raises:
          JaxstyleError: One cannot be written.
        """
        with self.writing():
            self.manager.wait_until_finished()

    def close(self) -> None:
        """Waits likewise, ends, and leaves nothing of a checkpoint that could not be written."""
        try:
            if not self.failed:
                self.wait()
        finally:
            with contextlib.suppress(Exception) if self.failed else contextlib.nullcontext():  # it was told
                self.manager.close()
            for rest in self.folder.glob(f"*{TEMPORARY}*") if self.failed else ():
                rest.rmtree()


def remove_unfinished(folder: epath.Path) -> None:
    """Removes from a folder on disk what a killed run has begun to write; orbax warns of it. No other run may write."""
    for path in () if in_bucket(folder) else folder.glob("*.orbax-checkpoint-tmp*"):
        path.rmtree()
