"""An interrupted run on disk: the states of its pictures, and the identity of the run."""

from __future__ import annotations

import hashlib
import json
import pathlib
from typing import Any

import jax
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.pixels.job import Inputs
from jaxstyle.pixels.loop import Problem, Snapshot
from jaxstyle.pixels.method import Method, start
from jaxstyle.runtime import atomic, onednn
from jaxstyle.runtime.regular import check_archive, check_regular


def digest(arrays: Any) -> str:
    """SHA-256 of a pytree of arrays: shapes, dtypes and values."""
    total = hashlib.sha256()
    for leaf in jax.tree.leaves(arrays):
        leaf = np.ascontiguousarray(leaf)
        total.update(f"{leaf.shape}{leaf.dtype}".encode())
        total.update(leaf.data)
    return total.hexdigest()


def digest_inputs(inputs: Inputs) -> str:
    """`digest` of all pictures, masks and numbers that a run reads."""
    return digest([inputs[name] for name in sorted(inputs)])


def numerics() -> dict[str, str]:
    """The part of a run's identity that the environment decides: by which convolutions it computes."""
    return {onednn.VARIABLE: "1"} if onednn.used() else {}


def save_snapshot(path: pathlib.Path, snapshot: Snapshot, identity: dict[str, Any]) -> None:
    """Writes a snapshot (npz) under a temporary name, then renames it.

    `identity` has the JSON values by which `load_snapshot` tells whether it is the same run. Raises `JaxstyleError`
    where the file cannot be written; an older one stays.
    """
    leaves = {f"leaf{i}": leaf for i, leaf in enumerate(jax.tree.leaves(snapshot.state))}
    about = {"stage": snapshot.stage, "iteration": snapshot.iteration, "identity": identity | numerics()}
    try:
        with atomic.replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **leaves)
    except OSError as error:
        raise JaxstyleError(f"cannot write the snapshot {str(path)!r}: {error.strerror}") from error


def load_snapshot(path: pathlib.Path, problem: Problem, identity: dict[str, Any]) -> Snapshot:
    """Reads what `save_snapshot` wrote, for the problem and the identity of the run that goes on.

    Raises `JaxstyleError` where the file is no snapshot or damaged, or belongs to another run: the settings that differ
    are named.
    """
    stages, identity = problem.stages, identity | numerics()
    try:
        check_regular(path)
        check_archive(path)
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            leaves = [file[f"leaf{i}"] for i in range(len(file.files) - 1)]
        stage, iteration, found = int(about["stage"]), int(about["iteration"]), dict(about["identity"])
    except Exception as error:  # on damaged bytes zipfile, zlib and NumPy raise nearly everything there is
        raise JaxstyleError(f"cannot resume from {str(path)!r}: it is damaged or no snapshot; delete it") from error
    different = sorted(key for key in {*identity, *found} if identity.get(key) != found.get(key))
    if different:
        raise JaxstyleError(
            f"cannot resume from {str(path)!r}: it is of a run with another {', '.join(different)}; "
            "use the same settings and pictures, or delete it"
        )
    if not (0 <= stage < len(stages) and 0 <= iteration <= stages[stage].iterations):
        raise JaxstyleError(f"cannot resume from {str(path)!r}: it stands outside this run's plan; delete it")
    count, *group = problem.start.shape[:-3]
    shape = (*group, stages[stage].height, stages[stage].width, 3)
    return Snapshot(stage, iteration, restore(path, leaves, problem.method, shape, count))


def restore(path: pathlib.Path, leaves: list[np.ndarray], method: Method, shape: tuple[int, ...], count: int) -> Any:
    """The state of `count` pictures of a shape, out of its leaves, whose shapes are checked."""
    image = jax.ShapeDtypeStruct(shape, np.float32)
    template = jax.eval_shape(lambda image: start(method, image), image)
    wanted, structure = jax.tree.flatten(template)
    shapes = [((count, *leaf.shape), leaf.dtype) for leaf in wanted]
    leaves, matches = leaves[: len(wanted)], leaves[len(wanted) :]  # `State.matches` is the last of its fields
    if shapes != [(leaf.shape, leaf.dtype) for leaf in leaves] or (matches and not method.match_every):
        raise JaxstyleError(f"cannot resume from {str(path)!r}: its arrays are not of this run's shapes; delete it")
    return jax.tree.unflatten(structure, leaves)._replace(matches=tuple(matches))
