"""The start of a run from another run's network, or a file's: arrays that fit by name and shape are taken.

Arrays go by the names of a state's leaves: `params/enter/kernel`, `collections/batch_stats/…`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import jax
import numpy as np
from etils import epath

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.weights.readers import read_tensors
from jaxstyle.runtime import buckets
from jaxstyle.runtime.settings import named
from jaxstyle.training import config_file
from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.restoring import filled, leaf_name, shape_text
from jaxstyle.training.state import TrainState

Arrays = Mapping[str, np.ndarray]

STYLE_MODEL = "params.safetensors"  # the parameters in a style model's folder
SHOWN = 4  # names in a line
KINDS = ("params/", "collections/")  # of the arrays that are taken; optimisers begin fresh


def arrays_for(name: str, workdir: epath.Path) -> Arrays | None:
    """Reads what `init_from` names; None where it names nothing, or the run in the workdir has a checkpoint already."""
    checkpoints = workdir / "checkpoints"
    begun = checkpoints.exists() and any(path.name.isdecimal() for path in checkpoints.iterdir())
    return read_source(name) if name and not begun else None


def read_source(name: str) -> Arrays:
    """Reads the arrays of a run's newest checkpoint, or of a file.

    Args:
      name: A workdir; a style model's folder; or a file of weights, such as a style model in one file.

    Returns:
      Arrays by name. Of parameters that have a moving average it is the average.

    Raises:
      JaxstyleError: There is no such run or file, it cannot be read, or has values that are not finite.
    """
    option = f"{named('init_from')}={name!r}"
    model = os.path.join(name, STYLE_MODEL)
    if buckets.in_bucket(name) or (os.path.isdir(name) and not os.path.exists(model)):
        arrays = read_run(name, option)
    elif os.path.exists(name):
        tensors = read_tensors(model if os.path.isdir(name) else name)[0]
        arrays = {key if key.startswith(KINDS) else f"params/{key}": tensor for key, tensor in tensors.items()}
    else:
        raise JaxstyleError(f"{option} is missing: name the workdir of a run, or a file of weights")
    bad = [key for key, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if bad:
        raise JaxstyleError(f"{option} has NaN or infinite values in {listed(bad)}; nothing can begin with them")
    return arrays


def read_run(name: str, option: str) -> Arrays:
    """Reads the newest checkpoint of a workdir, which may be `gs://…`; see `read_source`."""
    folder = config_file.absolute(name) / "checkpoints"
    if buckets.in_bucket(name):
        buckets.check("the run to begin with", name)
    if not folder.exists():
        raise JaxstyleError(
            f"{option} is a folder without checkpoints; name the workdir of a run, or a file of weights"
        )
    with closing(Checkpoints(folder)) as checkpoints:
        if not checkpoints.steps():
            raise JaxstyleError(f"{option} has no checkpoint yet; wait for the first")
        stored = checkpoints.arrays(checkpoints.steps()[-1])
    arrays = {leaf_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(stored)}
    averages = {f"params/{key.removeprefix('ema/')}": leaf for key, leaf in arrays.items() if key.startswith("ema/")}
    return {key: leaf for key, leaf in arrays.items() if key.startswith(KINDS)} | averages


def started(state: TrainState, arrays: Arrays, name: str) -> TrainState:
    """Fills a first state with the arrays that fit by name and shape, and says on stderr what begins fresh.

    Args:
      state: Before the first step.
      arrays: See `read_source`.
      name: Where they are from, for sentences.

    Returns:
      The state, of NumPy arrays; a moving average begins at the parameters.
    """
    leaves, wanted, taken = fitting(state, arrays)
    parameters = [key for key in taken if key.startswith("params/")]
    if jax.process_index() == 0:
        total = sum(key.startswith("params/") for key in wanted)
        lines = [f"begins with {len(parameters)} of {total} parameters of {name!r}", *differences(wanted, arrays)]
        print("\n".join(f"jaxstyle: {line}" for line in lines), file=sys.stderr)
    values = {key: arrays[key].astype(wanted[key].dtype) for key in taken}
    pairs = {key: key for key in taken} | {key.replace("params/", "ema/", 1): key for key in parameters}
    return filled(state, values, {key: source for key, source in pairs.items() if key in leaves})


def check_fits(state: TrainState, arrays: Arrays | None, name: str) -> None:
    """Raises `JaxstyleError` where no parameter of a state (shapes are enough) fits; None fits always."""
    if arrays is None:
        return
    _, wanted, taken = fitting(state, arrays)
    if not any(key.startswith("params/") for key in taken):
        raise JaxstyleError(
            f"nothing in {named('init_from')}={name!r} fits this network: {differences(wanted, arrays)[0]}; name a run "
            "or file of the same architecture, or leave it out"
        )


def fitting(state: TrainState, arrays: Arrays) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """A state's leaves by name, those that could be taken from arrays, and the names of those that can."""
    leaves = {leaf_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(state)}
    wanted = {key: leaf for key, leaf in leaves.items() if key.startswith(KINDS)}
    return leaves, wanted, [key for key in wanted if key in arrays and arrays[key].shape == wanted[key].shape]


def differences(wanted: Mapping[str, jax.Array], arrays: Arrays) -> list[str]:
    """Lists what begins fresh and what is not used, a clause for each reason."""
    known = [key for key in wanted if key in arrays]
    others = [key for key in known if arrays[key].shape != wanted[key].shape]
    shapes = [f"{key} ({shape_text(arrays[key].shape)} there, {shape_text(wanted[key].shape)} here)" for key in others]
    reasons = {
        "fresh, as their shapes differ": shapes,
        "fresh, as they are not there": [key for key in wanted if key not in arrays],
        "not used": [key for key in arrays if key not in wanted],
    }
    return [f"{reason}: {listed(keys)}" for reason, keys in reasons.items() if keys]


def listed(keys: Sequence[str]) -> str:
    """Writes the first few names, and how many there are more."""
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(os.fspath(key).removeprefix("params/") for key in keys[:SHOWN]) + more
