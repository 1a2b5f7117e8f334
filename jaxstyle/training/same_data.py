"""The data of a run compared with the fingerprints in its workdir, when it goes on and when it is scored."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import jax
from etils import epath

from jaxstyle.data.fingerprints import Fingerprint, differences
from jaxstyle.errors import JaxstyleError
from jaxstyle.training import run_info
from jaxstyle.training.run_info import RunInfo

LISTED = 8  # differences in a sentence


def check_going_on(workdir: epath.Path, info: RunInfo) -> None:
    """Compares the data of a training with those that the run in its workdir, if there is one, has begun with.

    Raises:
      JaxstyleError: See `check`.
    """
    try:
        before = run_info.read(workdir)
    except JaxstyleError:  # no run, or a damaged file, which is written anew
        return
    check(workdir, before, info.data)


def check(workdir: epath.Path, before: RunInfo, now: Mapping[str, Fingerprint]) -> None:
    """Compares splits with those of a run; says on stderr where the same classes have other pictures.

    Args:
      workdir: Of the run, for sentences.
      before: Facts about the run. Of a split without a fingerprint in it only the classes are compared.
      now: Fingerprints of splits as they are, by name.

    Raises:
      JaxstyleError: A split has other classes, so that labels have another meaning; the differences are listed.
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
        if jax.process_index() == 0:
            print(f"jaxstyle: {text}", file=sys.stderr)
