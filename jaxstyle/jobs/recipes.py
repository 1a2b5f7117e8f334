"""Pixel jobs scripted like a training: their recipes, and what `train.py` runs."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import Any

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from jaxstyle.errors import Interrupted, JaxstyleError, did_you_mean
from jaxstyle.jobs.files import Files, make_folder
from jaxstyle.jobs.registry import JOBS
from jaxstyle.jobs.runner import run_job
from jaxstyle.pixels.job import PixelJob
from jaxstyle.runtime import atomic
from jaxstyle.runtime.buckets import in_bucket
from jaxstyle.runtime.locks import only_run_in

KEPT = ("bits", "save_every", "sweep")
"""Fields of `Files` that a recipe has, beside its pictures."""


def recipe(job: PixelJob, **pictures: tuple[str, ...]) -> ConfigDict:
    """Makes the config of a job: its settings with their defaults, pictures by the names of its reads, run options."""
    config = ConfigDict()
    for field in dataclasses.fields(job.config):
        kind, _ = job.config.declared(field.name)
        config[field.name] = placeholder(kind) if field.default is None else field.default
    config.run, config.job = "jaxstyle.jobs.recipes:run", job.name
    for kind in job.reads:
        if not kind.setting:
            config[kind.name] = pictures.get(kind.name, ())
    if job.sweepable:  # --config.sweep.content_weight="(0.01, 0.1)"
        config.sweep = ConfigDict(dict.fromkeys(job.sweepable, ()))
    config.bits, config.save_every = 8, 0
    return config


def run(config: Any, workdir: str | os.PathLike[str], jobs: dict[str, PixelJob] = JOBS) -> None:
    """Runs a recipe's job, its results, trace and config in `workdir`; entry of `train.py`.

    A second run of the same config goes on where the first stopped. Raises `JaxstyleError` for bad input.
    """
    values = {name: value for name, value in config.items() if name != "run"}
    if (name := values.pop("job")) not in jobs:
        raise JaxstyleError(f"unknown job {name!r}; {did_you_mean(name, jobs)}")
    job = jobs[name]
    sources = {kind.name: tuple(values.pop(kind.name, ())) for kind in job.reads if not kind.setting}
    kept = {name: values.pop(name) for name in KEPT if name in values}
    if "sweep" in kept:
        kept["sweep"] = {name: list(points) for name, points in kept["sweep"].items() if points}
    settings = job.config.from_mapping(values)
    if in_bucket(workdir):
        raise JaxstyleError(f"pictures are made on disk only, and {os.fspath(workdir)!r} is a bucket: name a folder")
    folder = pathlib.Path(workdir)
    make_folder(folder)
    saved = {"job": name, **sources, **kept, **dataclasses.asdict(settings)}
    files = Files(sources, str(folder), trace=str(folder / "trace.jsonl"), resume=True, **kept)
    try:
        with only_run_in(folder):
            atomic.write_text(folder / "config.json", json.dumps(saved, indent=2, default=list))
            run_job(job, files, settings)
    except Interrupted as stopped:
        print(stopped)
