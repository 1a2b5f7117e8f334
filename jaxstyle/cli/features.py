"""`jaxstyle features`: the fixed networks, listed, fetched, verified and converted."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.architectures import deepest_layer
from jaxstyle.features.weights import registry
from jaxstyle.features.weights.files import RESERVED, Weights, read_weights, save_weights
from jaxstyle.features.weights.layouts import PREPROCESSING
from jaxstyle.features.weights.pruning import active_channels, pruned
from jaxstyle.media.image_reading import read_visible
from jaxstyle.media.image_resizing import resize
from jaxstyle.media.paths import picture_paths
from jaxstyle.runtime import download
from jaxstyle.runtime.caching import cache_folder

PRUNE_SIDE = 224  # pixels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the actions `list`, `fetch`, `verify` and `convert`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="the networks known by name, and which of them are in the cache")
    fetch = actions.add_parser("fetch", help="download networks into the cache")
    fetch.add_argument("names", nargs="+", metavar="NAME", help="a name from `jaxstyle features list`")
    verify = actions.add_parser("verify", help="check files: their hash if registered, and every tensor")
    verify.add_argument("names", nargs="*", metavar="NAME|PATH", help="networks to check (default: all in the cache)")
    convert = actions.add_parser("convert", help="rewrite weights in jaxstyle's own form")
    convert.add_argument("source", metavar="IN", help="a name, a file, or the workdir of configs/distill_features.py")
    convert.add_argument("target", metavar="OUT", help="the safetensors file to write")
    convert.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="format of the kernels")
    convert.add_argument(
        "--preprocessing",
        choices=tuple(PREPROCESSING),
        help="what the network was trained with, where the file's names do not tell "
        "(Caffe weights under torchvision's names: caffe)",
    )
    convert.add_argument(
        "--prune",
        metavar="FOLDER",
        help="leave out a VGG's channels that are never active in the pictures of a folder and its sub-folders",
    )
    convert.add_argument(
        "--note", action="append", default=[], metavar="KEY=TEXT", help="metadata to keep in the file; may be repeated"
    )


def run(args: argparse.Namespace) -> int:
    """Runs the action that `args` name; 0 when all is well."""
    return {"list": _list, "fetch": _fetch, "verify": _verify, "convert": _convert}[args.action](args)


def _list(args: argparse.Namespace) -> int:
    rows = [("NAME", "SIZE", "LICENCE", "CACHED", "URL")]
    for name, entry in registry.ENTRIES.items():
        size = f"{entry.size_bytes / 1e6:.1f} MB" if entry.size_bytes else "?"
        cached = "yes" if registry.cached_path(name).exists() else "no"
        rows.append((name, size, entry.licence, cached, entry.url))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]))
    print(f"\ncache: {cache_folder('features')} (JAXSTYLE_CACHE moves it)")
    return 0


def _fetch(args: argparse.Namespace) -> int:
    for name in args.names:
        registry.cached_path(name)  # all names are looked at before the first download
    for name in args.names:
        print(f"{name}: {registry.fetch(name)}")
    return 0


def _verify(args: argparse.Namespace) -> int:
    cached = [name for name in registry.ENTRIES if registry.cached_path(name).exists()]
    names = args.names or cached
    if not names:
        print(f"nothing to verify: no network in {cache_folder('features')}")
    failed = []
    for name in names:
        try:
            print(f"{name}: ok, {_verified(name)}")
        except JaxstyleError as error:
            print(f"{name}: BAD, {error}")
            failed.append(name)
    if failed:
        raise JaxstyleError(f"{len(failed)} of {len(names)} did not pass: {', '.join(failed)}")
    return 0


def _verified(name: str) -> str:
    """Checks one file and says what it is; a registered name is not fetched for it."""
    entry = None if os.path.isfile(name) else registry.ENTRIES.get(name)
    path = registry.cached_path(name) if entry else registry.resolve(name)
    if entry and not path.exists():
        raise JaxstyleError(f"not in the cache; `jaxstyle features fetch {name}` fetches it")
    if entry and not download.matches(path, entry.hash):
        raise JaxstyleError(
            f"{path} is not the published file ({entry.hash}); delete it and `jaxstyle features fetch {name}`"
        )
    return _described(read_weights(path)) + (f", {entry.hash}" if entry else "")


def _convert(args: argparse.Namespace) -> int:
    notes = dict(_note(text) for text in args.note)
    entry = registry.ENTRIES.get(args.source)
    if os.path.isdir(args.source):
        weights = _distilled(args.source)
    else:
        weights = read_weights(registry.resolve(args.source), preprocessing=args.preprocessing)
    if args.prune:
        weights = pruned(weights, active_channels(weights, _shown(args.prune)))
    if entry:
        weights.metadata.update(licence=entry.licence, source=entry.url)
    weights.metadata.update(notes)
    save_weights(args.target, weights, args.dtype)
    print(f"{args.target}: {_described(weights)}, {args.dtype}")
    return 0


def _shown(folder: str) -> Iterator[np.ndarray]:
    """The pictures of a folder and its sub-folders, `[1, 224, 224, 3]`."""
    paths = picture_paths(folder, recursive=True)
    if not paths:
        raise JaxstyleError(f"the folder {folder!r} holds no pictures")
    for path in tqdm(paths, unit="picture", disable=None, leave=False):
        yield resize(read_visible(path).rgb, PRUNE_SIDE, PRUNE_SIDE)[None]


def _note(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise JaxstyleError(f"--note {text!r} is not KEY=TEXT")
    if key in RESERVED:
        raise JaxstyleError(f"--note {key}: jaxstyle itself writes that one; choose another name")
    return key, value


def _distilled(workdir: str) -> Weights:
    """The student of a distillation, and in its metadata how it was trained and how near it came."""
    # Here and not above: orbax and TensorBoard take seconds to import, which no other command needs.
    from jaxstyle.inference.run import open_run
    from jaxstyle.tasks.distill import Distill, student_weights
    from jaxstyle.training.writers import read_metrics

    training = open_run(workdir)
    if not isinstance(training.task, Distill):
        raise JaxstyleError(f"{workdir}: a run of {training.config.task}, not of jaxstyle.tasks.distill")
    scores = [row for row in read_metrics(training.folder) if row["kind"] == "eval"]
    fields = sorted(dataclasses.asdict(training.config.model).items())
    recipe = {name: value for name, value in fields if not name.endswith("teacher")}  # no paths
    metadata = {
        "seed": str(training.config.seed),
        "step": str(int(training.state.step)),
        "score": json.dumps(scores[-1]) if scores else "not evaluated",
        "model": json.dumps(recipe),
    }
    return student_weights(training.state, metadata)


def _described(weights: Weights) -> str:
    layout = weights.metadata.get("layout", "jaxstyle")
    return f"{weights.architecture} to {deepest_layer(weights.architecture, weights.tensors)} ({layout} layout)"
