"""A run's `config.json`: written with absolute paths, read by later versions, compared when the run goes on."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any, TypeVar

from etils import epath

from jaxstyle.data.config import DataConfig
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime import buckets
from jaxstyle.runtime.buckets import in_bucket
from jaxstyle.runtime.regular import read_json
from jaxstyle.runtime.settings import named
from jaxstyle.training.config import TrainingConfig, flat, override, typed

C = TypeVar("C", bound=TrainingConfig)

FREE = ("data.bad_pictures", "data.data_dir", "data.eval_split", "data.resident_megabytes")
"""Fields of `data` that can change when a run goes on: the network does not depend on them."""

PLACES = ("data.folder", "data.folder_b", "data.masks")
"""Fields of `data` that can change where the contents are the same: see `jaxstyle.training.same_data`."""

PATHS = ("folder", "folder_b", "clips", "masks", "data_dir")
"""Fields of `data` that are paths."""

NAMES = ("features", "init_from", "styles")
"""Fields that tasks may have, of one name or several: of files, or of what jaxstyle knows (`example:mosaic`)."""


def absolute(workdir: str | os.PathLike) -> epath.Path:
    """A workdir as an absolute path; `gs://…` stays as it is."""
    text = os.fspath(workdir)
    if "\0" in text:
        raise JaxstyleError(f"{text!r} is no name of a folder")
    try:
        return epath.Path(text if in_bucket(text) else os.path.abspath(os.path.expanduser(text)))
    except KeyError:
        raise JaxstyleError(f"nothing here reaches {text!r}: name a folder, or one in a bucket as gs://…") from None


def check_workdir(workdir: epath.Path, profiles: bool = False) -> None:
    """Checks that a workdir can be there.

    Args:
      workdir: Absolute.
      profiles: Whether the run writes profiles, which it can on disk only.

    Raises:
      JaxstyleError: It is a file or below one, or only for reading, or in a bucket that cannot be reached, or profiles
        cannot be written.
    """
    if in_bucket(workdir):
        if profiles:
            raise JaxstyleError(
                f"profiles are written on disk only: leave out {named('profile_steps')}, or give a --workdir there"
            )
        buckets.check("the workdir", workdir)
        return
    for place in (workdir, *workdir.parents):
        if place.exists():
            if not place.is_dir():
                raise JaxstyleError(f"there can be no workdir {os.fspath(workdir)!r}: {os.fspath(place)!r} is a file")
            if not os.access(place, os.W_OK | os.X_OK):
                raise JaxstyleError(
                    f"the workdir {os.fspath(workdir)!r} cannot be written: {os.fspath(place)!r} is only for reading; "
                    "name another, or make it writable"
                )
            break


def with_absolute_paths(config: C) -> C:
    """A config whose paths mean the same from every folder: later commands read it, wherever they are run."""
    given = {f"data.{name}": getattr(config.data, name) for name in PATHS}
    changes: dict[str, Any] = {name: absolute_data(path) for name, path in given.items() if path}
    for name in NAMES:
        one = getattr(config, name, ())
        changes |= {name: absolute_name(one) if isinstance(one, str) else tuple(map(absolute_name, one))} if one else {}
    return override(config, changes)


def absolute_data(path: str) -> str:
    """A path of `data` from every folder; one in a bucket, or named after the workdir, as it is."""
    return path if in_bucket(path) or path.startswith("{") else os.path.abspath(path)


def absolute_name(name: str) -> str:
    """A file's name from every folder; any other name as it is."""
    return os.path.abspath(name) if not in_bucket(name) and os.path.exists(name) else name


def as_json(config: TrainingConfig) -> str:
    """A config as it is kept in the workdir."""
    return json.dumps(dataclasses.asdict(config), indent=2)


def read_config(workdir: str | os.PathLike) -> dict[str, Any]:
    """The config with which a workdir's run was started, as it was saved: see `completed`.

    Raises:
      JaxstyleError: It has none, or what it has is no config.
    """
    path = absolute(workdir) / "config.json"
    try:
        config = read_json(path)
    except FileNotFoundError:
        raise JaxstyleError(f"{os.fspath(workdir)!r} holds no run: there is no config.json") from None
    except OSError as error:
        raise JaxstyleError(f"{os.fspath(path)!r} cannot be read: {error.strerror}") from error
    except ValueError:
        raise JaxstyleError(f"{os.fspath(path)!r} is no config: it is not JSON") from None
    if not isinstance(config, dict):
        raise JaxstyleError(f"{os.fspath(path)!r} is no config: it has no fields")
    return config


def completed(kind: type[C], saved: Mapping[str, Any]) -> C:
    """A saved config as this version has it: fields that are new have their defaults, others are left out.

    Raises:
      JaxstyleError: A field has a value of another type.
    """

    def known(saved: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
        both = {name: value for name, value in saved.items() if name in base}
        nested = {n: known(both[n], base[n]) for n in both if isinstance(base[n], dict) and isinstance(both[n], dict)}
        return {**both, **nested}

    return typed(kind, known(saved, dataclasses.asdict(kind())))


def moved_data(data: DataConfig, place: str | os.PathLike | None) -> DataConfig:
    """Changes where the data of a run lie.

    Args:
      data: Of the run.
      place: Folder of pictures, or of TFDS's datasets, whichever the run has; None leaves it. A folder of masks or of a
        second domain is looked for at the same place relative to the pictures first.

    Raises:
      JaxstyleError: There is no such folder.
    """
    if place is None:
        if data.folder and not os.path.exists(data.folder):
            raise JaxstyleError(f"the pictures are no longer in {data.folder!r}; name their place by {named('data')}")
        return data
    folder = os.fspath(place) if in_bucket(place) else os.path.abspath(os.path.expanduser(place))
    if not (epath.Path(folder).exists() if data.folder else epath.Path(folder).is_dir()):
        raise JaxstyleError(f"there is no folder {os.fspath(place)!r}, which {named('data')} names")
    if not data.folder:
        return dataclasses.replace(data, clips=folder) if data.clips else dataclasses.replace(data, data_dir=folder)
    moved: dict[str, Any] = {"folder": folder}
    for name in ("masks", "folder_b"):
        if given := getattr(data, name):
            beside = os.path.normpath(os.path.join(folder, os.path.relpath(given, data.folder)))
            moved[name] = beside if os.path.isdir(beside) else given
    return dataclasses.replace(data, **moved)


def is_repeated(workdir: epath.Path, config: TrainingConfig) -> bool:
    """True where a config is that with which the run in an absolute workdir has begun, or gone on, last.

    A repeated command goes on from the newest checkpoint: its `resume_step` has been gone back to already.
    """
    return (workdir / "config.json").exists() and read_config(workdir) == json.loads(as_json(config))


def check_same_run(workdir: epath.Path, config: TrainingConfig) -> None:
    """Checks that the run in a workdir, if one has begun there, can go on with a config.

    Args:
      workdir: Absolute.
      config: With absolute paths.

    Raises:
      JaxstyleError: Fields that cannot change (`TrainingConfig.FIXED`) have changed; they are listed.
    """
    if not (workdir / "config.json").exists():
        return
    # A field that is new since the run began has the default, which is how the run was begun.
    saved = with_absolute_paths(completed(type(config), read_config(workdir)))
    before, now = (flat(json.loads(as_json(one))) for one in (saved, config))
    free = (*FREE, *PLACES) if config.data.folder and saved.data.folder else FREE
    names = sorted(name for name in now if name.split(".")[0] in config.FIXED and name not in free)
    changed = [f"{name} was {before[name]!r}, is {now[name]!r}" for name in names if before[name] != now[name]]
    if changed:
        raise JaxstyleError(
            f"the run in {os.fspath(workdir)!r} cannot go on with another config: {'; '.join(changed)}. "
            "Give the old values, or another --workdir"
        )
