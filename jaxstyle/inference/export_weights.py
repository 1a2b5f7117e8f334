"""The parameters of a trained run as one safetensors file, with a card that says what they are and how good."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import Any

import jax
import numpy as np

from jaxstyle._version import __version__
from jaxstyle.data.dataset import plural
from jaxstyle.errors import JaxstyleError
from jaxstyle.features.weights.files import encode
from jaxstyle.inference.run import Run
from jaxstyle.media.image_writing import write_whole
from jaxstyle.training.restoring import leaf_name
from jaxstyle.training.writers import read_metrics

FORMAT = "jaxstyle.training"
HEAD = "---\nlibrary_name: jaxstyle\n"


def export_weights(run: Run, path: str | os.PathLike) -> dict[str, Any]:
    """Writes the parameters of a run, and a card beside them under the same name with `.md`; each file appears whole.

    The parameters are the moving average where there is one; `init_from` reads them. The file's metadata is the card.

    Args:
      run: Of any task.
      path: Ends in `.safetensors`.

    Returns:
      The card: `task`, `model`, `trained_on` (`data`, `classes` and `examples` of each split), `step`, and `scores`,
      which are of the last evaluation up to that step.

    Raises:
      JaxstyleError: A file cannot be written, or the card's name is taken by another file.
    """
    target = pathlib.Path(path)
    card, beside = card_of(run), target.with_suffix(".md")
    if beside.exists() and not beside.read_text(errors="replace").startswith(HEAD):
        raise JaxstyleError(f"{str(beside)!r} is there already, and is no card of jaxstyle: name another file")
    for file in (target, beside):
        write_whole(file, None)
    leaves = {"params": run.state.best_params, "collections": run.state.collections}
    tensors = {leaf_name(at): np.asarray(leaf, np.float32) for at, leaf in jax.tree.leaves_with_path(leaves)}
    metadata = {"format": FORMAT, **{name: json.dumps(value) for name, value in card.items()}}
    write_whole(target, encode(dict(sorted(tensors.items())), metadata))
    write_whole(beside, written(card, target.name).encode())
    return card


def card_of(run: Run) -> dict[str, Any]:
    """Describes a run; see `export_weights`. Of folders only the last names are told."""
    data, step = run.config.data, int(run.state.step)
    rows = [row for row in read_metrics(run.folder) if row["kind"] == "eval" and row["step"] <= step]
    scores = {name: value for name, value in (rows[-1] if rows else {}).items() if isinstance(value, float)}
    names = (data.clips or data.folder, data.folder_b, "" if data.clips or data.folder else data.name, data.name_b)
    return {
        "task": run.config.task,
        "model": dataclasses.asdict(run.config.model) if hasattr(run.config, "model") else {},
        "trained_on": {
            "data": [os.path.basename(os.path.normpath(name)) if os.sep in name else name for name in names if name],
            "classes": list(run.info.classes),
            "examples": {split: one.count for split, one in run.info.data.items()},
        },
        "step": step,
        "scores": scores,
        "jaxstyle": __version__,
    }


def written(card: dict[str, Any], name: str) -> str:
    """Writes a card as a model card of Hugging Face's form."""
    trained, scores = card["trained_on"], card["scores"]
    counts = ", ".join(f"{plural(count, 'example')} of {split!r}" for split, count in trained["examples"].items())
    classes = f"Classes: {', '.join(trained['classes'])}.\n\n" if trained["classes"] else ""
    rows = "\n".join(f"| {metric} | {value:.6g} |" for metric, value in scores.items())
    table = f"| score | held out |\n|---|---|\n{rows}\n" if scores else "It has not been evaluated.\n"
    model = ", ".join(f"{field} {value}" for field, value in card["model"].items())
    return (
        f"{HEAD}tags: [{card['task'].rpartition('.')[2]}]\n---\n\n# {name}\n\n"
        f"A network of `{card['task']}` ({model}) after step {card['step']}, trained on {', '.join(trained['data'])}: "
        f"{counts}.\n\n{classes}{table}\n"
        f"Begin another training with it by `--config.init_from={name}`; jaxstyle {card['jaxstyle']} wrote it.\n"
    )
