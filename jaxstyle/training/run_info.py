"""The facts about a run that its config does not hold, and `setting.json`, in which later commands find them."""

from __future__ import annotations

import dataclasses
import json
import operator
import os
from collections.abc import Mapping

import jax
import numpy as np
from etils import epath

from jaxstyle.data.fingerprints import Fingerprint
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime import atomic, onednn
from jaxstyle.runtime.regular import read_json
from jaxstyle.training.durations import Extent

FILE = "setting.json"


@dataclasses.dataclass(frozen=True)
class RunInfo:
    """The length of a run, and the shapes and classes of its data.

    Attributes:
      extent: Examples an epoch, examples a batch; turns durations into steps.
      steps: Of the whole run.
      spec: Shape and dtype of every field of one example.
      classes: Names of the labels; empty where there are none.
      data: Fingerprint of each split, by its name in the config; see `jaxstyle.training.same_data`.
      class_counts: Examples of each class in the evaluation split, by which labels of samples are drawn; empty where
        the task draws none.
      training_counts: Examples of each class in the training split; empty where the task does not ask for them.
      by_onednn: Whether it computes by oneDNN's convolutions; by default whether this process does.
    """

    extent: Extent
    steps: int
    spec: Mapping[str, jax.ShapeDtypeStruct]
    classes: tuple[str, ...] = ()
    data: Mapping[str, Fingerprint] = dataclasses.field(default_factory=dict)
    class_counts: tuple[int, ...] = ()
    training_counts: tuple[int, ...] = ()
    by_onednn: bool = dataclasses.field(default_factory=onednn.used)


def save(folder: epath.Path, info: RunInfo) -> None:
    """Writes `setting.json`, so that later commands need neither the data nor a flag."""
    spec = {name: [list(leaf.shape), leaf.dtype.name] for name, leaf in info.spec.items()}
    fields = {**dataclasses.asdict(info), "spec": spec}
    atomic.write_text(folder / FILE, json.dumps(fields, indent=2))


def read(folder: epath.Path) -> RunInfo:
    """Reads what `save` wrote.

    Raises:
      JaxstyleError: There is nothing, or it is torn.
    """
    path = folder / FILE
    try:
        fields = read_json(path)
        extent, classes = Extent(**fields["extent"]), tuple(fields["classes"])
        spec = {n: jax.ShapeDtypeStruct(tuple(shape), np.dtype(dtype)) for n, (shape, dtype) in fields["spec"].items()}
        data = {name: Fingerprint.from_json(saved) for name, saved in fields.get("data", {}).items()}
        counts = [tuple(map(operator.index, fields.get(f"{which}_counts", ()))) for which in ("class", "training")]
        if any(each and (len(each) != len(classes) or min(each) < 0) for each in counts):
            raise ValueError("the counts are not those of the classes")
        steps, by_onednn = operator.index(fields["steps"]), bool(fields.get("by_onednn"))
        return RunInfo(extent, steps, spec, classes, data, counts[0], counts[1], by_onednn)
    except FileNotFoundError:
        raise JaxstyleError(f"{os.fspath(folder)!r} has no {FILE}; the training command writes it anew") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise JaxstyleError(f"{os.fspath(path)!r} is damaged; the training command writes it anew") from None
