"""The pictures of a session: examples and uploads, each called by its id; no path comes from a page."""

from __future__ import annotations

import dataclasses
import io
import pathlib
import re
import secrets
import threading

import numpy as np
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.examples import EXAMPLES
from jaxstyle.media.image_decoding import open_image
from jaxstyle.media.image_reading import read_large
from jaxstyle.media.image_resizing import fit_size, resize

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000
EXAMPLE_SIZE = (512, 384)
VIEW = 1280
"""Longest side of a picture as the page shows it, in pixels."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A picture.

    Attributes:
      id: By which the page names it.
      name: As the user calls it.
      source: What jaxstyle reads: a file of the session, or `example:NAME`.
      size: Width and height, pixels.
      view: As the page shows it, JPEG; of an example nothing until it is asked for, as drawing it takes a while.
    """

    id: str
    name: str
    source: str
    size: tuple[int, int]
    view: bytes

    def described(self) -> dict[str, object]:
        """The picture in JSON values."""
        return {"id": self.id, "name": self.name, "size": self.size, "example": self.source.startswith("example:")}


class Library:
    """The pictures of a session by id.

    Args:
      folder: Where uploads are kept.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder, self.lock, self.drawing = folder, threading.Lock(), threading.Lock()
        self.entries: dict[str, Entry] = {}
        for name in EXAMPLES:
            self.entries[name] = Entry(name, name, f"example:{name}", EXAMPLE_SIZE, b"")

    def keep(self, id: str, name: str, source: str) -> Entry:
        """Reads a picture, and keeps its view; raises `JaxstyleError` where it cannot be."""
        rgb = read_large(source, name).rgb
        entry = Entry(id, name, source, (rgb.shape[1], rgb.shape[0]), jpeg(rgb, VIEW))
        with self.lock:
            self.entries[id] = entry
        return entry

    def add(self, name: str, data: bytes) -> Entry:
        """Takes an upload; `name` is its file's name, of which only harmless characters stay.

        Raises:
          JaxstyleError: It is no picture, has too many pixels, or cannot be read.
        """
        id, named = secrets.token_hex(8), plain_name(name)
        place = self.folder / id
        place.mkdir(parents=True)
        path = place / named
        path.write_bytes(data)
        try:
            check_pixels(path, named)
            return self.keep(id, named, str(path))
        except JaxstyleError as error:
            path.unlink()
            place.rmdir()
            raise JaxstyleError(str(error).replace(f"{place}/", "")) from None

    def __getitem__(self, id: object) -> Entry:
        """The picture with an id.

        Raises:
          JaxstyleError: There is none.
        """
        with self.lock:
            if not isinstance(id, str) or id not in self.entries:
                raise JaxstyleError("there is no such picture in this session; choose another")
            return self.entries[id]

    def view(self, id: str) -> bytes:
        """A picture as the page shows it."""
        if not self[id].view:
            with self.drawing:  # an example is drawn once, however many pages ask for it
                entry = self[id]
                return entry.view or self.keep(entry.id, entry.name, entry.source).view
        return self[id].view

    def described(self) -> list[dict[str, object]]:
        """All pictures in JSON values."""
        with self.lock:
            return [entry.described() for entry in self.entries.values()]


def plain_name(name: str) -> str:
    """A file's name without folders and special characters: `photo.jpg`."""
    stem, _, suffix = re.split(r"[/\\]", name)[-1].rpartition(".")
    stem, suffix = (re.sub(r"[^\w-]+", "_", part).strip("_") for part in (stem or suffix, suffix if stem else ""))
    return f"{stem[:60] or 'picture'}.{suffix[:8].lower() or 'png'}"


def check_pixels(path: pathlib.Path, name: str) -> None:
    """Raises `JaxstyleError` for a picture of more than `MAX_PIXELS`, told by its header alone."""
    with open_image(path, repr(name)) as image:
        width, height = image.size
    if width * height > MAX_PIXELS:
        raise JaxstyleError(
            f"{name!r} has {width * height / 1e6:.0f} megapixels, and the studio takes {MAX_PIXELS / 1e6:.0f}: scale "
            "it down, or use the command line"
        )


def jpeg(rgb: np.ndarray, longest: int) -> bytes:
    """A picture `[H, W, 3]` in [0, 1] as JPEG, made smaller where a side is longer than `longest` pixels."""
    height, width = rgb.shape[:2]
    if max(height, width) > longest:
        rgb = resize(rgb, *fit_size(height, width, longest))
    buffer = io.BytesIO()
    pixels = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=88, subsampling="4:4:4")
    return buffer.getvalue()
