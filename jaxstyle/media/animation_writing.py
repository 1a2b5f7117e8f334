"""Writes animations frame by frame: GIF, APNG and WebP, every frame whole and none kept in memory."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.alpha import fill_invisible
from jaxstyle.media.image_writing import MAX_SIDE, exif_bytes, png_chunk, png_profile, srgb_profile
from jaxstyle.media.timing import Clock, Timing

LEAST_DELAY = 2  # hundredths of a second; what a GIF asks for below that, viewers play slowly
CLEAR = 255  # the index of a GIF's transparent colour
OPAQUE = 128  # the least alpha, of 255, that a GIF shows
Add = Callable[[np.ndarray], None]


@contextlib.contextmanager
def gif_writer(file: BinaryIO, shape: tuple[int, int], timing: Timing, comment: str) -> Iterator[Add]:
    """Writes an animated GIF that repeats, every frame with its own 256 colours, one of them transparent with an alpha.

    Args:
      file: Takes the bytes.
      shape: Height and width of the frames, in pixels.
      timing: Frames a second, or how long each frame lasts; in the file whole hundredths of a second, right on average
        and two at least: above 50 frames a second some are left out.
      comment: Kept in the file; "" for none.

    Yields:
      A function that takes the next frame, uint8 `[H, W, 3]`, or `[H, W, 4]` of all frames.

    Raises:
      JaxstyleError: The frames have too many pixels a side.

    References:
      CompuServe 1990, "Graphics Interchange Format, Version 89a".
    """
    height, width = shape
    if max(shape) > 65535:
        raise JaxstyleError(f"a GIF holds at most 65535 pixels a side, not {max(shape)}: write numbered frames")
    file.write(b"GIF89a" + struct.pack("<2H3B", width, height, 0x70, 0, 0))
    file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")  # repeat for ever
    if comment:
        file.write(b"!\xfe" + gif_blocks(comment.encode()) + b"\0")
    clock, written = Clock(timing, 100), 0

    def add(frame: np.ndarray) -> None:
        nonlocal written
        delay = clock.next() - written
        if delay < LEAST_DELAY and written:
            return
        delay = max(LEAST_DELAY, delay)
        written += delay
        clear = frame.shape[-1] == 4
        disposal = 0x09 if clear else 0x04  # back to the background, with a transparent colour; or stay
        control = struct.pack("<BHBB", disposal, min(delay, 65535), CLEAR if clear else 0, 0)
        file.write(b"!\xf9\x04" + control + gif_picture(frame))

    yield add
    file.write(b";")


def gif_blocks(data: bytes) -> bytes:
    """Splits data into GIF's blocks of at most 255 bytes, each after its length."""
    parts = (data[i : i + 255] for i in range(0, len(data), 255))
    return b"".join(bytes([len(part)]) + part for part in parts)


def gif_picture(frame: np.ndarray) -> bytes:
    """Encodes one picture of a GIF: Pillow's file of it, with the colours of the file made its own."""
    buffer = io.BytesIO()
    if frame.shape[-1] == 4:
        _with_clear(frame).save(buffer, "GIF", interlace=0, optimize=False)
    else:
        Image.fromarray(frame).quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(buffer, "GIF", interlace=0)
    data = buffer.getvalue()
    bits = data[10] & 7  # of the screen's flags: its table has 2 ** (bits + 1) colours
    start = 13 + 3 * 2 ** (bits + 1)
    assert data[10] & 0x80 and data[start] == 0x2C, "Pillow wrote something between colours and picture"
    return data[start : start + 9] + bytes([0x80 | bits]) + data[13:start] + data[start + 10 : -1]


def _with_clear(frame: np.ndarray) -> Image.Image:
    """Quantises `[H, W, 4]` to 255 colours and a transparent one, which is the last."""
    filled = fill_invisible(frame[..., :3] / np.float32(255), frame[..., 3] / np.float32(255))
    colors = Image.fromarray(np.rint(255 * filled).astype(np.uint8))
    colors = colors.quantize(CLEAR, dither=Image.Dither.FLOYDSTEINBERG)
    indices = np.where(frame[..., 3] < OPAQUE, np.uint8(CLEAR), np.asarray(colors))
    image = Image.frombytes("P", colors.size, indices.tobytes())
    image.putpalette(bytes(colors.getpalette() or ()).ljust(3 * 256, b"\0"))
    return image


@contextlib.contextmanager
def apng_writer(file: BinaryIO, shape: tuple[int, int], timing: Timing, comment: str) -> Iterator[Add]:
    """Writes an animated PNG that repeats; arguments as for `gif_writer`, times in whole thousandths of a second.

    References:
      W3C 2025, "Portable Network Graphics (PNG) Specification (Third Edition)", section 11.3.6.
    """
    count, clock, written, sequence = 0, Clock(timing, 1000), 0, 0
    place = 0

    def add(frame: np.ndarray) -> None:
        nonlocal count, written, sequence, place
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "PNG")
        chunks = list(_png_chunks(buffer.getvalue()))
        if not count:
            file.write(b"\x89PNG\r\n\x1a\n" + png_chunk(*chunks[0]) + png_profile())
            if comment:
                file.write(png_chunk(b"eXIf", exif_bytes(comment).removeprefix(b"Exif\0\0")))
            place = file.tell()
            file.write(_apng_control(0))
        end = clock.next()
        units = next(units for units in (1000, 100, 10, 1) if (end - written) * units <= 65535 * 1000 or units == 1)
        delay = min(round((end - written) * units / 1000), 65535)
        control = struct.pack(">5I2H2B", sequence, shape[1], shape[0], 0, 0, delay, units, 0, 0)
        file.write(png_chunk(b"fcTL", control))
        sequence += 1
        for kind, data in chunks:
            if kind == b"IDAT":
                file.write(png_chunk(b"fdAT", struct.pack(">I", sequence) + data) if count else png_chunk(kind, data))
                sequence += bool(count)
        count, written = count + 1, end

    yield add
    file.write(png_chunk(b"IEND", b""))
    file.seek(place)
    file.write(_apng_control(count))


def _apng_control(count: int) -> bytes:
    return png_chunk(b"acTL", struct.pack(">2I", count, 0))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Splits a PNG file into its chunks, each as its type and data."""
    at = 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


@contextlib.contextmanager
def webp_writer(file: BinaryIO, shape: tuple[int, int], timing: Timing, comment: str) -> Iterator[Add]:
    """Writes a lossless animated WebP that repeats; arguments as for `gif_writer`, times in thousandths of a second.

    References:
      RFC 9649, "WebP Image Format", section 2.7.
    """
    if max(shape) > MAX_SIDE["WEBP"]:
        raise JaxstyleError(f"WEBP holds at most {MAX_SIDE['WEBP']} pixels a side, not {max(shape)}")
    clock, written, size = Clock(timing, 1000), 0, b"".join((side - 1).to_bytes(3, "little") for side in shape[::-1])

    def add(frame: np.ndarray) -> None:
        nonlocal written
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "WEBP", lossless=True, exact=True)
        if not written:
            flags = 0x22 | 0x10 * (frame.shape[-1] == 4) | 0x08 * bool(comment)  # animation, profile; alpha; EXIF
            file.write(b"RIFF" + bytes(4) + b"WEBP" + _riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size))
            file.write(_riff_chunk(b"ICCP", srgb_profile()) + _riff_chunk(b"ANIM", bytes(6)))
        end = clock.next()
        lasts = min(max(end - written, 1), 2**24 - 1).to_bytes(3, "little")
        stays = b"\x02"  # in place of what is below, not blended with it
        file.write(_riff_chunk(b"ANMF", bytes(6) + size + lasts + stays + buffer.getvalue()[12:]))
        written = end

    yield add
    if comment:
        file.write(_riff_chunk(b"EXIF", exif_bytes(comment).removeprefix(b"Exif\0\0")))
    length = file.tell() - 8
    file.seek(4)
    file.write(length.to_bytes(4, "little"))


def _riff_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


WRITERS = {".gif": gif_writer, ".apng": apng_writer, ".webp": webp_writer}
"""The writer of each suffix."""
