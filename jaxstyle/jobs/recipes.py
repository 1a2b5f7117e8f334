"""Pixel jobs scripted like a training: what `train.py` runs."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

from jaxstyle.errors import Interrupted
from jaxstyle.jobs.files import Files
from jaxstyle.runtime import atomic
from jaxstyle.runtime.settings import Settings


def run_recipe(config: Any, workdir: str, kind: type[Settings], job: Callable[[Files, Any], Any]) -> None:
    """Runs a recipe's job, its results, trace and config in `workdir`.

    Args:
      config: Mapping with the fields of `Files` that the job reads, and any of its settings.
      workdir: Folder to create; a second run of the same config goes on where the first stopped.
      kind: The job's settings.
      job: `(files, settings)`, the job from files to files.
    """
    values = {name: value for name, value in config.items() if name != "run"}
    folder = pathlib.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    names = {field.name for field in dataclasses.fields(Files)} - {"output", "trace", "resume"}
    chosen = {name: values.pop(name) for name in names & set(values)}
    if "sweep" in chosen:
        chosen["sweep"] = {name: list(points) for name, points in chosen["sweep"].items() if points}
    pictures: dict[str, Any] = {"contents": (), "styles": ()} | chosen
    files = Files(output=str(folder), trace=str(folder / "trace.jsonl"), resume=True, **pictures)
    settings = kind.from_mapping(values)
    saved = json.dumps({**chosen, **dataclasses.asdict(settings)}, indent=2, default=list)
    atomic.write_text(folder / "config.json", saved)
    try:
        job(files, settings)
    except Interrupted as stopped:
        print(stopped)
