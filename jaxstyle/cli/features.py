"""`jaxstyle features`: the fixed networks, listed, fetched, verified and converted."""

from __future__ import annotations

import argparse
import os

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import download, registry
from jaxstyle.features.architectures import deepest_layer
from jaxstyle.features.layouts import PREPROCESSING
from jaxstyle.features.weights import Weights, read_weights, save_weights

HELP = "list, fetch, verify and convert the pretrained networks that look at pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the actions `list`, `fetch`, `verify` and `convert`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="the networks known by name, and which of them are in the cache")
    fetch = actions.add_parser("fetch", help="download networks into the cache")
    fetch.add_argument("names", nargs="+", metavar="NAME", help="a name from `jaxstyle features list`")
    verify = actions.add_parser("verify", help="check files: their hash if registered, and every tensor")
    verify.add_argument(
        "names", nargs="*", metavar="NAME|PATH", help="what to check (default: everything in the cache)"
    )
    convert = actions.add_parser("convert", help="rewrite weights in jaxstyle's own form")
    convert.add_argument("source", metavar="IN", help="a name or a file")
    convert.add_argument("target", metavar="OUT", help="the safetensors file to write")
    convert.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="of the kernels")
    convert.add_argument(
        "--preprocessing",
        choices=tuple(PREPROCESSING),
        help="what the network was trained with, where the file's names do not tell "
        "(Caffe weights under torchvision's names: caffe)",
    )


def run(args: argparse.Namespace) -> int:
    """Runs the action that `args` name; 0 when all is well.

    Raises:
      JaxstyleError: What went wrong.
    """
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
    print(f"\ncache: {registry.cache_folder()} (JAXSTYLE_CACHE moves it)")
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
        print(f"nothing to verify: no network in {registry.cache_folder()}")
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
    weights = read_weights(registry.resolve(args.source), preprocessing=args.preprocessing)
    entry = registry.ENTRIES.get(args.source)
    if entry:
        weights.metadata.update(licence=entry.licence, source=entry.url)
    save_weights(args.target, weights, args.dtype)
    print(f"{args.target}: {_described(weights)}, {args.dtype}")
    return 0


def _described(weights: Weights) -> str:
    layout = weights.metadata.get("layout", "jaxstyle")
    return f"{weights.architecture} to {deepest_layer(weights.architecture, weights.tensors)} ({layout} layout)"
