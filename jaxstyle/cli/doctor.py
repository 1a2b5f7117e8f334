"""`jaxstyle doctor`: what this installation can do, and the command that adds what it cannot."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import pathlib
import platform
import shutil
import sys
from collections.abc import Iterator

import jax

from jaxstyle._version import __version__
from jaxstyle.features.weights import registry
from jaxstyle.runtime import huge_pages, memory
from jaxstyle.runtime.caching import cache_folder

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "pillow", "scipy")
PARTS = {
    "studio": ("starlette", "the studio, a page with live preview"),
    "video": ("cv2", "optical flow, by which stylised films are held steady"),
    "export": ("flatbuffers", "trained networks as StableHLO"),
    "onnx": ("jax2onnx", "trained networks as ONNX"),
    "tf": ("tensorflow", "preparing other datasets of TFDS than MNIST, CIFAR and their kin"),
    "gcs": ("gcsfs", "workdirs in gs:// buckets"),
}
"""Extras: the module that tells whether one is there, and what it is for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    """Prints the report; 0."""
    for title, rows in {
        "versions": versions(),
        "devices": devices(),
        "optional parts": parts(),
        "networks in the cache": networks(),
        "caches": caches(),
    }.items():
        print(f"{title}:")
        for name, text in rows:
            print(f"  {name:18} {text}")
    return 0


def versions() -> Iterator[tuple[str, str]]:
    """Versions of jaxstyle, Python and the packages that pictures depend on."""
    yield "jaxstyle", f"{__version__} in {pathlib.Path(__file__).resolve().parent.parent}"
    yield "python", f"{platform.python_version()} in {sys.prefix}"
    for name in PACKAGES:
        yield name, importlib.metadata.version(name)


def devices() -> Iterator[tuple[str, str]]:
    """The devices that JAX finds, and their memory."""
    found = jax.devices()
    yield found[0].platform, f"{len(found)} × {found[0].device_kind}"
    free, whole = memory.available(), memory.capacity()
    if free is not None and whole is not None:
        yield "memory", f"{free / 2**30:.1f} of {whole / 2**30:.1f} GiB free"
    if huge_pages.on_request():  # the command line has asked, by the time this runs
        yield "huge pages", f"asked for; in scripts and notebooks {huge_pages.TUNABLES}={huge_pages.ASK}=1 does so"
    if found[0].platform == "cpu" and shutil.which("nvidia-smi"):
        yield "gpu", "not used; pip install 'jaxstyle[cuda]' adds it"


def parts() -> Iterator[tuple[str, str]]:
    """The optional parts, there or not."""
    for extra, (module, purpose) in PARTS.items():
        there = importlib.util.find_spec(module) is not None
        yield extra, f"yes: {purpose}" if there else f"no: {purpose}; pip install 'jaxstyle[{extra}]' adds it"
    there = all(map(shutil.which, ("ffmpeg", "ffprobe")))
    purpose = "films such as .mp4"
    yield "ffmpeg", f"yes: {purpose}" if there else f"no: {purpose}; the system's package manager adds it"


def networks() -> Iterator[tuple[str, str]]:
    """The feature extractors by name, there or not."""
    for name, entry in registry.ENTRIES.items():
        there = entry.shipped or registry.cached_path(name).exists()
        yield name, "yes" if there else f"no; jaxstyle features fetch {name} adds it"


def caches() -> Iterator[tuple[str, str]]:
    """The cache folders and how much is in them; JAXSTYLE_CACHE moves them."""
    for part in ("features", "datasets", "compiled"):
        folder = cache_folder(part)
        files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
        yield part, f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB in {folder}"
