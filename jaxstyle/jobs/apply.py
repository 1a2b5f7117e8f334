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

from jaxstyle._version import __version__
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.apply import StyleOptions, Stylizer, check_photo
from jaxstyle.inference.style_model import BUNDLED, FILES, check_no_model, load_model
from jaxstyle.inference.styles import blend_of
from jaxstyle.jobs.apply_films import Reel, open_reels, resized, stylise_film
from jaxstyle.jobs.apply_pipe import apply_pipe, is_piped
from jaxstyle.jobs.bad_pictures import readable, skipped
from jaxstyle.jobs.files import Files, check_apart, check_new_folder, check_results, make_folder, stems_of, tell_folders
from jaxstyle.jobs.film_files import check_fps, part_films
from jaxstyle.jobs.runner import evenly
from jaxstyle.media.film_reading import check_bad_frames
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_reading import read_large
from jaxstyle.media.image_resizing import MIN_SIDE, check_size, fit_size
from jaxstyle.media.image_writing import check_sides, write_picture
from jaxstyle.media.paths import list_pictures

MAX_SIDE = 30_000  # pixels; a square of it takes ten gigabytes to hold


@dataclasses.dataclass(frozen=True)
class Entry:
    """A photo of a job: where it is read, the `(height, width)` at which it is stylised, and where the result goes."""

    path: str
    shape: tuple[int, int]
    target: pathlib.Path


def apply_files(
    model: str | os.PathLike | None,
    files: Files,
    options: StyleOptions,
    *,
    size: int | None = None,
    fps: float | None = None,
    bad_frames: str = "stop",
    bad_pictures: str = "stop",
    direction: str = "",
    progress: bool | None = None,
) -> Iterator[pathlib.Path]:
    """Stylises pictures and films from files to files.

    Everything that can be wrong with the input is found before the first picture is made. The source `-` is a film that
    comes through a pipe; see `apply_pipe`.

    Args:
      model: The model's folder or file; None is the one that comes with the package.
      files: Of which `output`, `bits` and the sources count: `contents`, and `styles` and `masks`, which must not be
        overwritten.
      options: How the model is applied.
      size: Longer side of the results, in pixels; None leaves pictures as large as they are.
      fps: Frames a second of films; None takes the films' own.
      bad_frames: `"stop"` refuses to start where a frame of a film cannot be read; `"skip"` names it on stderr and goes
        on without.
      bad_pictures: The same, of pictures.
      direction: Of the workdir of a translation; see `load_model`.
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
    contents = list(files.sources["contents"])
    for path in contents:
        check_no_model(path)
    piped = is_piped(files)
    stylizer = Stylizer(load_model(model, direction), options)
    if piped:
        return apply_pipe(stylizer, files, size, fps, recorded(model, options), progress=progress)
    films, photos = part_films(contents, files.output)
    reels = open_reels(films, files, options, size, fps)
    for reel in reels:
        reel.film.check(bad_frames)
    entries = find_entries(files, photos, options, size, bad_pictures) if photos else []
    own = [] if model is None else [os.fspath(model), *(os.path.join(model, name) for name in FILES)]
    sources = (*itertools.chain(*files.sources.values()), *(entry.path for entry in entries), *own)
    if files.into_folder and not os.path.isdir(files.output):
        check_new_folder(pathlib.Path(files.output))
        make_folder(files.output)
    check_results([entry.target for entry in entries], files.bits, sources)
    for entry in entries:
        check_sides(entry.target, *entry.shape)
    check_apart([reel.target for reel in reels], sources)
    for problem in (problem for reel in reels for problem in reel.film.bad):
        skipped(problem)
    return stylised(stylizer, entries, reels, files.bits, recorded(model, options), progress)


def find_entries(
    files: Files, photos: Sequence[str], options: StyleOptions, size: int | None, bad_pictures: str
) -> list[Entry]:
    """The photos named and in folders that can be read, with where their results go.

    Raises:
      JaxstyleError: One cannot be read, where `bad_pictures` is `"stop"`; or none can.
    """
    paths, output = list_pictures(photos), pathlib.Path(files.output)
    if not files.into_folder and (len(paths) > 1 or any(map(os.path.isdir, photos))):
        raise JaxstyleError(
            f"several pictures go into a folder, and output {files.output!r} is none: end it in '/', or make it first"
        )
    targets = [output / f"{stem}.png" for stem in stems_of(paths)] if files.into_folder else [output]
    shapes = readable(paths, bad_pictures, lambda path: inspect(path, options, size))
    tell_folders(photos)
    return [Entry(path, shapes[path], target) for path, target in zip(paths, targets, strict=True) if path in shapes]


def inspect(path: str, options: StyleOptions, size: int | None) -> tuple[int, int]:
    """Height and width at which a photo is stylised, which can be read and fits the masks."""
    rgb = read_large(path, "content").rgb
    check_photo(rgb, path, options)
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
    """Photos whose shapes go together, as many at once as are best; then films. Written as they are made."""
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

    def together(entry: Entry) -> tuple[int, ...]:
        return stylizer.together(*entry.shape)

    for shape, group in itertools.groupby(sorted(entries, key=together), key=together):  # stable
        for batch in evenly(list(group), stylizer.batch(*shape[:2])):
            photos = [resized(read_large(entry.path, "content"), entry.shape) for entry in batch]
            yield from zip(batch, photos, stylizer(*zip(*photos, strict=True)), strict=True)


def recorded(model: str | os.PathLike | None, options: StyleOptions) -> dict[str, Any]:
    """Everything that a result depends on, without times, places or machines, for the result's metadata."""
    styles = [[os.path.basename(str(style)), weight] for style, weight in blend_of(options.style)]
    return {
        "jaxstyle": __version__,
        "model": os.path.basename(os.path.abspath(BUNDLED if model is None else model)),
        "styles": styles,
        "strength": options.strength,
        "masks": len(options.masks),
        "preserve_color": options.preserve_color,
        "style_size": options.style_size,
    }
