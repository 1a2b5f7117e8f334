"""The runs of a session: orders in a queue, made one after another in a thread, with what the page shows of each."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import queue
import re
import threading
import time
from typing import Any

import numpy as np

from jaxstyle.errors import Diverged, Interrupted, JaxstyleError
from jaxstyle.inference.apply import StyleOptions
from jaxstyle.jobs.apply import apply_files
from jaxstyle.jobs.callbacks import iterations_before
from jaxstyle.jobs.execution import Observer
from jaxstyle.jobs.files import Files, make_folder
from jaxstyle.jobs.registry import JOBS
from jaxstyle.jobs.runner import run_job
from jaxstyle.media.contact_sheet import contact_sheet
from jaxstyle.pixels.loop import Report
from jaxstyle.studio import orders
from jaxstyle.studio.library import jpeg
from jaxstyle.studio.orders import Order

PREVIEW = 640
"""Longest side of a preview, in pixels."""
OPEN = ("queued", "running", "stopping")


@dataclasses.dataclass
class Run:
    """An order and how far it is.

    Attributes:
      id: By which the page names it.
      order: What is asked for.
      folder: Of its results.
      version: Counts all changes, those that the page has not seen among them.
      status: `queued`, `running`, `stopping`, `stopped`, `finished` or `failed`.
      message: What went wrong, in a sentence.
      progress: Where it stands: scale, steps, seconds, seconds left.
      curve: Its losses, one dict a report.
      preview: The picture so far, JPEG.
      results: The files that it has made.
      resume: Whether it goes on with what an earlier run of it left.
    """

    id: str
    order: Order
    folder: pathlib.Path
    version: int = 0
    status: str = "queued"
    message: str = ""
    progress: dict[str, Any] = dataclasses.field(default_factory=dict)
    curve: list[dict[str, float]] = dataclasses.field(default_factory=list)
    preview: bytes = b""
    results: list[pathlib.Path] = dataclasses.field(default_factory=list)
    resume: bool = False
    seen: bool = True
    began: tuple[float, float] = (0.0, 0.0)  # work done before, and the time then

    def changed(self, **values: Any) -> None:
        """Sets some attributes."""
        for name, value in values.items():
            setattr(self, name, value)
        self.version += 1

    def described(self, since: int = 0) -> dict[str, Any]:
        """The run in JSON values, its curve from one of its reports on."""
        photos = self.order.pictures.get("contents") or []
        return {
            "id": self.id,
            "tool": self.order.tool.name,
            "title": self.order.tool.title,
            "photo": photos[0].id if photos else None,
            "names": [entry.name for some in self.order.pictures.values() for entry in some],
            "status": self.status,
            "message": self.message,
            "progress": self.progress,
            "since": since,
            "curve": self.curve[since:],
            "preview": self.version if self.preview else 0,
            "results": [path.name for path in self.results],
            "settings": {name: str(value) for name, value in self.order.changed.items()},
            "command": orders.command(self.order),
        }

    def watch(self, report: Report) -> None:
        """Takes up a report of the loop: progress, losses and, where somebody is looking, a preview."""
        plan, stage = report.plan, report.plan[report.stage]
        work = [each.height * each.width * each.iterations for each in plan]
        done = sum(work[: report.stage]) + stage.height * stage.width * report.iteration
        now = time.monotonic()
        if not self.began[1]:
            self.began = (done, now)
        since, start = self.began
        left = (now - start) * (sum(work) - done) / (done - since) if done > since else None
        self.progress = {
            "scale": [stage.width, stage.height],
            "stage": [report.stage + 1, len(plan)],
            "step": iterations_before(plan, report.stage) + report.iteration,
            "steps": iterations_before(plan, len(plan)),
            "share": done / sum(work),
            "left": left,
        }
        means = {name: float(np.mean(values)) for name, values in report.terms[-1].items()}
        self.curve.append({"step": self.progress["step"], **means})
        if self.seen or not self.preview:
            self.preview = jpeg(self.shown(report.pictures()), PREVIEW)
        self.changed()

    def shown(self, pictures: np.ndarray) -> np.ndarray:
        """The pictures so far as one."""
        flat = list(pictures.reshape(-1, *pictures.shape[-3:]))
        return flat[0] if len(flat) == 1 else contact_sheet(flat, [""] * len(flat), cell=160)


class Runs:
    """All runs of a session; the thread that makes them ends with `close`.

    Args:
      folder: Where results go, a folder for each run.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.runs: dict[str, Run] = {}
        self.numbers = itertools.count(1)
        self.waiting: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self.viewers = 0
        self.thread = threading.Thread(target=self.work, name="studio", daemon=True)
        self.thread.start()

    def __getitem__(self, id: str) -> Run:
        """The run with an id; raises `JaxstyleError` where there is none."""
        if id not in self.runs:
            raise JaxstyleError("there is no such run in this session")
        return self.runs[id]

    def add(self, order: Order) -> Run:
        """Queues an order."""
        number = next(self.numbers)
        run = Run(str(number), order, self.folder / f"{number:03d}-{order.tool.name}")
        self.runs[run.id] = run
        self.waiting.put(run)
        return run

    def stop(self, run: Run) -> None:
        """Stops a run with its picture so far, or takes it out of the queue."""
        if run.status in ("queued", "running"):
            run.changed(status="stopped" if run.status == "queued" else "stopping")

    def go_on(self, run: Run) -> None:
        """Queues a run that was stopped once more, to go on where it stopped."""
        if run.status == "stopped":
            run.changed(status="queued", resume=True, began=(0.0, 0.0))
            self.waiting.put(run)

    def remove(self, run: Run) -> None:
        """Takes a run that is over from the list; its files stay until the session ends."""
        if run.status not in OPEN:
            self.runs.pop(run.id, None)

    def close(self) -> None:
        """Stops everything; waits for the thread as long as a picture so far is to be written."""
        for run in list(self.runs.values()):
            self.stop(run)
        self.waiting.put(None)
        self.thread.join(60 if any(run.preview and run.status == "stopping" for run in self.runs.values()) else 1)

    def work(self) -> None:
        """Makes what is queued, one after another."""
        while (run := self.waiting.get()) is not None:
            if run.status == "queued":
                run.changed(status="running", message="")
                self.make(run)

    def make(self, run: Run) -> None:
        """Makes one run's pictures, and tells how it ended."""
        status, message = "finished", ""
        try:
            make_folder(run.folder)
            make_at_once(run) if run.order.tool.name == "apply" else self.optimize(run)
        except Interrupted:
            status = "stopped"
        except Diverged as error:
            status, message = "failed", str(error)
        except JaxstyleError as error:
            status, message = "failed", without_folders(str(error))
        except Exception as error:  # whatever it is, the next run is made, and the page says so
            status, message = "failed", f"this went wrong: {type(error).__name__}: {error}"
        run.changed(status=status, message=message, results=sorted(run.folder.glob("[!.]*.png"), key=natural))

    def optimize(self, run: Run) -> None:
        """Runs a pixel job from files to files, as the command line does."""
        job = JOBS[run.order.tool.name]
        files = Files(run.order.sources, target(run), resume=run.resume)

        def watch(report: Report) -> None:
            run.seen = self.viewers > 0
            run.watch(report)

        run_job(
            job, files, run.order.config, progress=False, observer=Observer(watch, lambda: run.status == "stopping")
        )


def target(run: Run) -> str:
    """Where a run's result goes: a file named after its first picture, or the folder of an atlas."""
    if not run.order.tool.reads:
        return f"{run.folder}/"
    first = next((some[0].name for some in run.order.pictures.values() if some), "noise")
    return str(run.folder / f"{pathlib.Path(first).stem}-{run.order.tool.name}.png")


def make_at_once(run: Run) -> None:
    """Stylises a picture in one pass of the network that the package ships, as `jaxstyle apply` does."""
    config, sources = run.order.config, run.order.sources
    options = StyleOptions(sources["styles"], config.strength, preserve_color=config.preserve_color)
    list(apply_files(None, Files(sources, target(run)), options, progress=False))


def natural(path: pathlib.Path) -> list[Any]:
    """A key by which names sort as people count: `relu4_1-2` before `relu4_1-11`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def without_folders(sentence: str) -> str:
    """A sentence that names files of the session by their names alone."""
    return re.sub(r"(?<=['\"])/[^'\"]*/", "", sentence)
