"""The feature extractor and the files that settings name, and the record of settings that goes into a result."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from jaxstyle._version import __version__
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features, load
from jaxstyle.jobs.files import Files
from jaxstyle.media.image_reading import read_settings
from jaxstyle.pixels.job import PixelJob, Point


def recorded(
    job: PixelJob, config: Any, sources: Mapping[str, Sequence[str]], point: Point | None = None
) -> dict[str, Any]:
    """Records everything that a result depends on, without times, places or machines.

    `sources` are the paths of the pictures that are read, by name; `point` has the settings of this result alone.
    """
    config = dataclasses.replace(config, **(point or {}))
    values = dataclasses.asdict(config)
    del values["devices"]
    for field in dataclasses.fields(config):
        if field.metadata["path"] and values[field.name]:
            values[field.name] = os.path.basename(values[field.name])
    names = {
        kind.name: [os.path.basename(path) for path in sources.get(kind.name, ())]
        for kind in job.reads
        if not kind.setting
    }
    return json.loads(json.dumps({"jaxstyle": __version__, **names, **values}))


def made_with(path: pathlib.Path, settings: Mapping[str, Any]) -> bool:
    """Whether a result is there already, made with the same settings."""
    with contextlib.suppress(JaxstyleError):  # a damaged file is made again
        return path.exists() and read_settings(path) == settings
    return False


def load_features(config: Any) -> Features:
    """The feature extractor that settings name."""
    options = {name: getattr(config, name) for name in ("pooling", "padding") if hasattr(config, name)}
    return load(config.features, **options)


def named_files(files: Files, config: Any) -> list[str]:
    """Everything that words, options and settings name as a file to read."""
    paths = [field.name for field in dataclasses.fields(config) if field.metadata["path"]]
    settings = [str(getattr(config, name)) for name in paths if getattr(config, name)]
    return [*itertools.chain(*files.sources.values()), *settings]
