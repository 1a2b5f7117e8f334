"""A model applied to a film that comes through a pipe, frame by frame, such as a webcam's."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
from tqdm import tqdm

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.apply import Stylizer, check_photo
from jaxstyle.jobs.files import Files
from jaxstyle.media.film_writing import check_film, film_writer
from jaxstyle.media.image_resizing import check_size, fit_size, resize
from jaxstyle.media.pipes import Stream, open_stream, y4m_writer
from jaxstyle.runtime.interrupts import interruptible

PIPE = "-"


def is_piped(files: Files) -> bool:
    """Whether a film comes through the pipe; raises `JaxstyleError` where `-` stands beside others, or without."""
    contents = list(files.sources["contents"])
    if PIPE in contents and len(contents) > 1:
        raise JaxstyleError("'-' is a film that comes through a pipe: name no other picture beside it")
    if files.output == PIPE and PIPE not in contents:
        raise JaxstyleError("-o - is for a film that comes through a pipe: name '-' as the picture, or another output")
    if PIPE in contents and files.output != PIPE:
        check_film(pathlib.Path(files.output), files.bits)
    return PIPE in contents


def apply_pipe(
    stylizer: Stylizer,
    files: Files,
    size: int | None,
    fps: float | None,
    settings: dict[str, Any],
    source: BinaryIO | None = None,
    sink: BinaryIO | None = None,
    progress: bool | None = None,
) -> Iterator[pathlib.Path]:
    """Stylises a film while it comes; see `apply_files`.

    It ends where the film ends, where nobody reads the result any more, and at Ctrl-C or SIGTERM.

    Args:
      stylizer: The model and the style.
      files: Of which `output` and `bits` count: `-` writes y4m to `sink`, other names a film's file.
      size: Longer side of the result, in pixels; None is the film's own.
      fps: Frames a second; None is the film's own.
      settings: Kept in the file.
      source: Where the film comes from; None is standard input.
      sink: Where it goes; None is standard output.
      progress: Whether the frames are counted; None does so on a terminal.

    Yields:
      The file's path, where it is one.
    """
    stream = open_stream(source or sys.stdin.buffer)
    check_photo(np.broadcast_to(np.float32(0), (*stream.shape, 3)), "the film from the pipe", stylizer.options)
    shape = stream.shape if size is None else fit_size(*stream.shape, size)
    check_size(*shape, f"the film from the pipe at --size {size}")
    rate = stream.fps if fps is None else Fraction(fps).limit_denominator(1001)
    target = pathlib.Path(files.output)
    with tqdm(unit="frame", disable=None if progress is None else not progress) as bar:
        if files.output == PIPE:
            stylise_to_pipe(stylizer, stream, shape, rate, sink or sys.stdout.buffer, bar)
        else:
            note = settings | {"contents": [PIPE]}
            with film_writer(target, shape, rate, settings=note, bits=files.bits) as add:
                stylise_stream(stylizer, stream, shape, add, bar)
            yield target


def stylise_to_pipe(
    stylizer: Stylizer, stream: Stream, shape: tuple[int, int], fps: Fraction, sink: BinaryIO, bar: tqdm
) -> None:
    """Writes y4m as long as it is read."""
    try:
        stylise_stream(stylizer, stream, shape, y4m_writer(sink, shape, fps), bar)
    except BrokenPipeError:
        getattr(sys.stdout, "silence", sink.close)()  # or what still waits in it would fail when the process ends


def stylise_stream(
    stylizer: Stylizer, stream: Stream, shape: tuple[int, int], add: Callable[[np.ndarray], None], bar: tqdm
) -> None:
    """Stylises frame by frame; a batch would keep the first frames waiting."""
    with interruptible() as stop, contextlib.closing(stream.frames) as frames:
        for frame in itertools.takewhile(lambda _: not stop(), frames):
            add(stylizer([frame if frame.shape[:2] == shape else resize(frame, *shape)])[0])
            bar.update()
