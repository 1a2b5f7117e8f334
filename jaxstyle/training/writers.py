"""Writers of a run's numbers, pictures and films: JSON lines, TensorBoard, PNG and GIF files, the progress bar.

Process 0 writes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils
from tqdm import tqdm

from jaxstyle.media.film_writing import write_frames
from jaxstyle.media.image_writing import write_picture
from jaxstyle.runtime import atomic, buckets
from jaxstyle.training.event_file import EventFile
from jaxstyle.training.loggers import Guarded

METRICS = "metrics.jsonl"
FPS = 8  # of films


class Writers:
    """Writes what a run reports while it goes on; on processes other than 0 it does nothing.

    Args:
      workdir: Absolute; may be `gs://…`.
      step: From which the run goes on; rows of later steps, of a run that was killed, are dropped.
      steps: Of the whole run, for the bar.
      progress: "on", "off" or "auto", on a terminal only.
      logger: What gets numbers and pictures, too.
    """

    def __init__(
        self, workdir: epath.Path, step: int, steps: int, progress: str = "auto", logger: Guarded | None = None
    ):
        self.workdir, self.logger = workdir, logger
        self.active = jax.process_index() == 0
        self.board: Any = None
        self.lines: list[str] = []
        disable = {"on": False, "off": True, "auto": None}[progress] if self.active else True
        self.bar = tqdm(total=steps, initial=step, unit="step", disable=disable, dynamic_ncols=True)
        if self.active:
            kept = [row for row in read_metrics(workdir) if row["step"] <= step]
            self.lines = [json.dumps(row) + "\n" for row in kept]
            atomic.write_text(workdir / METRICS, "".join(self.lines))
            self.board = EventFile(str(workdir / "tensorboard"), step)

    def scalars(self, step: int, kind: str, values: Mapping[str, Any]) -> None:
        """Writes one row of numbers.

        Args:
          step: At which they were taken.
          kind: "train" or "eval"; TensorBoard's group.
          values: Name -> number, or list of numbers (to the JSON lines only). What is not finite is written null.
        """
        if not self.active:
            return
        row = {"step": step, "kind": kind, **{name: plain(value) for name, value in values.items()}}
        self.write(json.dumps(row) + "\n")
        numbers = {f"{kind}/{name}": value for name, value in row.items() if isinstance(value, float)}
        for name, value in numbers.items():
            self.board.scalar(name, value, step)
        if self.logger:
            self.logger.tell("scalars", step, numbers)

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Returns the rows of a kind that are written, oldest first; none on processes other than 0."""
        return [row for row in map(json.loads, self.lines) if row["kind"] == kind]

    def has(self, step: int, kind: str) -> bool:
        """True where a row of this kind and step is written; on every process the answer of process 0."""
        return agreed(any(row["step"] == step for row in self.rows(kind)))

    def write(self, line: str) -> None:
        """Adds a line to the metrics: to what is there, or, as nothing can be added to a bucket's objects, anew."""
        self.lines.append(line)
        if not buckets.in_bucket(self.workdir):
            with (self.workdir / METRICS).open("a") as file:
                file.write(line)
        else:
            atomic.write_text(self.workdir / METRICS, "".join(self.lines))

    def pictures(self, step: int, pictures: Mapping[str, Any]) -> None:
        """Writes grids of pictures `[N, H, W, C]` in [0, 1], as PNG and in TensorBoard."""
        if not (self.active and pictures):
            return
        folder = self.workdir / "pictures"
        folder.mkdir(exist_ok=True)
        for name, batch in pictures.items():
            sheet = grid(np.asarray(batch, np.float32))
            with buckets.on_disk(folder / f"{name}-{step:07d}.png") as path:
                write_picture(path, sheet)
            self.board.image(name, sheet, step)
            if self.logger:
                self.logger.tell("picture", step, name, sheet)

    def films(self, step: int, films: Mapping[str, Any]) -> None:
        """Writes grids of films `[N, T, H, W, C]` in [0, 1], as GIF."""
        if not (self.active and films):
            return
        folder = self.workdir / "films"
        folder.mkdir(exist_ok=True)
        for name, batch in films.items():
            frames = np.asarray(batch, np.float32).swapaxes(0, 1)
            with buckets.on_disk(folder / f"{name}-{step:07d}.gif") as path:
                write_frames(path, np.stack([grid(frame) for frame in frames]), FPS)

    def progress(self, step: int, loss: float | None = None) -> None:
        """Moves the bar."""
        self.bar.update(step - self.bar.n)
        if loss is not None:
            self.bar.set_postfix(loss=f"{loss:.4g}", refresh=False)

    def close(self) -> None:
        """Leaves everything written."""
        self.bar.close()
        if self.board:
            self.board.close()
        if self.logger:
            self.logger.tell("close")


def agreed(answer: bool) -> bool:
    """On every process the answer of process 0."""
    return answer if jax.process_count() == 1 else bool(multihost_utils.broadcast_one_to_all(np.array(answer)))


def plain(value: Any) -> Any:
    """A number as JSON has it: a float, None where it is not finite, lists of such."""
    array = np.asarray(value, np.float64)
    if array.ndim:
        return [plain(element) for element in array]
    return float(array) if math.isfinite(array) else None


def read_metrics(workdir: epath.Path) -> list[dict[str, Any]]:
    """The rows written so far; a last line that a killed process left unfinished is dropped."""
    path = workdir / METRICS
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def grid(pictures: np.ndarray, gap: int = 2, columns: int = 0) -> np.ndarray:
    """Pictures `[N, H, W, 1 or 3]` side by side, `[H', W', 3]`, white between them; 0 columns make about a square."""
    count, height, width, _ = pictures.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.ones((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), np.float32)
    for i, picture in enumerate(np.clip(pictures, 0, 1)):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet
