"""Folders of films, out of which clips are cut. Splits and classes are folders, as those of pictures."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from jaxstyle.data.config import DataConfig
from jaxstyle.data.cropping import fit_example
from jaxstyle.data.dataset import Dataset, Example, PictureFile, plural
from jaxstyle.data.folders import class_names, take_share
from jaxstyle.data.splits import find_split, parse, take_slice
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.animation_reading import is_animation
from jaxstyle.media.channels import brightened
from jaxstyle.media.colors import luma
from jaxstyle.media.film_reading import is_film, read_film
from jaxstyle.media.paths import is_hidden, is_picture, picture_paths
from jaxstyle.runtime.settings import named

DARK = 8
"""Levels of 255: films whose brightest value is below hold numbers of 16 bits of which few are used."""


def clips_dataset(data: DataConfig, split: str, *, labels: bool = True) -> Dataset:
    """Opens a split of a folder of films; every film is read once, and all its clips are of one split.

    Arguments are those of `open_dataset`. Examples have `video` `[data.frames, H, W, data.channels]` uint8, and `label`
    where there are classes.

    Raises:
      JaxstyleError: There is no such folder or split; a film cannot be read; all are too short, or differ in size.
    """
    films, classes = find_films(data, split, labels=labels)
    read_frames = functools.lru_cache(maxsize=8)(lambda path: frames_of(path, data))
    shapes, brightest = [], 0
    for film in films:
        frames = read_frames(film.path)
        shapes.append(frames.shape)
        brightest = max(brightest, int(frames.max()))
    if len({shape[1:] for shape in shapes}) > 1:
        raise JaxstyleError(f"the films in {data.clips!r} differ in size: choose one by {named('data.size')}")
    if brightest < DARK:
        raise JaxstyleError(
            f"the films in {data.clips!r} are nearly black: nothing is brighter than {brightest} of 255. Of numbers of "
            f"16 bits name the one that is white, by {named('data.white')}"
        )
    step = data.stride or data.frames
    places = [
        (film, start)
        for film, shape in zip(films, shapes, strict=True)
        for start in starts(shape[0], data.frames, step)
    ]
    short = sum(shape[0] < data.frames for shape in shapes)
    if not places:
        raise JaxstyleError(
            f"no film of {split!r} in {data.clips!r} has {data.frames} frames ({plural(len(films), 'film')}): lower "
            f"{named('data.frames')}"
        )
    numbers = {name: label for label, name in enumerate(classes)}

    def read(index: int) -> Example:
        film, start = places[index]
        video = read_frames(film.path)[start : start + data.frames]
        return {"video": video, "label": np.array(numbers[film.group], np.int32)} if classes else {"video": video}

    title = f"{split} of {plural(len(films), 'film')} in {data.clips!r}"
    left_out = (f"{short} of them with fewer than {data.frames} frames",) if short else ()
    known = [numbers.get(film.group, -1) for film, _ in places]
    return Dataset(len(places), read, classes, (), title, left_out, read_labels=(lambda: known) if classes else None)


def find_films(data: DataConfig, split: str, *, labels: bool = True) -> tuple[list[PictureFile], tuple[str, ...]]:
    """Finds the films of a split, and the names of their classes; see `clips_dataset`."""
    root, wanted = pathlib.Path(data.clips), parse(split)
    if not os.path.isdir(root):
        raise JaxstyleError(f"there is no folder {data.clips!r}, which {named('data.clips')} names")
    place, shared = find_split(root, wanted.name, data.held_out)
    found = list(films_below(place)) or ([PictureFile(place, place.name)] if holds_frames(place) else [])
    if not found:
        raise JaxstyleError(f"the folder {str(place)!r} holds no films: videos, GIFs, .npy files, or folders of frames")
    classes = class_names(place, found) if labels else ()
    films = take_share(found, classes, wanted.name, data.held_out) if shared else found
    if not films or set(classes).difference(film.group for film in films):
        raise JaxstyleError(
            f"{data.clips!r} has not enough films for {split!r}: part of them is held out, so give at least 2 (of "
            f"every class), put films into folders train/ and test/, or set {named('data.eval_split')}=train"
        )
    if wanted.first or wanted.last:
        films = [films[index] for index in take_slice([film.name for film in films], wanted)]
    return films, classes


def films_dataset(data: DataConfig, split: str) -> Dataset:
    """Opens the films of a split, each whole, of any sizes: examples with `video` `[T, H, W, data.channels]` uint8."""
    films, classes = find_films(data, split)
    numbered = tuple(dataclasses.replace(film, label=classes.index(film.group) if classes else -1) for film in films)

    def read(index: int) -> Example:
        film = numbered[index]
        return {"video": frames_of(film.path, data), "label": np.array(film.label, np.int32)}

    return Dataset(len(numbered), read, classes, numbered, f"{split} of {data.clips!r}", noun="film")


def starts(frames: int, length: int, step: int) -> range:
    """The first frames of the clips of some length that are cut out of a film, some frames apart."""
    return range(0, frames - length + 1, step)


def films_below(place: pathlib.Path, group: str = "") -> Iterator[PictureFile]:
    """Finds the films below a folder, in the order of their names: files, and folders with pictures."""
    for path in sorted(place.iterdir()):
        if is_hidden(path):
            continue
        if path.is_dir() and not holds_frames(path):
            yield from films_below(path, group or path.name)
        elif path.is_dir() or path.suffix.lower() == ".npy" or is_film(path):
            yield PictureFile(path, path.stem, group)


def holds_frames(folder: pathlib.Path) -> bool:
    """Whether a folder is a film: its first picture is one, not an animation."""
    pictures = picture_paths(folder) if any(map(is_picture, folder.iterdir())) else []
    return bool(pictures) and not is_animation(pictures[0])


def frames_of(path: pathlib.Path, data: DataConfig) -> np.ndarray:
    """Reads a film, `[T, H, W, data.channels]` uint8, at `data.size`."""
    rgb = brightened(read_film(path), data.white)
    frames = rgb if data.channels == 3 else luma(rgb)[..., None]
    video = np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8)
    return fit_example({"video": video}, data.shape, data.fit)["video"] if data.shape else video
