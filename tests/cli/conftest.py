"""What the tests of bad input share: a folder of good and bad files, and a command that must end in one sentence."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
import tiny
from PIL import Image

from jaxstyle.cli import main
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels import loop


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray((tiny.picture(4, 48, 64) * 255).astype(np.uint8)).save(buffer, format=kind)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG whose header claims 50000×50000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">2I5B", 50_000, 50_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def here(tmp_path_factory, tiny_features):
    """A folder with good and bad files; the commands run in it."""
    folder = tmp_path_factory.mktemp("input")
    for name in ("empty", "photos", "out", "taken/photo.png"):
        (folder / name).mkdir(parents=True)
    for name, seed, height, width in (
        ("photo.png", 0, 48, 64),
        ("photos/a.png", 1, 48, 64),
        ("photos/b.png", 2, 40, 40),
        ("style.png", 3, 40, 56),
        ("mask.png", 4, 48, 64),
        ("dot.png", 5, 1, 1),
        ("small.png", 6, 15, 15),
        ("band.png", 7, 10, 20_000),
        ("narrow.png", 8, 16, 500),
    ):
        write_picture(folder / name, tiny.picture(seed, height, width))
    write_picture(folder / "black.png", np.zeros((48, 64, 3)))
    files = {"zero.png": b"", "text.png": b"hello\n" * 99, "bomb.png": bomb(), "page.pth": b"<!DOCTYPE html><html>"}
    for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        for share in (0.1, 0.5, 0.9):
            data = encoded(kind)
            files[f"cut{int(share * 100)}.{kind.lower()}"] = data[: int(share * len(data))]
    weights = tiny_features.read_bytes()
    files |= {"net.safetensors": weights, "cut.safetensors": weights[: len(weights) // 2]}
    files |= {"zero.safetensors": b"", ".torn.png.resume": b"torn"}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    broken = tiny.weights()
    broken.tensors["conv2_1/kernel"][0, 0, 0, 0] = np.nan
    np.savez(folder / "nan.npz", **broken.tensors)
    return folder


@pytest.fixture
def attempt(here, capsys, monkeypatch):
    """Runs `jaxstyle stylize` there; gives the one line it complained with."""

    def never(*_, **__):
        raise AssertionError("a step was about to be taken")

    monkeypatch.chdir(here)
    monkeypatch.setenv("JAXSTYLE_CACHE", str(here / "cache"))
    monkeypatch.setattr(loop, "advance", never)

    def run(*words):
        before = listing(here)
        try:
            status = main(["stylize", *words])
        except SystemExit as left:
            status = left.code
        captured = capsys.readouterr()
        assert status == 2 and captured.out == ""
        assert captured.err.startswith("jaxstyle: ") and captured.err.count("\n") == 1, captured.err
        assert not re.search(r"Traceback|Error:|Exception", captured.err)
        assert listing(here) == before
        return captured.err

    return run


def listing(folder):
    """Every file below a folder, with its size."""
    return {path: path.stat().st_size for path in sorted(folder.rglob("*"))}
