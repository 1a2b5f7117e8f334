"""A model applied from files to files: what `jaxstyle apply` runs."""

from __future__ import annotations

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

import jaxstyle
from jaxstyle import images
from jaxstyle.errors import JaxstyleError
from jaxstyle.feedforward.applying import Look, Stylizer, check_photo
from jaxstyle.feedforward.model import load_model
from jaxstyle.feedforward.styles import blend_of
from jaxstyle.image_reading import Picture
from jaxstyle.pixels.files import Files, check_results, list_contents, output_paths, read


@dataclasses.dataclass(frozen=True)
class Entry:
    """A photo of a job: where it is read, the `(height, width)` at which it is stylised, and where the result goes."""

    path: str
    shape: tuple[int, int]
    target: pathlib.Path


def apply_files(
    model: str | os.PathLike,
    files: Files,
    look: Look,
    *,
    size: int | None = None,
    progress: bool | None = None,
) -> Iterator[pathlib.Path]:
    """Stylises pictures from files to files.

    Everything that can be wrong with the input is found before the first picture is made.

    Args:
      model: The model's folder.
      files: Of which `contents`, `output`, `bits` and, for what must not be overwritten, `styles` and `content_masks`
        count.
      look: How the model is applied.
      size: Longer side of the results, in pixels; None leaves pictures as large as they are.
      progress: True shows the bar, with pictures a second; False does not; None shows it on a terminal.

    Yields:
      The results' paths, as they are written.

    Raises:
      JaxstyleError: Bad input.
    """
    if size is not None and size < images.MIN_SIDE:
        raise JaxstyleError(f"--size is {size}; it must be at least {images.MIN_SIDE}")
    stylizer = Stylizer(load_model(model), look)
    paths = list_contents(files.contents)
    targets = [row[0] for row in output_paths(files, paths, [{}])]
    check_results(targets, files.bits, (*paths, *files.styles, *files.content_masks))
    shapes = [inspect(path, look, size) for path in paths]
    entries = [Entry(*each) for each in zip(paths, shapes, targets, strict=True)]
    settings = recorded(model, look)
    return stylised(stylizer, entries, files.bits, settings, progress)


def inspect(path: str, look: Look, size: int | None) -> tuple[int, int]:
    """Height and width at which a photo is stylised, which can be read and fits the masks."""
    rgb = read(path, "content").rgb
    check_photo(rgb, path, look)
    height, width = rgb.shape[:2]
    return (height, width) if size is None else images.fit_size(height, width, size)


def stylised(
    stylizer: Stylizer, entries: Sequence[Entry], bits: int, settings: dict[str, Any], progress: bool | None
) -> Iterator[pathlib.Path]:
    """Photos of one shape together, as many at once as are best; written as they are made."""
    ordered = sorted(entries, key=lambda entry: entry.shape)  # stable: those of one shape keep their order
    with tqdm(total=len(entries), unit="picture", disable=None if progress is None else not progress) as bar:
        for shape, group in itertools.groupby(ordered, key=lambda entry: entry.shape):
            for batch in batched(list(group), stylizer.batch(*shape)):
                pictures = [resized(entry) for entry in batch]
                for entry, photo, made in zip(batch, pictures, stylizer([p.rgb for p in pictures]), strict=True):
                    note = settings | {"contents": [os.path.basename(entry.path)]}
                    images.write_picture(entry.target, made, alpha=photo.alpha, bits=bits, settings=note)
                    bar.update()
                    yield entry.target


def batched(entries: list[Entry], size: int) -> Iterator[list[Entry]]:
    """At most so many at once, and no batch much smaller than the others."""
    count = -(-len(entries) // size)
    for part in np.array_split(np.arange(len(entries)), count):
        yield [entries[i] for i in part]


def resized(entry: Entry) -> Picture:
    """The photo at the size at which it is stylised."""
    rgb, alpha = read(entry.path, "content")
    if rgb.shape[:2] == entry.shape:
        return Picture(rgb, alpha)
    return Picture(images.resize(rgb, *entry.shape), None if alpha is None else images.resize(alpha, *entry.shape))


def recorded(model: str | os.PathLike, look: Look) -> dict[str, Any]:
    """What a result depends on, without times, places or machines: it goes into the result's metadata."""
    styles = [[os.path.basename(str(style)), weight] for style, weight in blend_of(look.style)]
    return {
        "jaxstyle": jaxstyle.__version__,
        "model": os.path.basename(os.path.abspath(model)),
        "styles": styles,
        "strength": look.strength,
        "masks": len(look.masks),
        "preserve_color": look.preserve_color,
        "style_size": look.style_size,
    }
