"""The data of a run compared with the fingerprints in its workdir, when it goes on and when it is scored."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
from collections.abc import Mapping

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils

from jaxstyle.data.fingerprints import Fingerprint, differences
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime import onednn
from jaxstyle.runtime.settings import named
from jaxstyle.training import config_file, run_info
from jaxstyle.training.config import TrainingConfig
from jaxstyle.training.run_info import RunInfo

LISTED = 8  # differences in a sentence


def check_going_on(workdir: epath.Path, config: TrainingConfig, info: RunInfo) -> None:
    """Compares the data of a training with those that the run in its workdir, if there is one, has begun with.

    Raises:
      JaxstyleError: See `check`; or the data lie elsewhere, and nothing is known of those of the run.
    """
    if not (workdir / "config.json").exists():
        return
    places = config_file.read_config(workdir).get("data", {})
    fields = [name.removeprefix("data.") for name in config_file.PLACES]
    moved = [name for name in fields if getattr(config.data, name) != places.get(name, "")]
    try:
        before = run_info.read(workdir)
    except JaxstyleError:  # a damaged file, which is written anew
        before = dataclasses.replace(info, data={})
    if moved and config.data.split not in before.data:
        raise JaxstyleError(
            f"{named(f'data.{moved[0]}')} was {places.get(moved[0], '')!r}, and no fingerprint in "
            f"{os.fspath(workdir)!r} tells whether the pictures are the same; give it again, or another workdir"
        )
    check(workdir, before, info.data, bool(moved))
    if before.by_onednn != info.by_onednn and jax.process_index() == 0:
        last, now = (f"{onednn.VARIABLE}={used:d}" for used in (before.by_onednn, info.by_onednn))
        text = f"the run in {os.fspath(workdir)!r} computed with {last}, and goes on with {now}, which rounds otherwise"
        print(f"jaxstyle: {text}", file=sys.stderr)


def check_processes(data: Mapping[str, Fingerprint]) -> None:
    """Raises `JaxstyleError` in all processes where one has other pictures, such as a damaged copy of a folder.

    Args:
      data: Fingerprints of the splits in this process, by name.
    """
    for split, found in data.items() if jax.process_count() > 1 else ():
        digest = hashlib.sha256(repr(found).encode(errors="surrogatepass")).digest()
        rows = multihost_utils.process_allgather(np.array([found.count, *digest], np.int32))
        other = int(np.argmax(np.any(rows != rows[0], axis=1)))
        if other:
            raise JaxstyleError(
                f"{split!r} of process {other} is not that of process 0: {rows[other, 0]} examples there, {rows[0, 0]} "
                "here, or other names or contents; copy the folder again"
            )


def check(workdir: epath.Path, before: RunInfo, now: Mapping[str, Fingerprint], moved: bool = False) -> None:
    """Compares splits with those of a run; says on stderr where the same classes have other pictures.

    Args:
      workdir: Of the run, for sentences.
      before: Facts about the run. Of a split without a fingerprint in it only the classes are compared.
      now: Fingerprints of splits as they are, by name.
      moved: Whether the run is to go on with a folder elsewhere, which must have the same contents.

    Raises:
      JaxstyleError: A split has other classes, so that labels have another meaning, or lies elsewhere and is not the
        same; the differences are listed.
    """
    for split, found in now.items():
        known = before.data.get(split, Fingerprint(before.classes, ()))
        clauses = differences(known, found)
        if not clauses:
            continue
        more = f"; and {len(clauses) - LISTED} more" if len(clauses) > LISTED else ""
        text = (
            f"{split!r} has changed since the run in {os.fspath(workdir)!r} began: {'; '.join(clauses[:LISTED])}{more}"
        )
        if known.classes != found.classes:
            raise JaxstyleError(f"{text}. Give the classes their old names again, or train in another workdir")
        if moved:
            raise JaxstyleError(f"{text}. A folder elsewhere must have the same contents; or train in another workdir")
        if jax.process_index() == 0:
            print(f"jaxstyle: {text}", file=sys.stderr)
