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
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.apply import Look, Stylizer, check_photo
from jaxstyle.inference.style_model import FILES, load_model
from jaxstyle.inference.styles import blend_of
from jaxstyle.jobs.apply_films import Reel, open_reels, stylise_film
from jaxstyle.jobs.files import Files, check_apart, check_results, list_contents, output_paths, read
from jaxstyle.jobs.film_paths import check_fps, part_films, skipped
from jaxstyle.media.film_reading import check_bad_frames
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_resizing import MIN_SIDE, check_size, fit_size, resize
from jaxstyle.media.image_writing import check_sides, write_picture

MAX_SIDE = 30_000  # pixels; a square of it takes ten gigabytes to hold


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
    fps: float | None = None,
    bad_frames: str = "stop",
    progress: bool | None = None,
) -> Iterator[pathlib.Path]:
    """Stylises pictures and films from files to files.

    Everything that can be wrong with the input is found before the first picture is made.

    Args:
      model: The model's folder.
      files: Of which `contents`, `output`, `bits` and, for what must not be overwritten, `styles` and `content_masks`
        count.
      look: How the model is applied.
      size: Longer side of the results, in pixels; None leaves pictures as large as they are.
      fps: Frames a second of films; None takes the films' own.
      bad_frames: `"stop"` refuses to start where a frame, or a picture, cannot be read; `"skip"` names it on stderr and
        goes on without.
      progress: True shows the bar, with pictures a second; False does not; None shows it on a terminal.

    Yields:
      The results' paths, as they are written.

    Raises:
      JaxstyleError: Bad input.
      KeyboardInterrupt: Ctrl-C, or, in a film, SIGTERM; no half-written film is left.
    """
    check_bad_frames(bad_frames)
    if size is not None and not MIN_SIDE <= size <= MAX_SIDE:
        raise JaxstyleError(f"--size is {size}; it must be from {MIN_SIDE} to {MAX_SIDE}")
    check_fps(fps)
    stylizer = Stylizer(load_model(model), look)
    films, photos = part_films(files.contents, files.output)
    reels = open_reels(films, files.output, look, size, fps, files.bits)
    for reel in reels:
        reel.film.check(bad_frames)
    entries = find_entries(files, photos, look, size, bad_frames) if photos else []
    own = [os.path.join(model, name) for name in FILES]
    sources = (*files.contents, *files.styles, *files.content_masks, *(entry.path for entry in entries), *own)
    check_results([entry.target for entry in entries], files.bits, sources)
    for entry in entries:
        check_sides(entry.target, *entry.shape)
    check_apart([reel.target for reel in reels], sources)
    for problem in (problem for reel in reels for problem in reel.film.bad):
        skipped(problem)
    return stylised(stylizer, entries, reels, files.bits, recorded(model, look), progress)


def find_entries(files: Files, photos: Sequence[str], look: Look, size: int | None, bad_frames: str) -> list[Entry]:
    """The photos named and in folders that can be read, with where their results go.

    Raises:
      JaxstyleError: One cannot be read, where `bad_frames` is `"stop"`; or none can.
    """
    paths = list_contents(photos)
    targets = [row[0] for row in output_paths(files, paths, [{}])]
    entries = []
    for path, target in zip(paths, targets, strict=True):
        try:
            entries.append(Entry(path, inspect(path, look, size), target))
        except JaxstyleError as error:
            if bad_frames == "stop" or (path == paths[-1] and not entries):
                raise
            skipped(str(error))
    return entries


def inspect(path: str, look: Look, size: int | None) -> tuple[int, int]:
    """Height and width at which a photo is stylised, which can be read and fits the masks."""
    rgb = read(path, "content").rgb
    check_photo(rgb, path, look)
    height, width = rgb.shape[:2]
    if size is None:
        return height, width
    shape = fit_size(height, width, size)
    check_size(*shape, f"{path} at --size {size}")
    return shape


def stylised(
    stylizer: Stylizer,
    entries: Sequence[Entry],
    reels: Sequence[Reel],
    bits: int,
    settings: dict[str, Any],
    progress: bool | None,
) -> Iterator[pathlib.Path]:
    """Photos of one shape together, as many at once as are best; then films. Written as they are made."""
    total = len(entries) + sum(reel.film.count for reel in reels)
    with tqdm(total=total, unit="picture", disable=None if progress is None else not progress) as bar:
        for entry, photo, made in stylised_photos(stylizer, entries):
            note = settings | {"contents": [os.path.basename(entry.path)]}
            write_picture(entry.target, made, alpha=photo.alpha, bits=bits, settings=note)
            bar.update()
            yield entry.target
        for reel in reels:
            stylise_film(stylizer, reel, bits, settings, bar)
            yield reel.target


def stylised_photos(stylizer: Stylizer, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Picture, np.ndarray]]:
    """Each photo with what is made of it."""
    ordered = sorted(entries, key=lambda entry: entry.shape)  # stable: those of one shape keep their order
    for shape, group in itertools.groupby(ordered, key=lambda entry: entry.shape):
        for batch in batched(list(group), stylizer.batch(*shape)):
            photos = [resized(entry) for entry in batch]
            yield from zip(batch, photos, stylizer([photo.rgb for photo in photos]), strict=True)


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
    return Picture(resize(rgb, *entry.shape), None if alpha is None else resize(alpha, *entry.shape))


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
