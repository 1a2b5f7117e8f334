"""Trained networks taken away, other than those that stylise: classifiers, segmentations, generators, forecasters.

The file holds the function that the commands use, with all that surrounds the network: scaling of pixels before it,
softmax and clipping behind it.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from etils import epath

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.inference.export import ONNX_SIZE, Signature, check_target, fixed, to_onnx, to_stablehlo
from jaxstyle.inference.labels import takes_labels
from jaxstyle.inference.model_config import is_workdir
from jaxstyle.inference.predict import takes_clips
from jaxstyle.inference.run import Run, open_run
from jaxstyle.media.image_writing import write_whole
from jaxstyle.runtime import buckets
from jaxstyle.training.task import (
    Classifies,
    DecodesLatents,
    EncodesPictures,
    Forecasts,
    Segments,
    Stylizes,
    Translates,
)

Shape = tuple[int | str, ...]


def open_network(workdir: str | os.PathLike, checkpoint: str | int = "newest") -> Run | None:
    """Opens the workdir of a training; None for one that stylises, and for what is no workdir but a style model."""
    if buckets.in_bucket(workdir):
        buckets.check("the model", workdir)
    if not is_workdir(epath.Path(workdir)):
        return None
    run = open_run(workdir, checkpoint)
    return None if isinstance(run.task, (Stylizes, Translates)) else run


def network_signature(run: Run, part: str = "") -> Signature:
    """A trained network as a pure function, its parameters within.

    Pictures are `[n, H, W, C]` in [0, 1], of the training's size and channels; of a segmentation of any size whose
    sides are multiples of what it halves. Conditional generators also take `labels` `[n]`.

    Args:
      run: Of which.
      part: `encoder` or `decoder` of a variational autoencoder; "" where there is only one.

    Returns:
      The function: pictures -> `probabilities` `[n, classes]`, or `[n, h, w, classes]` of a segmentation; clips ->
      `frames`, or `probabilities`; pictures -> `latents`; latents -> `pictures`.

    Raises:
      JaxstyleError: The task has no such network.
    """
    found = functions(run)
    if not found:
        raise JaxstyleError(f"the task {run.config.task!r} has no network that is exported")
    if not part and len(found) > 1:
        raise JaxstyleError(
            f"the run in {os.fspath(run.folder)!r} has parts: choose one by --part {' or '.join(found)}"
        )
    if part and part not in found:
        raise JaxstyleError(f"the run in {os.fspath(run.folder)!r} has no part {part!r}; {did_you_mean(part, found)}")
    return found[part or next(iter(found))]


def functions(run: Run) -> dict[str, Signature]:
    """The functions that a run can give, by part."""
    task, state = run.task, run.state
    pictures = ("n", *run.info.spec["image"].shape) if "image" in run.info.spec else ()
    clips: Shape = ("n", *run.info.spec["video"].shape) if takes_clips(run) else ()
    if isinstance(task, Forecasts):
        task = dataclasses.replace(task, forecaster=task.forecaster.clone(plain=True))  # type: ignore[type-var, attr-defined]
        clips = ("n", task.inputs, *clips[2:])
        frames = one(lambda x: jnp.clip(task.forecast(state, x, task.outputs), 0, 1), "clips", clips, "frames")
        told = one(lambda x: jax.nn.softmax(task.class_logits(state, x)), "clips", clips, "probabilities")
        return {"forecaster": frames} | ({"classifier": told} if task.classes else {})
    if isinstance(task, Segments):
        sides = tuple(f"{task.model.factor}*{side}" for side in "hw")
        return {
            "network": one(
                lambda x: jax.nn.softmax(task.logits(state, x)),
                "pictures",
                ("n", *sides, task.channels),
                "probabilities",
            )
        }
    if isinstance(task, Classifies) and run.info.classes:
        return {
            "network": one(lambda x: jax.nn.softmax(task.features(state, x)[1]), "pictures", pictures, "probabilities")
        }
    found = {}
    labelled = takes_labels(run)
    if isinstance(task, EncodesPictures):

        def encode(pictures: jax.Array, labels: jax.Array | None = None) -> jax.Array:
            return task.encode(state, pictures, labels)

        found["encoder"] = one(encode, "pictures", pictures, "latents", labelled)
    if isinstance(task, DecodesLatents):

        def decode(latents: jax.Array, labels: jax.Array | None = None) -> jax.Array:
            return jnp.clip(task.decode(state, latents, labels), 0, 1)

        found["decoder"] = one(decode, "latents", ("n", task.latents), "pictures", labelled)
    return found


def one(function: Callable[..., Any], name: str, shape: Shape, output: str, labelled: bool = False) -> Signature:
    """A function of one argument, and of labels."""
    names, shapes = ((name, "labels"), (shape, ("n",))) if labelled else ((name,), (shape,))
    return Signature(function, names, shapes, output)


def export_network(run: Run, path: str | os.PathLike, part: str = "", size: tuple[int, int] | None = None) -> Signature:
    """Writes a trained network as one file; it appears only when whole.

    Args:
      run: Of which.
      path: Ends in .stablehlo or .onnx.
      part: See `network_signature`.
      size: Height and width of the pictures that the .onnx of a segmentation takes, in pixels.

    Returns:
      What was written.

    Raises:
      JaxstyleError: Bad input, or something is not installed.
    """
    target = pathlib.Path(path)
    check_target(target, size)
    exported = network_signature(run, part)
    if size is not None and not isinstance(run.task, Segments):
        raise JaxstyleError("--size is for networks that take pictures of any size; this one's is that of its training")
    if target.suffix.lower() != ".onnx":
        write_whole(target, to_stablehlo(exported))
        return exported
    factor = run.task.model.factor if isinstance(run.task, Segments) else 1
    height, width = size or ONNX_SIZE
    if height % factor or width % factor:
        raise JaxstyleError(f"--size is {width}x{height}; its sides must be multiples of {factor}")
    exported = fixed(exported, height, width)
    write_whole(target, to_onnx(exported))
    return exported
